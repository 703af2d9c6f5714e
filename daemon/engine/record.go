package engine

import (
	"net/netip"
)

// A Record is what must survive a restart: a grant with its undo, a value
// that a script stored, or a sequence that was used. Exactly one of Grant, Store
// and Consumed is set.
type Record struct {
	Grant *Grant
	// Ended says that the grant is over, and that nothing is owed for it any
	// more. Its id stays taken: who keeps records keeps that of the highest id,
	// or an ended one in its place, so that no id is given twice.
	Ended bool
	Store *Put
	// Script and Source are the place of Store; Source is invalid for a value
	// of the whole script.
	Script string
	Source netip.Addr
	// Consumed is a one-time sequence that was used. Ended says that its line is
	// marked, so that the file remembers it.
	Consumed *Consumed
}

// Consumed is a one-time sequence that was used.
type Consumed struct {
	File string // that it is from
	Line string // as the file had it
}
