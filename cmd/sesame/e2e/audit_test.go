//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/audit"
)

// audited returns the entries of a file, with those parts of them that a test knows: who claims to
// have asked, what, and what came of it.
func audited(w *world, path string) (all []string) {
	w.Helper()
	entries, damaged, err := audit.Latest(path, 1000, func(*audit.Entry) bool { return true })
	if err != nil || damaged > 0 {
		w.Fatalf("%d lines are damaged, %v", damaged, err)
	}
	for _, e := range entries {
		if e.Time.IsZero() || e.UID != nil && (*e.UID != 0 || e.User != "root" || e.PID == 0) {
			w.Errorf("an entry of %v by %v, %q, process %d", e.Time, e.UID, e.User, e.PID)
		}
		if e.UID == nil && e.Action != audit.Signal {
			w.Errorf("nobody is named: %+v", e)
		}
		known := audit.Entry{
			Action: e.Action, Outcome: e.Outcome, ClaimedCommand: e.ClaimedCommand, Source: e.Source, Port: e.Port, TTL: e.TTL, Cut: e.Cut, Grant: e.Grant, Script: e.Script,
			Count: e.Count, From: e.From, Trial: e.Trial, Unguard: e.Unguard, Return: e.Return, SkipTests: e.SkipTests, Withheld: e.Withheld, Generation: e.Generation,
			Ports: e.Ports, Signal: e.Signal, Direct: e.Direct,
		}
		var parts []string
		for _, part := range known.Pairs() {
			parts = append(parts, fmt.Sprint(part))
		}
		all = append(all, strings.Join(parts, " "))
	}
	return all
}

// TestRealAudit does what a person may do, and reads the audit log.
func TestRealAudit(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	path := w.path("state/audit.log")
	if err := os.WriteFile(w.path("sesame.toml"), []byte("state = \"state\"\nsocket = \"run/socket\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := errors.Join(os.Mkdir(w.path("other"), 0o755), os.WriteFile(w.path("other/ssh.lua"), []byte(strings.Replace(longDoor, "tcp/22", "tcp/23", 1)), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, do := range [][]string{
		{"grant", "203.0.113.9", "tcp/22", "10m"},
		{"revoke", "203.0.113.9"},
		{"revoke", "203.0.113.9", "tcp/22", "--cut"},
		{"reload"},
		{"reload", "--skip-tests", "--from", w.path("other")},
		{"reload", "--return"},
		{"reload", "--from", w.path("other"), "--unguard", "tcp/22", "--trial", "10m"},
		{"reload", "--return"},
		{"confirm"},
		{"record", w.path("a.pcapng")},
		{"store", "forget", "--all", "ssh.lua"},
		{"status"}, // which changes nothing
	} {
		w.sesame(do...)
	}
	want := []string{
		"action grant outcome done claimed_command grant source 203.0.113.9 port tcp/22 ttl 10m grant 1",
		"action revoke outcome done claimed_command revoke source 203.0.113.9 count 1",
		"action revoke outcome done claimed_command revoke source 203.0.113.9 port tcp/22 cut true count 1",
		"action reload outcome unchanged claimed_command reload generation 1",
		"action reload outcome held claimed_command reload from " + w.path("other") + " skip_tests true generation 1",
		"action reload outcome refused claimed_command reload return true",
		"action reload outcome applied claimed_command reload from " + w.path("other") + " trial 10m unguard tcp/22 generation 2",
		"action reload outcome applied claimed_command reload return true generation 3",
		"action confirm outcome refused claimed_command confirm",
		"action record outcome done claimed_command record withheld true",
		"action forget outcome done claimed_command store forget script ssh.lua",
	}
	w.eventually("the entries are written", func() bool { return len(audited(w, path)) >= len(want) })
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	want = append(want, "action signal outcome unchanged generation 3 signal SIGHUP")
	w.eventually("the signal is noted", func() bool { return len(audited(w, path)) >= len(want) })
	if !strings.Contains(w.log(), "audit: action=grant outcome=done uid=0 user=root") {
		t.Errorf("the log has no such line:\n%s", w.log())
	}
	w.stop()
	direct := func(args ...string) string {
		t.Helper()
		e := w.runOn(w.net.Server, append([]string{"sesame"}, append(args, "-c", w.path("sesame.toml"))...)...)
		if e.status != done {
			t.Errorf("sesame %s: exit status %d\n%s", strings.Join(args, " "), e.status, e.stderr)
		}
		return e.stdout
	}
	direct("grant", "203.0.113.9", "tcp/22", "10m")
	direct("firewall", "remove")
	want = append(want,
		"action grant outcome done claimed_command grant source 203.0.113.9 port tcp/22 ttl 10m direct true",
		"action firewall-remove outcome done claimed_command firewall remove ports tcp/22 direct true")
	if diff := cmp.Diff(want, audited(w, path)); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
	if printed := direct("audit", "--action", "grant", "-n", "1"); !strings.Contains(printed, " UTC  grant done by root") || !strings.HasSuffix(printed, "ttl=10m direct=true\n") {
		t.Errorf("sesame audit prints %s", printed)
	}
}
