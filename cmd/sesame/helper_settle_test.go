//go:build linux

package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/state"
)

// TestRealSettle runs what a daemon of root left pending, without one: grants with one undo share
// it, what fails stays, and both commands name what is pending.
func TestRealSettle(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the undo commands are those of a daemon that was root")
	}
	dir := t.TempDir()
	path, ran, config := filepath.Join(dir, "state"), filepath.Join(dir, "ran"), filepath.Join(dir, "sesame.toml")
	if err := os.WriteFile(config, []byte("state = \"state\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settle := func(want int, text string) {
		t.Helper()
		var out bytes.Buffer
		if got := run([]string{"helper", "--settle", "-c", config}, nil, &out, &out); got != want || !strings.Contains(out.String(), text) {
			t.Errorf("exit status %d, want %d with %q:\n%s", got, want, text, &out)
		}
	}
	settle(done, "no undo command is pending")
	source := netip.MustParsePrefix("192.0.2.1/32")
	grant := func(id uint64, undo ...string) engine.Record {
		return engine.Record{Grant: &engine.Grant{ID: id, Door: "d", Source: source, Argv: []string{"/bin/true"}, Undo: undo, Timeout: time.Minute, TTL: time.Hour, End: now().Add(time.Hour)}}
	}
	once := []string{"/bin/sh", "-c", "echo ran >>" + ran}
	d, err := state.Open(path)
	if err == nil {
		_, err = d.Recover(now())
	}
	if err == nil {
		err = d.Append([]engine.Record{grant(1, once...), grant(2, once...), grant(3, "/bin/false")}, 0)
	}
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := pendingUndos(path, helperDir(path)); len(got) != 3 || got[2] != "/bin/false" {
		t.Errorf("pending: %q", got)
	}
	settle(answerNo, "still pending: /bin/false")
	settle(answerNo, "0 undo commands succeeded, 1 still pending")
	if text, err := os.ReadFile(ran); err != nil || string(text) != "ran\n" {
		t.Errorf("it ran: %q, %v", text, err)
	}
}
