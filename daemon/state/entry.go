package state

import (
	"cmp"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// An entry is one line of a journal. Exactly one of its fields is set.
//
// Times are Unix nanoseconds of engine time. The last Offset in the file plus a time is the
// wall-clock time. So one line after a step of the wall clock corrects every line before it.
type entry struct {
	Header       *header        `json:"header,omitempty"`
	Offset       *int64         `json:"offset,omitempty"` // wall clock less engine time
	Grant        *grantEntry    `json:"grant,omitempty"`
	Ended        uint64         `json:"ended,omitempty"` // the id of a grant
	Value        *valueEntry    `json:"value,omitempty"`
	Consumed     *wire.Consumed `json:"spent,omitempty"`  // one line for each use
	CommentedOut *wire.Consumed `json:"marked,omitempty"` // one line for each use that is commented out in its file
	Newer        *newerEntry    `json:"newer,omitempty"`  // what an older version did not understand
}

// A header is the first line of a file.
type header struct {
	What    string `json:"what"`
	Version int    `json:"version"`

	// ID is made at random each time that a journal is written anew, as each program does with its
	// first record. The file of attempts has that of its journal, and is not used beside another.
	ID string `json:"id,omitempty"`
}

// A grantEntry is a grant. Version 1 had another name for AnyStatus.
type grantEntry struct {
	wire.Grant
	AnyStatus1 bool `json:"any_status,omitempty"` // only read

	offset *int64 // of its times, when an older version kept it; nil: that of the journal
}

// A valueEntry is a stored value. Version 1 had a member for each type of value.
type valueEntry struct {
	wire.Value
	Bool1   *bool      `json:"bool,omitempty"`   // only read, as the next two
	Number1 *string    `json:"number,omitempty"` // as text
	Text1   *wire.Text `json:"text,omitempty"`

	offset *int64 // as that of a grantEntry
}

// upgrade turns an entry of version 1 into one of this version.
func (e *entry) upgrade() {
	if g := e.Grant; g != nil && g.AnyStatus1 {
		g.AnyStatus, g.AnyStatus1 = true, false
	}
	if v := e.Value; v != nil {
		switch {
		case v.Bool1 != nil:
			v.Value.Value, _ = wire.EncodeScalar(*v.Bool1)
		case v.Text1 != nil:
			v.Value.Value, _ = wire.EncodeScalar(string(*v.Text1))
		case v.Number1 != nil:
			v.Value.Value = wire.Scalar("n" + *v.Number1)
		}
		v.Bool1, v.Number1, v.Text1 = nil, nil, nil
	}
}

// A place is where a value is stored.
type place struct {
	script string
	source netip.Addr
	key    string
}

func (v *valueEntry) place() place { return place{string(v.Script), v.Source, string(v.Key)} }

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.script, other.script), p.source.Compare(other.source), cmp.Compare(p.key, other.key))
}

func compareConsumed(a, b wire.Consumed) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

// encode returns a record as an entry. Engine time is now.
func encode(r engine.Record, now int64) (entry, error) {
	w, err := r.Wire()
	switch {
	case err != nil:
		return entry{}, err
	case w.Grant != nil && w.Ended:
		return entry{Ended: w.Grant.ID}, nil
	case w.Grant != nil:
		return entry{Grant: &grantEntry{Grant: *w.Grant}}, nil
	case w.Consumed != nil && w.Ended:
		return entry{CommentedOut: w.Consumed}, nil
	case w.Consumed != nil:
		return entry{Consumed: w.Consumed}, nil
	}
	v := &valueEntry{Value: *w.Value}
	if until := v.Expires(); until != wire.Forever {
		v.TTL = time.Duration(max(wire.Add(until, -time.Duration(now)), 1))
	}
	return entry{Value: v}, nil
}

// wire returns the record that an entry is.
func (e *entry) wire() *wire.Record {
	w := &wire.Record{Consumed: e.Consumed}
	if e.Ended != 0 {
		w.Grant, w.Ended = &wire.Grant{ID: e.Ended}, true
	}
	if e.Grant != nil {
		w.Grant = &e.Grant.Grant
	}
	if e.Value != nil {
		w.Value = &e.Value.Value
	}
	return w
}
