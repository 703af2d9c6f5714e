//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A differed is what programs read of sesame diff --format json here.
type differed struct {
	Same  bool
	Opens struct{ Old, New int }
	Lost  []struct{ Door, Source, Why string }
	Mine  struct {
		Source, Door, Why string
		Opens             bool
	}
	Declarations []struct{ Name, What string }
	NotRecorded  []string `json:"not_recorded"`
}

// diffed compares scripts with what the daemon runs and recorded.
func (w *world) diffed(status int, args ...string) (d differed) {
	w.Helper()
	e := w.sesame(append([]string{"diff", "--format", "json"}, args...)...)
	if e.status != status {
		w.Fatalf("sesame diff: exit status %d, want %d\n%s%s", e.status, status, e.stdout, e.stderr)
	}
	if err := json.Unmarshal([]byte(e.stdout), &d); err != nil {
		w.Fatalf("%v in %s", err, e.stdout)
	}
	return d
}

// edited makes a copy of the world's scripts elsewhere, with another text of one.
func (w *world) edited(name, text string) string {
	w.Helper()
	dir := w.path("edited")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
	return dir
}

// TestRealDiffWithWhatRuns has a person knock, and compares edits with what the daemon runs: one
// that locks the person out, one that moves the door to other ports, and one that does nothing.
// The door has one-time sequences too, of which one was used: that is no difference.
func TestRealDiffWithWhatRuns(t *testing.T) {
	const once = `sesame.door "once" { one_time_sequences = "../once/codes", guards = "tcp/2222" }`
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "once.lua": once})
	if err := os.Mkdir(w.path("once"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path("once/codes"), []byte("5001,5002,5003\n5011,5012,5013\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.knock(sshKnocks...)
	w.opens(server4 + ":22")
	w.knock("tcp/5001", "tcp/5002", "tcp/5003")
	w.eventually("both doors are open", func() bool { return len(w.grants()) == 2 })
	client := w.net.Client.IPv4.Addr().String()

	// Once the daemon has read the file again, neither side has the sequence that was used.
	if d := w.diffed(0, "-s", w.scripts, "--me", client); !d.Same || d.Opens.Old < 1 || d.Opens.New != d.Opens.Old || !d.Mine.Opens {
		t.Errorf("the same scripts differ: %+v", d)
	}
	w.edited("once.lua", once)
	dir := w.edited("ssh.lua", strings.Replace(longDoor, `"tcp/2904"`, `"tcp/2905"`, 1))
	d := w.diffed(1, "-s", dir, "--me", client)
	if len(d.Lost) != 1 || d.Lost[0].Source != client || !strings.Contains(d.Lost[0].Why, "tcp/2905") || len(d.NotRecorded) != 1 {
		t.Errorf("a changed knock: %+v", d)
	}
	dir = w.edited("ssh.lua", longDoor+"\n"+strings.ReplaceAll(strings.ReplaceAll(longDoor, `"ssh"`, `"web"`), "tcp/22", "tcp/443"))
	if d := w.diffed(1, "-s", dir, "--me", client, "--old", "running"); len(d.Lost) != 0 || len(d.Declarations) == 0 || !d.Mine.Opens {
		t.Errorf("a further door: %+v", d)
	}
	w.nothingWrong()
}
