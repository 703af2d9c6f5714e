package state

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A wire is one line of a journal: one of its fields is set. Times in a journal
// are Unix nanoseconds of the engine that wrote it; the last Offset in the file
// leads from there to the wall clock. A step of the clock so moves all that was
// written before it.
type wire struct {
	Header *header    `json:"header,omitempty"`
	Offset *int64     `json:"offset,omitempty"` // wall clock less engine time
	Grant  *wireGrant `json:"grant,omitempty"`
	Ended  uint64     `json:"ended,omitempty"` // the id of a grant
	Value  *wireValue `json:"value,omitempty"`
	Spent  *wireSpent `json:"spent,omitempty"`
	Marked *wireSpent `json:"marked,omitempty"`
}

// A header is the first line of a file.
type header struct {
	What    string `json:"what"`
	Version int    `json:"version"`
}

type wireGrant struct {
	ID      uint64        `json:"id"`
	Door    engine.Text   `json:"door,omitempty"`
	By      netip.Addr    `json:"by,omitzero"`
	Source  netip.Prefix  `json:"source,omitzero"`
	Port    string        `json:"port,omitempty"`
	Argv    []engine.Text `json:"argv,omitzero"`
	Undo    []engine.Text `json:"undo,omitzero"`
	Timeout time.Duration `json:"timeout,omitempty"`
	Any     bool          `json:"any_status,omitempty"`
	TTL     time.Duration `json:"ttl,omitempty"`
	End     int64         `json:"end"`
}

// A wireSpent is a line of one-time sequences that was used; so many lines of the
// journal say so as there were uses, and as many that it was marked.
type wireSpent struct {
	File engine.Text `json:"file"`
	Line engine.Text `json:"line"`
}

type wireValue struct {
	Script engine.Text `json:"script"`
	Source netip.Addr  `json:"source,omitzero"`
	Key    engine.Text `json:"key"`
	// One of the three is set, or none when the value is forgotten.
	Bool   *bool        `json:"bool,omitempty"`
	Number *string      `json:"number,omitempty"` // as text: JSON has no infinity
	Text   *engine.Text `json:"text,omitempty"`
	Until  *int64       `json:"until,omitempty"` // nil: for ever
	// TTL is how long it was to be kept when it was written; 0: for ever.
	TTL time.Duration `json:"ttl,omitempty"`
}

// A place is where a value is stored.
type place struct {
	script string
	source netip.Addr
	key    string
}

func (v *wireValue) place() place { return place{string(v.Script), v.Source, string(v.Key)} }

func (v *wireValue) forgotten() bool { return v.Bool == nil && v.Number == nil && v.Text == nil }

// encode returns a record as a line. Engine time is now.
func encode(r engine.Record, now int64) (wire, error) {
	switch {
	case r.Consumed != nil && r.Grant == nil && r.Store == nil:
		return encodeSpent(r), nil
	case r.Consumed != nil || (r.Grant == nil) == (r.Store == nil):
		return wire{}, errors.New("a record of a grant, a value or a sequence was expected")
	case r.Grant != nil && r.Grant.ID == 0:
		return wire{}, errors.New("a grant without an id")
	case r.Ended:
		return wire{Ended: r.Grant.ID}, nil
	case r.Grant != nil:
		g, err := encodeGrant(r.Grant)
		return wire{Grant: g}, err
	}
	v, err := encodeValue(r, now)
	return wire{Value: v}, err
}

func encodeSpent(r engine.Record) wire {
	s := &wireSpent{engine.Text(r.Consumed.File), engine.Text(r.Consumed.Line)}
	if r.Ended {
		return wire{Marked: s}
	}
	return wire{Spent: s}
}

func encodeGrant(g *engine.Grant) (*wireGrant, error) {
	port := ""
	if g.Port != (packet.Port{}) {
		port = g.Port.String()
		if back, err := packet.ParsePort(port); err != nil || back != g.Port {
			return nil, fmt.Errorf("grant %d: the port %s cannot be kept", g.ID, port)
		}
	}
	if !g.Source.IsValid() && g.Source != (netip.Prefix{}) {
		return nil, fmt.Errorf("grant %d: its source is no network", g.ID)
	}
	return &wireGrant{
		ID: g.ID, Door: engine.Text(g.Door), By: g.By, Source: g.Source, Port: port,
		Argv: convert[engine.Text](g.Argv), Undo: convert[engine.Text](g.Undo),
		Timeout: g.Timeout, Any: g.AnyStatus, TTL: g.TTL, End: nanoseconds(g.End),
	}, nil
}

func (g *wireGrant) decode() (*engine.Grant, error) {
	port := packet.Port{}
	if g.Port != "" {
		var err error
		if port, err = packet.ParsePort(g.Port); err != nil {
			return nil, err
		}
	}
	return &engine.Grant{
		ID: g.ID, Door: string(g.Door), By: g.By, Source: g.Source, Port: port,
		Argv: convert[string](g.Argv), Undo: convert[string](g.Undo),
		Timeout: g.Timeout, AnyStatus: g.Any, TTL: g.TTL, End: at(g.End),
	}, nil
}

func encodeValue(r engine.Record, now int64) (*wireValue, error) {
	v := &wireValue{Script: engine.Text(r.Script), Source: r.Source, Key: engine.Text(r.Store.Key)}
	switch value := r.Store.Value.(type) {
	case nil:
		return v, nil
	case bool:
		v.Bool = &value
	case float64:
		v.Number = new(strconv.FormatFloat(value, 'g', -1, 64))
	case string:
		v.Text = new(engine.Text(value))
	default:
		return nil, fmt.Errorf("value %q: a %T cannot be kept", r.Store.Key, value)
	}
	if until := nanoseconds(r.Store.Until); !r.Store.Until.IsZero() && until != forever {
		v.Until = &until
		v.TTL = time.Duration(max(sum(until, -now), 1))
	}
	return v, nil
}

func (v *wireValue) decode() (engine.Record, error) {
	put := &engine.Put{PerSource: v.Source.IsValid(), Key: string(v.Key)}
	switch {
	case v.Bool != nil:
		put.Value = *v.Bool
	case v.Text != nil:
		put.Value = string(*v.Text)
	case v.Number != nil:
		n, err := strconv.ParseFloat(*v.Number, 64)
		if err != nil {
			return engine.Record{}, err
		}
		put.Value = n
	}
	if v.Until != nil {
		put.Until = at(*v.Until)
	}
	return engine.Record{Store: put, Script: string(v.Script), Source: v.Source}, nil
}

// convert converts each string of a list, and leaves nil what was nil.
func convert[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, s := range list {
		converted[i] = To(s)
	}
	return converted
}

// forever is a time that no offset moves.
const forever = math.MaxInt64

// at returns ns as a time, in UTC.
func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// nanoseconds is the opposite of at. What is too late or too early to be held is
// the latest or the earliest that is.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.After(at(forever)):
		return forever
	case t.Before(at(math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixNano()
}

// sum returns ns + by, or the nearest that fits. Forever stays forever.
func sum(ns, by int64) int64 {
	switch s := ns + by; {
	case ns == forever:
		return forever
	case by > 0 && s < ns:
		return forever
	case by < 0 && s > ns:
		return math.MinInt64
	default:
		return s
	}
}
