package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
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
	Error   wire.Text      `json:",omitzero"`
	Ran     bool           `json:",omitzero"`
	Status  int            `json:",omitzero"`
	Source  netip.Prefix   `json:",omitzero"`
	Port    wire.Port      `json:",omitzero"`
	TTL     time.Duration  `json:",omitzero"`
	Records []wire.Record  `json:",omitzero"`
	Local   []netip.Prefix `json:",omitzero"`
	Offset  time.Duration  `json:",omitzero"`
}

// begun is a Snapshot.
type begun struct {
	Scripts scripts
	State   *engine.State
}

type scripts struct {
	Files   []wire.File
	Single  wire.Text     `json:",omitzero"`
	Base    wire.Text     `json:",omitzero"`
	Values  []wire.Option `json:",omitzero"`
	Observe bool          `json:",omitzero"`
}

func (in *Input) payload() ([]byte, error) {
	w := written{
		Time: in.Time.UnixNano(), ID: in.ID, Error: wire.Text(in.Error), Ran: in.Ran, Status: in.Status,
		Source: in.Source, Port: wire.Port(in.Port), TTL: in.TTL, Local: in.Local, Offset: in.Offset,
	}
	if in.Kind == InputSet {
		w.Scripts = in.Scripts.written()
	}
	for i := range in.Records {
		r, err := in.Records[i].Wire()
		if err != nil {
			return nil, err
		}
		w.Records = append(w.Records, r)
	}
	return json.Marshal(w)
}

func (s Scripts) written() *scripts {
	w := &scripts{Single: wire.Text(s.Single), Base: wire.Text(s.Base), Values: wire.Options(s.Values), Observe: s.Observe}
	for _, f := range s.Files {
		w.Files = append(w.Files, wire.File{Path: wire.Text(f.Path), Source: wire.Text(f.Source)})
	}
	return w
}

func (w *scripts) read() Scripts {
	s := Scripts{Single: string(w.Single), Base: string(w.Base), Values: wire.OptionValues(w.Values), Observe: w.Observe}
	for _, f := range w.Files {
		s.Files = append(s.Files, File{string(f.Path), []byte(f.Source)})
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
	if w.Time < 0 || w.TTL < 0 {
		return nil, errors.New("it has a time that does not exist")
	}
	in := &Input{
		Kind: kind, Time: time.Unix(0, w.Time).UTC(), ID: w.ID, Error: string(w.Error), Ran: w.Ran, Status: w.Status,
		Source: w.Source, Port: packet.Port(w.Port), TTL: w.TTL, Local: w.Local, Offset: w.Offset,
	}
	if kind == InputSet {
		if w.Scripts == nil {
			return nil, errors.New("it has no scripts")
		}
		in.Scripts = w.Scripts.read()
	}
	for i := range w.Records {
		r, err := engine.RecordFrom(&w.Records[i])
		if err != nil {
			return nil, fmt.Errorf("it restores %w", err)
		}
		in.Records = append(in.Records, r)
	}
	return in, nil
}
