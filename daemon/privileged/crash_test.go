//go:build linux

package privileged

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

// TestRealCrashes kills the helper, the daemon or both while an undo is owed. It runs once: when
// the daemon that starts then asks for it, and at once when that one does not know of it.
func TestRealCrashes(t *testing.T) {
	for _, tt := range []struct {
		name           string
		helper, daemon bool // is killed
		known          bool // by the daemon that starts
	}{
		{"the helper", true, false, true},
		{"the daemon", false, true, true},
		{"both", true, true, true},
		{"the daemon, which lost its journal", false, true, false},
		{"both, and the daemon lost its journal", true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			connectAgain := func() *connection { return w.start() }
			if !tt.helper { // its socket accepts another daemon
				h := w.host()
				connectAgain = h.connect
			}
			c := connectAgain()
			_, _, err := c.read(t.Context())
			must(t, err)
			must(t, c.Settle(nil))
			if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" {
				t.Fatal(got)
			}
			if tt.helper {
				w.kill() // whose end the client sees
				<-c.ended
			}
			if tt.daemon && !tt.helper {
				c.close()
			}
			w.wantLog("ban " + alice + " low")

			c = connectAgain()
			unban := []string{w.program, "unban", alice}
			if tt.known {
				must(t, c.Settle([][]string{unban}))
				if got := c.done(t.Context(), undoing(unban...)); got != "" {
					t.Error(got)
				}
			} else {
				must(t, c.Settle(nil))
				eventually(t, "the undo has run", func() bool { return len(w.log()) > 0 })
			}
			if got := c.done(t.Context(), undoing(unban...)); got != "" { // as when the answer was lost
				t.Error(got)
			}
			w.wantLog("unban " + alice)

			t.Log("# it is owed no longer")
			if tt.helper {
				w.kill()
				<-c.ended
			} else {
				c.close()
			}
			c = connectAgain()
			must(t, c.Settle(nil))
			if got := c.done(t.Context(), undoing(unban...)); got != "" {
				t.Error(got)
			}
			w.wantLog()
		})
	}
}

// TestRealCrashDuringACommand kills the helper while a command runs: it may have done something.
func TestRealCrashDuringACommand(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	_, _, err := c.read(t.Context())
	must(t, err)
	ended := make(chan error, 1)
	go c.Run(t.Context(), w.command(w.say, nil), func(_ effect.Output, err error) { ended <- err })
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	w.kill()
	if err := <-ended; err == nil {
		t.Error("it counts as done")
	}
	j := opened(t, w.helper)
	if diff := cmp.Diff([]string{w.program + " unhang"}, j.list()); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	must(t, j.close())
	c = w.start()
	must(t, c.Settle(nil))
	eventually(t, "the undo has run", func() bool { return len(w.log()) == 2 })
	w.wantLog("hang", "unhang")
}

// TestClaimsAreCounted has three undos with the same arguments, of which the daemon knows two.
func TestClaimsAreCounted(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	for range 3 {
		if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" {
			t.Fatal(got)
		}
	}
	c.close()
	w.wantLog("ban 203.0.113.9 low", "ban 203.0.113.9 low", "ban 203.0.113.9 low")
	c = h.connect()
	if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" { // of this session, so nobody need claim it
		t.Fatal(got)
	}
	unban := []string{w.program, "unban", alice}
	must(t, c.Settle([][]string{unban, {"/another"}, unban}))
	eventually(t, "one undo has run", func() bool { return len(w.log()) == 2 && len(h.journal.list()) == 3 })
	for range 4 {
		if got := c.done(t.Context(), undoing(unban...)); got != "" {
			t.Error(got)
		}
	}
	w.wantLog("ban 203.0.113.9 low", "unban 203.0.113.9", "unban 203.0.113.9", "unban 203.0.113.9", "unban 203.0.113.9")
}

// TestUndosThatNobodyClaims has three of them, of a daemon that lost its state. One's command still
// runs, which holds up no other, and one fails, which the daemon is told.
func TestUndosThatNobodyClaims(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	hang, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go c.Run(hang, w.command(w.say, nil), func(_ effect.Output, err error) { ended <- err })
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	bad := engine.Invocation{Argv: []string{w.program, "badundo"}, Undo: []string{w.program, "fail", "undo"}}
	for _, command := range []effect.Command{w.command(bad, nil), w.command(w.ban, banned(alice))} {
		if got := c.done(t.Context(), command); got != "" {
			t.Error(got)
		}
	}
	second := h.connect()
	must(t, second.Settle(nil))
	if diff := cmp.Diff(FailedUndo{Door: "ssh", Command: w.program + " fail undo", Reason: "running " + w.program + ": exit status 3"}, <-second.Failed()); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	eventually(t, "the other has run", func() bool { return len(h.journal.list()) == 2 })
	if slices.Contains(w.log(), "unhang") {
		t.Error("an undo ran while its command did")
	}
	stop()
	if err := <-ended; !errors.Is(err, effect.ErrStopped) {
		t.Error(err)
	}
	eventually(t, "the last has run", func() bool { return slices.Contains(w.log(), "unhang") && len(h.journal.list()) == 1 })
	if n := len(second.Failed()); n != 0 {
		t.Errorf("%d more failed", n)
	}
}
