package control

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// Chosen names stored values. What is left out chooses all.
type Chosen struct {
	Script wire.Text  `json:"script,omitempty"` // the name under which they are kept: see sesame.script
	Source netip.Addr `json:"source,omitzero"`
	Shared bool       `json:"shared,omitempty"` // those that all sources share; not with Source
	Key    wire.Text  `json:"key,omitempty"`
}

// check also writes the address as the engine does.
func (c *Chosen) check() error {
	c.Source = c.Source.Unmap().WithZone("")
	if c.Shared && c.Source.IsValid() {
		return errors.New("a source, and what all sources share: expected one of them")
	}
	return nil
}

// Selection returns the choice for the engine.
func (c *Chosen) Selection() engine.Selection {
	return engine.Selection{Script: string(c.Script), Source: c.Source, Shared: c.Shared, Key: string(c.Key)}
}

// MaxStored is how many values an answer has at most.
const MaxStored = 1000

// A StoredRequest asks for stored values, in the order of script, source and key.
type StoredRequest struct {
	Chosen
	Values bool `json:"values,omitempty"` // the values too, and not only their keys
	Skip   int  `json:"skip,omitempty"`   // leave out so many
	Limit  int  `json:"limit,omitempty"`  // from 1 to MaxStored; 0: MaxStored
}

func (r *StoredRequest) check() error {
	if r.Skip < 0 || r.Limit < 0 || r.Limit > MaxStored {
		return fmt.Errorf("skip %d and limit %d: expected numbers from 0, and a limit up to %d", r.Skip, r.Limit, MaxStored)
	}
	if r.Limit == 0 {
		r.Limit = MaxStored
	}
	return r.Chosen.check()
}

// Stored is a page of stored values.
type Stored struct {
	Values []StoredValue `json:"values"`
	Count  int           `json:"count"` // of all that were chosen, also beyond this page
}

// A StoredValue is a value of a script.
type StoredValue struct {
	Script wire.Text  `json:"script"`
	Source netip.Addr `json:"source,omitzero"` // left out: all sources share it
	Key    wire.Text  `json:"key"`
	Type   string     `json:"type"` // "string", "number" or "boolean"
	// Value is the value as text: "ana", "3", "-Inf", "true". It is left out when it was not
	// asked for.
	Value *wire.Text `json:"value,omitempty"`
	Until time.Time  `json:"until,omitzero"` // by the wall clock; left out: for ever
}

// StoredOf returns the page of values that a request asks for. It sorts them. The offset is the
// wall clock minus engine time.
func StoredOf(all []engine.Value, r *StoredRequest, offset time.Duration) Stored {
	engine.SortValues(all)
	page := Stored{Values: []StoredValue{}, Count: len(all)}
	from := min(r.Skip, len(all))
	for _, v := range all[from:min(from+r.Limit, len(all))] {
		one := StoredValue{Script: wire.Text(v.Script), Source: v.Source, Key: wire.Text(v.Key)}
		var text wire.Text
		one.Type, text = typeAndText(v.Value)
		if r.Values {
			one.Value = &text
		}
		if !v.Until.IsZero() {
			one.Until = v.Until.Add(offset).UTC()
		}
		page.Values = append(page.Values, one)
	}
	return page
}

func typeAndText(value any) (kind string, text wire.Text) {
	switch v := value.(type) {
	case bool:
		return "boolean", wire.Text(strconv.FormatBool(v))
	case float64:
		return "number", wire.Text(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		return "string", wire.Text(v)
	}
	return "", ""
}

// A ForgetRequest makes stored values be forgotten. It names a script, and which of its values.
type ForgetRequest struct {
	Chosen
	All bool `json:"all,omitempty"` // all values of the script, so nothing else is named
}

func (r *ForgetRequest) check() error {
	part := r.Key != "" || r.Source.IsValid() || r.Shared
	switch {
	case r.Script == "":
		return errors.New("no script: expected the name under which its values are kept")
	case !part && !r.All:
		return errors.New("neither a key nor a source: to forget all values of the script, say so with all")
	case part && r.All:
		return errors.New("all values, and some of them: expected one of them")
	}
	return r.Chosen.check()
}

// Forgotten is what became of a ForgetRequest.
type Forgotten struct {
	Count int `json:"count"` // of the values that are gone
	// Unwritten is why the disk does not have that yet. A crash before it has brings the values
	// back.
	Unwritten string `json:"unwritten,omitempty"`
}
