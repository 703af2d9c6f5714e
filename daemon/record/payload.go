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

// This file encodes inputs and snapshots as JSON, and decodes them.

// Bounds of the JSON of one input: bytes, objects, values. They keep the memory of a reader near
// that of the recorded engine, whatever a stranger's file holds.
const (
	maxPayload = 256 << 20
	maxObjects = 1 << 21
	maxCommas  = 1 << 24
)

// inputJSON is the payload of an Input. Its keys are the names of the fields.
type inputJSON struct {
	Time    int64          // Unix nanoseconds
	Scripts *Scripts       `json:",omitzero"`
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

func (in *Input) payload() ([]byte, error) {
	w := inputJSON{
		Time: in.Time.UnixNano(), ID: in.ID, Error: wire.Text(in.Error), Ran: in.Ran, Status: in.Status,
		Source: in.Source, Port: wire.Port(in.Port), TTL: in.TTL, Local: in.Local, Offset: in.Offset,
	}
	if in.Kind == InputSet {
		w.Scripts = &in.Scripts
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

// parse decodes JSON that may come from a stranger's file.
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
	s := &Snapshot{}
	if err := parse(payload, s); err != nil {
		return nil, err
	}
	if s.State == nil {
		return nil, errors.New("it has no state")
	}
	return s, nil
}

func readInput(kind Kind, payload []byte) (*Input, error) {
	if kind < InputTick || kind > InputShutdown {
		return nil, fmt.Errorf("its kind is %d, which this version does not know", kind)
	}
	var w inputJSON
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
		in.Scripts = *w.Scripts
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
