package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/audit"
	"sesame/daemon/config"
	"sesame/daemon/control"
)

// TestEveryRequestIsAuditedOrReads names a request that somebody added and that has no entry in the
// audit log, although it may change something.
func TestEveryRequestIsAuditedOrReads(t *testing.T) {
	audited := []string{"Grant", "Revoke", "Forget", "Reload", "Confirm", "Record", "RecordWithheld", "Refused"}
	reads := []string{"Status", "Grants", "Stored", "Events", "Profiles", "Metrics"}
	kind := reflect.TypeFor[control.API]()
	for i := range kind.NumField() {
		if name := kind.Field(i).Name; !slices.Contains(audited, name) && !slices.Contains(reads, name) {
			t.Errorf("the request %s: let it have an entry in the audit log (audited.go), or name it here as one that only reads", name)
		}
	}
}

func TestAuditPath(t *testing.T) {
	for _, tt := range []struct {
		audit config.Value
		want  string
	}{
		{config.Value{}, "/srv/state/audit.log"},
		{config.Value{From: "sesame.toml:3"}, ""},
		{config.Value{Text: "/var/log/sesame/a.log", From: "sesame.toml:3"}, "/var/log/sesame/a.log"},
	} {
		c := config.Config{State: "/srv/state", Log: config.Log{Audit: tt.audit}}
		if got := AuditPath(&c); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.audit, got, tt.want)
		}
	}
}

func TestWhatCameOfARequest(t *testing.T) {
	const notWaited = "the answer was not waited for: it may have been done"
	for _, tt := range []struct {
		err             error
		before          string
		outcome, detail string
	}{
		{nil, "", audit.Done, ""},
		{nil, "held", "held", ""},
		{control.Refusal("not now"), "applied", audit.Refused, "not now"},
		{errors.New("no table"), "", audit.Failed, "no table"},
		{fmt.Errorf("granting: %w", context.Canceled), "", audit.Unknown, notWaited},
		{context.DeadlineExceeded, "applied", audit.Unknown, notWaited},
		{errStopping, "", audit.Unknown, notWaited},
	} {
		e := audit.Entry{Outcome: tt.before}
		if judge(&e, tt.err); e.Outcome != tt.outcome || e.Detail != tt.detail {
			t.Errorf("%v: %q, %q", tt.err, e.Outcome, e.Detail)
		}
	}
}

func TestTheCallerIsNoted(t *testing.T) {
	var e audit.Entry
	NoteCaller(&e, &control.Caller{UID: 0, GID: 5, PID: os.Getpid(), Claims: control.Claims{Command: "grant", Login: "7", SudoUser: "ana", Address: "192.0.2.9"}})
	if *e.UID != 0 || e.User != "root" || *e.GID != 5 || e.PID != os.Getpid() {
		t.Errorf("%+v", e)
	}
	if e.ClaimedCommand != "grant" || e.ClaimedLogin != "7" || e.ClaimedSudoUser != "ana" || e.ClaimedAddress != "192.0.2.9" {
		t.Errorf("claims %+v", e)
	}
	login, known := loginIn("/proc/self/loginuid") // a kernel may have none
	if known != (e.LoginUID != nil) || known && *e.LoginUID != login {
		t.Errorf("the login is %v, want %d, %v", e.LoginUID, login, known)
	}
	path := filepath.Join(t.TempDir(), "loginuid")
	writeFile(t, path, "1000\n")
	if uid, known := loginIn(path); uid != 1000 || !known {
		t.Errorf("the login is %d, %v", uid, known)
	}
	if _, known := loginIn(path + ".none"); known {
		t.Error("a file that is not there has a login")
	}
	NoteCaller(&e, &control.Caller{UID: 4_000_000_000})
	if e.User != "" {
		t.Errorf("a user that is not there has the name %q", e.User)
	}
}

// TestDenialsAreBounded has a user who asks and asks.
func TestDenialsAreBounded(t *testing.T) {
	var d denials
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var entries []int
	for i := range 200 {
		if n := d.add(begin.Add(time.Duration(i) * time.Second)); n > 0 {
			entries = append(entries, n)
		}
	}
	if !slices.Equal(entries, []int{1, 60, 60, 60}) {
		t.Errorf("the entries have the numbers %v", entries)
	}

	path := filepath.Join(t.TempDir(), audit.Name)
	daemon := &daemon{clock: newClock(), audit: audit.New(path, true, hclog.NewNullLogger())}
	flush := daemon.audit.Start()
	for range 3 {
		daemon.denied(control.Caller{UID: 65534, Claims: control.Claims{Command: "rm"}})
	}
	flush()
	text, err := os.ReadFile(path)
	must(t, err)
	if n := strings.Count(string(text), "\n"); n != 1 || !strings.Contains(string(text), `"action":"denied","outcome":"refused","uid":65534,`) || strings.Contains(string(text), "rm") {
		t.Errorf("the audit log has %s", text)
	}
}
