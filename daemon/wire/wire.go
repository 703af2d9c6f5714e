// Package wire turns the grants, values, one-time sequences and effects of an engine into
// plain data with one JSON form, and back.
//
// The journal, recordings and the state of an engine all hold this form, so that it is
// written, read and checked in one place. Strings are [Text], ports are [Port], times are
// Unix nanoseconds of engine time (see [Time]). Whatever is read may come from a stranger's
// file: every type that is read has a check of its bounds.
//
// encoding/json matches the names of members without regard to case. Readers of version 1
// of recordings, which wrote the same names with capitals, rely on that: a name may change
// its case, and nothing else.
package wire

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Version is the version of the form. A file that holds it names it in its header. A program reads
// every version up to its own, and of a later one what it knows: see package state.
//
// Version 1 had two forms. That of the journal is documented in package state; that of
// recordings had a port as an object of two numbers, which [Port] still reads.
const Version = 2

// A Grant is access that was given, or a command that ran and whose undo is pending.
type Grant struct {
	ID        uint64        `json:"id"` // from 1 to math.MaxInt64
	Door      Text          `json:"door,omitempty"`
	By        netip.Addr    `json:"by,omitzero"`
	Source    netip.Prefix  `json:"source,omitzero"` // masked; zero only for a command
	Port      Port          `json:"port,omitzero"`   // zero for a command
	Argv      []Text        `json:"argv,omitzero"`   // nil for access to a port, else not empty
	Undo      []Text        `json:"undo,omitzero"`
	Timeout   time.Duration `json:"timeout,omitempty"`
	AnyStatus bool          `json:"anyStatus,omitempty"`
	// Shared means that grants of other sources share the run and its undo. A program that does
	// not know it runs the undo when the grants of one source are over.
	Shared   bool          `json:"shared,omitempty"`
	Observed bool          `json:"observed,omitempty"`
	TTL      time.Duration `json:"ttl,omitempty"` // not negative
	End      int64         `json:"end"`
	// WindowEnd is when the window ends with which the grant ends: Unix nanoseconds of the wall
	// clock. TTLEnd is when it would end without, in engine time. 0: there is no window. A
	// program that does not know them ends the grant at End.
	WindowEnd int64 `json:"windowEnd,omitempty"`
	TTLEnd    int64 `json:"ttlEnd,omitempty"`
	// Cut means that sessions and flows end with the grant. A program that does not know it lets
	// them go on.
	Cut bool `json:"cut,omitempty"`
}

// Check reports what no engine can have given.
func (g *Grant) Check() error {
	switch {
	case g.ID == 0 || g.ID > math.MaxInt64:
		return fmt.Errorf("grant %d, which cannot be", g.ID)
	case g.Source != g.Source.Masked() || g.Argv == nil && !g.Source.IsValid() || !g.Port.exists():
		return fmt.Errorf("grant %d is for %v and %d/%d: expected a source and a port", g.ID, g.Source, g.Port.Proto, g.Port.Number)
	case g.Argv != nil && len(g.Argv) == 0:
		return fmt.Errorf("grant %d has a command without a name", g.ID)
	case (g.WindowEnd == 0) != (g.TTLEnd == 0) || g.WindowEnd != 0 && g.TTLEnd < g.End:
		return fmt.Errorf("grant %d ends with a window, and later than without", g.ID)
	case g.TTL < 0:
		return fmt.Errorf("grant %d is for %v", g.ID, g.TTL)
	}
	return nil
}

// A Value is a value that a script stored.
type Value struct {
	Script Text       `json:"script"`
	Source netip.Addr `json:"source,omitzero"` // invalid: of the whole script
	Key    Text       `json:"key"`
	Value  Scalar     `json:"value,omitempty"` // empty: the stored value is removed
	Until  int64      `json:"until,omitempty"` // 0 or Forever: it does not expire
	// TTL is how long it was to be stored when this was written; 0: for ever, or not known.
	TTL time.Duration `json:"ttl,omitempty"`
}

// Expires returns when the value expires, Forever when it does not.
func (v *Value) Expires() int64 {
	if v.Until == 0 {
		return Forever
	}
	return v.Until
}

// Consumed is a one-time sequence that was used.
type Consumed struct {
	File Text `json:"file"`
	Line Text `json:"line"` // as the file had it
}

// A Record is what must survive a restart. Exactly one of Grant, Value and Consumed is set.
type Record struct {
	Grant *Grant `json:"grant,omitempty"`
	// Ended means that the grant is over, of which only the ID counts then; or that the line
	// of the one-time sequence is commented out in its file.
	Ended    bool      `json:"ended,omitempty"`
	Value    *Value    `json:"value,omitempty"`
	Consumed *Consumed `json:"spent,omitempty"` // under the name that it had in version 1
}

// Check reports values that no engine writes.
func (r *Record) Check() error {
	set := 0
	for _, is := range []bool{r.Grant != nil, r.Value != nil, r.Consumed != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("a record that is not of one grant, one value or one sequence")
	case r.Grant != nil && r.Ended:
		return (&Grant{ID: r.Grant.ID, Argv: []Text{""}}).Check()
	case r.Grant != nil:
		return r.Grant.Check()
	case r.Value != nil:
		if _, err := DecodeScalar(r.Value.Value); err != nil {
			return fmt.Errorf("the value of %q: %w", string(r.Value.Key), err)
		}
	}
	return nil
}

// An Effect is one effect of a decision that was not answered in full.
type Effect struct {
	ID        uint64
	Effect    uint8 // the number that the engine gives to its kind
	Awaited   bool  // its result has not come yet
	Runs      bool  // it has a command
	AnyStatus bool  `json:",omitempty"` // as the next three, see the engine's Event
	Required  bool  `json:",omitempty"`
	File      Text  `json:",omitempty"`
	Line      Text  `json:",omitempty"`
	Door      Text
	Source    netip.Prefix
	Port      Port   `json:",omitzero"`
	Grant     uint64 // 0: it is for none
	Over      *Grant `json:",omitempty"` // that grant, when it is not live any more
	Was, End  int64  // the ends of the grant before and after; Was is 0 when the effect made it
	// As those of a Grant, before the effect.
	WasWindow int64 `json:",omitempty"`
	WasTTL    int64 `json:",omitempty"`
	// Moved means that the grant's end changed with the wall clock while the result was awaited.
	Moved bool `json:",omitempty"`
}

// Check reports operations that no engine requests. Kinds are the engine's own matter.
func (x *Effect) Check() error {
	if !x.Port.exists() {
		return fmt.Errorf("effect %d is for the port %d/%d, which does not exist", x.ID, x.Port.Proto, x.Port.Number)
	}
	if x.Over != nil {
		return x.Over.Check()
	}
	return nil
}
