package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// A Handler is the scripted part of a door or a timer. It is called synchronously. It decides,
// and the engine acts.
//
// An error refuses the knock at hand and nothing else. A [*Fault] names the line that failed.
type Handler interface {
	Handle(*Call) (Decision, error)
}

// A Call is what a handler may know of the event that it decides on. It is read-only, and valid
// only during the call, with everything that it points to.
type Call struct {
	Kind   CallKind
	Door   *Door // nil for CallTimer when the door is gone
	Source netip.Addr

	Stage, Stages int
	Reason        Reason // of CallMiss and CallClose

	// Packet is the knock at hand; nil when a timer caused the call.
	Packet *packet.Packet
	Grant  *Grant // of CallClose

	Script string // path of the file whose function is called
	Owner  string // under which that file keeps values
	// Name and Value are set for CallTimer alone; Value as in [After].
	Name  string
	Value any

	Time time.Time // engine time: for durations
	Wall time.Time // what the clock on the wall shows: for time of day
	// ClockDoubt means that Wall may be wrong: see [Engine.Clock].
	ClockDoubt bool
	Store      *Store
	Facts      Facts  // nil: nothing is known
	Seed       uint64 // for randomness: the same in every replay, different in every call

	engine   *Engine // nil in tests of conditions: nobody has a grant, and no door was completed
	observes bool    // what follows is decided and not done
}

// Granted returns for how long the source, or a network around it, has a grant of a door. False:
// it has none. What was only observed counts for observers alone.
func (c *Call) Granted(door string) (time.Duration, bool) {
	if c.engine == nil {
		return 0, false
	}
	left := c.engine.grants.held(door, c.Source, c.observes).Sub(c.Time)
	return left, left > 0
}

// Priced reports whether an allow and a command cost the function what they make the engine and the
// transcript do. In an engine that an older version began they cost nothing, and its recordings
// must be decided as they were.
func (c *Call) Priced() bool { return c.engine == nil || c.engine.priced }

// Completed reports whether a completion is there. It need not be of the source.
func (c *Call) Completed(wanted Completion) bool {
	return c.engine != nil && c.engine.completer(wanted, c.observes).IsValid()
}

// Check checks a condition. Whatever checks conditions during a call does it here, so that all of
// them are seen: see [Engine.Checked].
func (c *Call) Check(one Condition) (Verdict, error) {
	v, err := one.Check(c)
	if c != nil && c.engine != nil && c.engine.checked != nil && err == nil {
		c.engine.checked(one, v.Outcome)
	}
	if c != nil && c.engine != nil && c.engine.traced != nil && c.engine.packet != nil && err == nil {
		c.testCondition(one, &v)
	}
	return v, err
}

// Ask asks for a fact.
func (c *Call) Ask(q Question) Answer {
	if c.Facts == nil {
		return Answer{}
	}
	return c.Facts.Answer(q)
}

// A CallKind is the reason why a handler is called.
type CallKind uint8

const (
	CallWhen  CallKind = iota + 1 // a sequence is complete: may it open?
	CallStage                     // an attempt reached its second stage or a later one
	CallOpen                      // a sequence is complete and its conditions hold
	CallMiss                      // an attempt of two stages or more ended unfinished
	CallClose                     // a grant ended
	CallKnock                     // a packet reached a listener
	CallTimer                     // delayed work is due
)

// A Decision is what a handler decided. The zero Decision allows, and changes nothing. Its
// operations are applied in order, all of them or none. This holds for a refusal too, which
// must not give access.
type Decision struct {
	Refused    bool
	Verdict    Verdict // why refused: all but its outcome
	Operations []Operation
}
