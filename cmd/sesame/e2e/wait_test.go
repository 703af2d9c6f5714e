//go:build linux

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// patience is how long what must happen is waited for, on a machine that has much else to do.
const patience = time.Minute

// eventually waits for a condition.
func (w *world) eventually(what string, condition func() bool) {
	w.Helper()
	err := eventually(func() (bool, string) { return condition(), what })
	if err == nil {
		return
	}
	if w.daemon == nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	s, failed := w.client().Status(ctx)
	w.Fatalf("%v\nwhat was counted: %+v, %+v (%v)", err, s.Counts, s.Capture, failed)
}

// eventually waits for a condition. Its error names the condition. It looks less often when that
// takes long, because to ask a daemon takes time of the processor that others here wait for.
func eventually(condition func() (bool, string)) error {
	const first, last = 5 * time.Millisecond, 40 * time.Millisecond
	deadline := time.Now().Add(patience)
	for wait := first; ; wait = min(wait*5/4, last) {
		yes, missing := condition()
		switch {
		case yes:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("not in %v: %s", patience, missing)
		}
		<-time.After(wait)
	}
}

// pass waits, in a test of what must not happen in the meantime.
func (w *world) pass(d time.Duration) { <-time.After(d) }

// logged waits until the daemon has logged a text.
func (w *world) logged(text string) {
	w.Helper()
	w.eventually("the log has "+text, func() bool { return strings.Contains(w.log(), text) })
}
