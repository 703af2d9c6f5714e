package engine

import "net/netip"

// A cause is why a handler is called, and for whom its decision is carried out.
type cause struct {
	kind    CallKind
	door    *Door // nil for a timer and for a person
	name    string
	script  string // path of the file
	owner   string // under which it keeps values and delays
	handler string // of CallTimer
	source  netip.Addr
	depth   int // how many closes of other doors led here; see maxDepth
	// observed means that the door only observed when this began, whatever it does now.
	observed bool
	batch    *batch // that the effects of the decision continue; nil: they make one of their own
}

// observes reports whether what follows is decided and not done.
func (c cause) observes() bool { return c.observed || c.door != nil && c.door.Observe }

// causeOf returns the cause of a call of door d.
func causeOf(kind CallKind, d *Door, source netip.Addr) cause {
	return cause{kind: kind, door: d, name: d.Name, script: d.Script, owner: d.owner(), source: source}
}

// refusable reports whether a knock is at hand that a refusal would stop.
func (c cause) refusable() bool {
	switch c.kind {
	case CallWhen, CallStage, CallOpen, CallKnock:
		return true
	case CallMiss, CallClose, CallTimer:
	}
	return false
}

// line returns the line of the door, 0 when it is not known.
func (c cause) line() int {
	if c.door == nil {
		return 0
	}
	return c.door.Line
}
