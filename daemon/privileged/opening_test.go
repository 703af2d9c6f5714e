//go:build linux

package privileged

import (
	"errors"
	"testing"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

// TestAHelperAfterAnother kills the daemon during a command, so that the helper waits for its end,
// and starts both again at once. The new helper reads the scripts and runs what has no undo. What
// has one waits, and so does the undo of the command that still runs.
func TestAHelperAfterAnother(t *testing.T) {
	w := newWorld(t)
	slow := engine.Invocation{Argv: []string{w.program, "bear"}, Undo: []string{w.program, "unslow"}}
	w.declare(`sesame.command { "` + w.program + `", "bear", undo = { "` + w.program + `", "unslow" } }`)
	write(t, w.dir, "program", "#!/bin/sh\nprintf '%s\\n' \"$*\" >>"+w.ran+"\n[ \"$1\" != bear ] || while [ ! -e "+w.ran+".go ]; do sleep 0.05; done\n")
	first := w.start()
	_, _, err := first.read(t.Context())
	must(t, err)
	go first.Run(t.Context(), w.command(slow, nil), func(effect.Output, error) {})
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	first.close()
	earlier := w.process

	h := w.host()
	c := h.connect()
	_, trouble, err := c.read(t.Context())
	if must(t, err); trouble != "" {
		t.Errorf("trouble: %s", trouble)
	}
	if got := c.done(t.Context(), w.command(w.ask, map[string]string{"port": "22", "door": "ssh"})); got != "" {
		t.Errorf("a command without an undo: %s", got)
	}
	if h.isOpen() {
		t.Error("two helpers have the journal")
	}
	results := make(chan error, 2)
	for _, command := range []effect.Command{undoing(slow.Undo...), w.command(w.ban, banned(alice))} {
		go c.Run(t.Context(), command, func(_ effect.Output, err error) { results <- err })
	}
	gone := h.connect() // and its daemon is killed, too
	must(t, gone.Settle(nil))
	go gone.Run(t.Context(), undoing("/x"), func(_ effect.Output, err error) { results <- err })
	gone.close()
	if err := <-results; !errors.Is(err, ErrGone) {
		t.Errorf("an undo of a daemon that is gone: %v", err)
	}
	w.wantLog("bear", "ask 22 ssh")
	write(t, w.dir, "ran.go", "")
	must(t, <-results, <-results)
	if _, err := earlier.Wait(); err != nil {
		t.Error(err)
	}
	if got := w.log(); len(got) != 2 {
		t.Errorf("ran %q", got)
	}
	h.applied()
}
