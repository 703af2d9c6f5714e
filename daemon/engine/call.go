package engine

import (
	"fmt"
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// A Handler is the scripted part of a door or a timer. It is called
// synchronously, and decides; the engine acts.
//
// An error refuses the knock at hand and nothing else. A [*Fault] names the
// line that failed.
type Handler interface {
	Handle(*Call) (Decision, error)
}

// A Condition is one thing that must hold for a door to open: a window of time,
// a list of networks, a script's function.
type Condition interface {
	// Check decides. An error refuses, as a handler's does.
	Check(*Call) (Verdict, error)
	// String returns the condition as "NAME: its text", for reasons and reports.
	String() string
}

// A Verdict says yes, or no and why. The zero Verdict is no.
type Verdict struct {
	OK     bool
	Detail string
}

// A Call is what a handler may know. It is read-only, and valid during the
// call alone, with everything that it points to.
type Call struct {
	Kind   CallKind
	Door   *Door // nil for CallTimer when the door is gone
	Source netip.Addr

	Stage, Stages int
	Reason        Reason // of CallMiss and CallClose

	// Packet is the knock at hand; nil when a timer caused the moment.
	Packet *packet.Packet
	Grant  *Grant // of CallClose

	Script string // that is asked
	// Name and Value are set for CallTimer alone; Value as in [After].
	Name  string
	Value any

	Time  time.Time // engine time: for durations
	Wall  time.Time // what the clock on the wall shows: for time of day
	Store *Store
	Seed  uint64 // for randomness: the same in every replay, different in every moment
}

// A CallKind says when a handler is called.
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

// A Decision is what a handler decided. The zero Decision allows, and changes nothing.
// Its operations are applied in order, all of them or none; when it refuses,
// too, and then Allow may not be among them.
type Decision struct {
	Refused    bool
	Detail     string // why refused
	Operations []Operation
}

// An Operation is one of Allow, Exec, Close, Log, After and Put.
type Operation interface{ operation() }

// Allow lets the source reach ports for a while. Legal in CallOpen and
// CallKnock alone: access follows a completed sequence, nothing else.
type Allow struct {
	Ports []packet.Port // empty: the door's guards
	TTL   time.Duration // zero: the door's
	// Bits4 and Bits6 widen the grant to a network around the source; zero
	// means the address alone.
	Bits4, Bits6 int
}

// Exec runs a command. With an Undo it is a grant: at its end Undo runs. Such
// a one is not legal in CallClose, where it could go on for ever.
type Exec struct {
	Argv    []string
	Undo    []string      // nil: nothing to undo
	TTL     time.Duration // until the undo; zero: the door's
	Timeout time.Duration // of each run, above zero
	// AnyStatus says that a run which fails is told and counts as done all the
	// same, that of Undo too: see [CommandError].
	AnyStatus bool
}

// Close ends the grants that the source has from a door.
type Close struct{ Door string }

// Log is a line for people.
type Log struct{ Text string }

// After calls the timer that is registered under Name in the same script, after
// a Delay of at least a second. Value is nil, a bool, a float64 or a string.
type After struct {
	Delay time.Duration
	Name  string
	Value any
}

// Put stores a value, or forgets it when Value is nil. Value is a bool, a
// float64 or a string.
type Put struct {
	PerSource bool
	Key       string
	Value     any
	Until     time.Time // zero: for ever
}

func (Allow) operation() {}
func (Exec) operation()  {}
func (Close) operation() {}
func (Log) operation()   {}
func (After) operation() {}
func (Put) operation()   {}

// A Fault is a handler's error with its place.
type Fault struct {
	Script string
	Line   int // 0: not known
	Detail string
}

// Error returns "script:line: detail".
func (f *Fault) Error() string {
	if f.Line == 0 {
		return f.Script + ": " + f.Detail
	}
	return fmt.Sprintf("%s:%d: %s", f.Script, f.Line, f.Detail)
}

// A CommandError says that a command ran, and failed. Any other error of an
// effect means that it was not done.
type CommandError struct {
	Status int    // with which it exited; below zero when it did not exit by itself
	Text   string // for people
}

// Error returns the text.
func (e *CommandError) Error() string { return e.Text }
