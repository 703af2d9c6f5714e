package sandbox

import (
	"sync/atomic"
	"time"
)

// This file ends a call that takes too long by the clock. No other file of the package knows time.

// A backstop sets a flag when a call has taken too long. The budget looks at the flag wherever it
// counts, so the call ends at its next instruction, or at the next charge of a library function. It
// cannot end a function of Go between two charges.
type backstop struct {
	after time.Duration // 0: calls may take any time
	timer *time.Timer   // nil: none was needed, or the last one fired
	late  *atomic.Bool  // that the timer sets
}

// never is the flag of calls that may take any time.
var never atomic.Bool

// begin returns the flag that is set when the call that begins has taken too long.
func (b *backstop) begin() *atomic.Bool {
	switch {
	case b.after <= 0:
		return &never
	case b.timer == nil:
		late := new(atomic.Bool)
		b.late, b.timer = late, time.AfterFunc(b.after, func() { late.Store(true) })
	default:
		b.timer.Reset(b.after)
	}
	return b.late
}

// end ends the call. A timer that fired may set its flag later, so the next call gets another flag.
func (b *backstop) end() {
	if b.timer != nil && !b.timer.Stop() {
		b.timer = nil
	}
}
