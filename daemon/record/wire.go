package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file writes inputs and snapshots as JSON, and reads them back.

// What the JSON of one input may hold, so that no file makes its reader use much
// more memory than the engine that is recorded has: bytes, objects, values.
const (
	maxPayload = 256 << 20
	maxObjects = 1 << 21
	maxCommas  = 1 << 24
)

// written is an Input as it stands in a file.
type written struct {
	Time    int64          // Unix nanoseconds
	Scripts *scripts       `json:",omitzero"`
	ID      uint64         `json:",omitzero"`
	Error   engine.Text    `json:",omitzero"`
	Ran     bool           `json:",omitzero"`
	Status  int            `json:",omitzero"`
	Source  netip.Prefix   `json:",omitzero"`
	Port    packet.Port    `json:",omitzero"`
	TTL     time.Duration  `json:",omitzero"`
	Records []outlived     `json:",omitzero"`
	Local   []netip.Prefix `json:",omitzero"`
	Offset  time.Duration  `json:",omitzero"`
}

// outlived is an [engine.Record].
type outlived struct {
	Grant *engine.GrantState `json:",omitzero"`
	Ended bool               `json:",omitzero"`
	Value *engine.ValueState `json:",omitzero"`
	Spent *spent             `json:",omitzero"`
}

// spent is an [engine.Spent].
type spent struct{ File, Line engine.Text }

// begun is a Snapshot.
type begun struct {
	Scripts scripts
	State   *engine.State
}

type scripts struct {
	Files   []file
	Single  engine.Text `json:",omitzero"`
	Base    engine.Text `json:",omitzero"`
	Values  []value     `json:",omitzero"`
	Observe bool        `json:",omitzero"`
}

type file struct{ Path, Source engine.Text }

type value struct{ Name, Value engine.Text }

func (in *Input) payload() ([]byte, error) {
	w := written{
		Time: in.Time.UnixNano(), ID: in.ID, Error: engine.Text(in.Error), Ran: in.Ran, Status: in.Status,
		Source: in.Source, Port: in.Port, TTL: in.TTL, Local: in.Local, Offset: in.Offset,
	}
	if in.Kind == InputSet {
		w.Scripts = in.Scripts.written()
	}
	for _, r := range in.Records {
		o := outlived{Ended: r.Ended}
		if r.Grant != nil {
			g := engine.KeepGrant(*r.Grant)
			o.Grant = &g
		}
		if r.Store != nil {
			v := engine.KeepValue(r.Script, r.Source, *r.Store)
			o.Value = &v
		}
		if r.Consumed != nil {
			o.Spent = &spent{engine.Text(r.Consumed.File), engine.Text(r.Consumed.Line)}
		}
		w.Records = append(w.Records, o)
	}
	return json.Marshal(w)
}

func (s Scripts) written() *scripts {
	w := &scripts{Single: engine.Text(s.Single), Base: engine.Text(s.Base), Observe: s.Observe}
	for _, f := range s.Files {
		w.Files = append(w.Files, file{engine.Text(f.Path), engine.Text(f.Source)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		w.Values = append(w.Values, value{engine.Text(name), engine.Text(s.Values[name])})
	}
	return w
}

func (w *scripts) read() Scripts {
	s := Scripts{Single: string(w.Single), Base: string(w.Base), Values: map[string]string{}, Observe: w.Observe}
	for _, f := range w.Files {
		s.Files = append(s.Files, File{string(f.Path), []byte(f.Source)})
	}
	for _, v := range w.Values {
		s.Values[string(v.Name)] = string(v.Value)
	}
	return s
}

// parse reads JSON that may come from a stranger.
func parse(payload []byte, into any) error {
	if bytes.Count(payload, []byte("{")) > maxObjects || bytes.Count(payload, []byte(",")) > maxCommas {
		return errors.New("it holds more than an engine does")
	}
	if err := json.Unmarshal(payload, into); err != nil {
		return fmt.Errorf("reading its JSON: %w", err)
	}
	return nil
}

func readSnapshot(payload []byte) (*Snapshot, error) {
	var b begun
	if err := parse(payload, &b); err != nil {
		return nil, err
	}
	if b.State == nil {
		return nil, errors.New("it has no state")
	}
	return &Snapshot{b.State, b.Scripts.read()}, nil
}

func readInput(kind Kind, payload []byte) (*Input, error) {
	if kind < InputTick || kind > InputShutdown {
		return nil, fmt.Errorf("its kind is %d, which this version does not know", kind)
	}
	var w written
	if err := parse(payload, &w); err != nil {
		return nil, err
	}
	if w.Time < 0 || w.Port.Proto > packet.ICMP || w.TTL < 0 {
		return nil, errors.New("it has a time or a port that does not exist")
	}
	in := &Input{
		Kind: kind, Time: time.Unix(0, w.Time).UTC(), ID: w.ID, Error: string(w.Error), Ran: w.Ran, Status: w.Status,
		Source: w.Source, Port: w.Port, TTL: w.TTL, Local: w.Local, Offset: w.Offset,
	}
	if kind == InputSet {
		if w.Scripts == nil {
			return nil, errors.New("it has no scripts")
		}
		in.Scripts = w.Scripts.read()
	}
	for i := range w.Records {
		r, err := w.Records[i].read()
		if err != nil {
			return nil, err
		}
		in.Records = append(in.Records, r)
	}
	return in, nil
}

func (o *outlived) read() (engine.Record, error) {
	r := engine.Record{Ended: o.Ended}
	switch {
	case o.Grant != nil:
		if o.Grant.ID > math.MaxInt64 || o.Grant.Port.Proto > packet.ICMP {
			return r, fmt.Errorf("it restores grant %d, which cannot be", o.Grant.ID)
		}
		g := o.Grant.Grant()
		r.Grant = &g
	case o.Value != nil:
		p, err := o.Value.Put()
		if err != nil {
			return r, fmt.Errorf("it restores the value of %q: %w", o.Value.Key, err)
		}
		r.Store, r.Script, r.Source = &p, string(o.Value.Script), o.Value.Source
	case o.Spent != nil:
		r.Consumed = &engine.Consumed{File: string(o.Spent.File), Line: string(o.Spent.Line)}
	}
	return r, nil
}
