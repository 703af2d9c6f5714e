package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"sesame/daemon/engine"
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
	Time    int64    // Unix nanoseconds
	Scripts *Scripts `json:",omitzero"`
	*Input
	Records  []wire.Record `json:",omitzero"`
	Facts    []fact        `json:",omitzero"`
	Timeouts []timeout     `json:",omitzero"`
}

func (in *Input) payload() ([]byte, error) {
	w := inputJSON{Time: in.Time.UnixNano(), Input: in}
	if in.Kind == InputFacts {
		w.Facts = factsOf(in.Asked)
	}
	if in.Kind == InputTimeouts {
		w.Timeouts = timeoutsOf(in.Timeouts)
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
	if kind < InputTick || kind > InputContinue {
		return nil, fmt.Errorf("its kind is %d, which this version does not know", kind)
	}
	in := &Input{Kind: kind}
	w := inputJSON{Input: in}
	if err := parse(payload, &w); err != nil {
		return nil, err
	}
	if w.Time < 0 || in.TTL < 0 {
		return nil, errors.New("it has a time that does not exist")
	}
	if kind == InputForget && in.Source.IsValid() && !in.Source.IsSingleIP() {
		return nil, errors.New("it forgets the values of a network: expected an address")
	}
	if kind == InputContinue && (in.Carried == nil || in.Carried.State == nil) {
		return nil, errors.New("it carries nothing")
	}
	in.Time = wire.Time(w.Time)
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
	var err error
	if kind == InputFacts {
		in.Asked, err = askedFrom(w.Facts)
	}
	if kind == InputTimeouts {
		in.Timeouts, err = timeoutsFrom(w.Timeouts)
	}
	return in, err
}
