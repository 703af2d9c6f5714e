package engine

import (
	"net/netip"
)

func (c cause) line() int {
	if c.door == nil {
		return 0
	}
	return c.door.Line
}

// A cause is what a handler is asked about, and what its reply answers.
type cause struct {
	kind   CallKind
	door   *Door // nil for a timer and for a person
	name   string
	script string
	source netip.Addr
	depth  int // how many operations on other doors led here
	// observed says that it comes from a time when the door only observed.
	observed bool
	batch    *batch // that the effects of the reply follow; nil: they make one of their own
}

// observes reports whether what c leads to is decided and not done.
func (c cause) observes() bool { return c.observed || c.door != nil && c.door.Observe }

func causeOf(kind CallKind, d *Door, source netip.Addr) cause {
	return cause{kind: kind, door: d, name: d.Name, script: d.Script, source: source}
}

// refusable reports whether there is a knock that a no would refuse.
func (c cause) refusable() bool {
	switch c.kind {
	case CallWhen, CallStage, CallOpen, CallKnock:
		return true
	case CallMiss, CallClose, CallTimer:
	}
	return false
}
