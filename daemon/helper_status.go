package daemon

import (
	"strings"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/privileged"
)

// maxLostUndos bounds the undos that the status names as lost, and those that failed. The log has
// all.
const maxLostUndos = 20

// A lostUndo is an undo that the helper does not owe.
type lostUndo struct {
	argv []string
	door string
	at   time.Time // engine time
}

// noteLost tells of an undo that the helper refused since it knows of no command before it. The
// daemon must not say that it ran, and nobody runs it: its command may never have run.
func (h *helper) noteLost(c effect.Command) {
	h.log.Error("an undo was pending that the helper knows nothing of, so it is not run: run it by hand if its command ran",
		"door", c.Door, "source", c.Source.String(), "command", strings.Join(c.Argv, " "))
	h.mu.Lock()
	forget := h.forget
	if h.lost = append(h.lost, lostUndo{c.Argv, c.Door, h.now()}); len(h.lost) > maxLostUndos {
		h.lost = h.lost[1:]
	}
	h.mu.Unlock()
	if forget != nil {
		forget([]engine.Record{{Grant: &engine.Grant{ID: c.Grant}, Ended: true}})
	}
}

// A failedUndo is an undo that the helper ran by itself, and that failed.
type failedUndo struct {
	privileged.FailedUndo
	at time.Time // engine time
}

// noteFailed tells of such an undo: an access may not be over.
func (h *helper) noteFailed(f privileged.FailedUndo) {
	h.log.Error("an undo of the helper that this daemon did not know of failed: run it by hand", "door", f.Door, "command", f.Command, "error", f.Reason)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed = append(h.failed, failedUndo{f, h.now()}); len(h.failed) > maxLostUndos {
		h.failed = h.failed[1:]
	}
}

// helperStatus returns the state of the helper, with times of the wall clock.
func (d *daemon) helperStatus(offset time.Duration) control.Helper {
	h := d.helper
	if h == nil {
		return control.Helper{Unused: d.unhelped}
	}
	s := control.Helper{Used: true}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client == nil && h.why != nil {
		s.Gone, s.Since = h.why.Error(), h.since.Add(offset).UTC()
		s.Final = h.dial == nil
	}
	for _, l := range h.lost {
		s.LostUndos = append(s.LostUndos, control.LostUndo{Door: l.door, Argv: l.argv, At: l.at.Add(offset).UTC()})
	}
	for _, f := range h.failed {
		s.FailedUndos = append(s.FailedUndos, control.FailedUndo{Door: f.Door, Command: f.Command, Reason: f.Reason, At: f.at.Add(offset).UTC()})
	}
	return s
}
