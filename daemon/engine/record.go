package engine

import (
	"net/netip"
)

// A Record is what must survive a restart: a grant with its undo, a stored value, or a one-time
// sequence that was consumed. Exactly one of Grant, Store and Consumed is set.
type Record struct {
	Grant *Grant
	// Ended means that the grant is over and no undo is pending, or that the line of Consumed
	// is commented out, so that the file remembers it. The record may be deleted then. But no
	// id of a grant may be given twice, so the record with the highest id must stay.
	Ended bool
	Store *Put
	// Script and Source identify the owner of the value Store: the name of the script, and the
	// source, invalid for a value that all sources share.
	Script   string
	Source   netip.Addr
	Consumed *Consumed
}

// A Consumed is a one-time sequence that was consumed.
type Consumed struct {
	File string // that it is from
	Line string // as the file had it
}
