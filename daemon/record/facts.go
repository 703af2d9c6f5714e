package record

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// This file encodes the facts that an input asked for, and decodes them. docs/recording.md
// specifies the form.

// Bounds of the facts of one input, and of the addresses of one name. An engine asks each question
// once for an input, and a live resolver keeps far fewer addresses. A file that holds more is not
// from a daemon.
const (
	maxFacts     = 1 << 18
	maxAddresses = 1 << 12
)

// A fact is a question with its answer, in JSON.
type fact struct {
	Kind      string       `json:"kind"`
	Address   netip.Addr   `json:"address,omitzero"`
	Name      wire.Text    `json:"name,omitzero"`
	Known     bool         `json:"known,omitzero"`
	Country   wire.Text    `json:"country,omitzero"`
	ASN       uint32       `json:"asn,omitzero"`
	ASName    wire.Text    `json:"asn_name,omitzero"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	From      wire.Text    `json:"from,omitzero"`
	Why       wire.Text    `json:"why,omitzero"`
}

// factKinds are the names of the kinds of questions. They are in recordings and never change.
var factKinds = map[engine.FactKind]string{
	engine.FactCountry: "country",
	engine.FactASN:     "asn",
	engine.FactHost:    "host",
}

// factsOf returns the JSON form of what was asked.
func factsOf(asked []engine.Asked) []fact {
	list := make([]fact, len(asked))
	for i, one := range asked {
		q, a := one.Question, one.Answer
		list[i] = fact{
			Kind: factKinds[q.Kind], Address: q.Address, Name: wire.Text(q.Name),
			Known: a.Known, Country: wire.Text(a.Country), ASN: a.ASN, ASName: wire.Text(a.ASName), Addresses: a.Addresses,
			From: wire.Text(a.From), Why: wire.Text(a.Why),
		}
	}
	return list
}

// askedFrom returns what was asked, from the JSON of a recording.
func askedFrom(list []fact) ([]engine.Asked, error) {
	if len(list) > maxFacts {
		return nil, fmt.Errorf("it has %d facts: expected at most %d", len(list), maxFacts)
	}
	asked := make([]engine.Asked, len(list))
	for i := range list {
		var err error
		if asked[i], err = list[i].asked(); err != nil {
			return nil, fmt.Errorf("fact %d: %w", i+1, err)
		}
	}
	return asked, nil
}

// asked returns the question and the answer of a fact.
func (f *fact) asked() (engine.Asked, error) {
	q := engine.Question{Address: f.Address.Unmap(), Name: string(f.Name)}
	for kind, name := range factKinds {
		if f.Kind == name {
			q.Kind = kind
		}
	}
	switch {
	case q.Kind == 0:
		return engine.Asked{}, fmt.Errorf("its kind is %.20q, which this version does not know", f.Kind)
	case (q.Kind == engine.FactHost) != (q.Name != "") || (q.Kind == engine.FactHost) == q.Address.IsValid():
		return engine.Asked{}, errors.New("it has no question: expected an address, or the name of a host")
	case len(f.Addresses) > maxAddresses:
		return engine.Asked{}, fmt.Errorf("it has %d addresses: expected at most %d", len(f.Addresses), maxAddresses)
	case slices.ContainsFunc(f.Addresses, func(a netip.Addr) bool { return !a.IsValid() }):
		return engine.Asked{}, errors.New("one of its addresses is empty")
	}
	return engine.Asked{Question: q, Answer: engine.Answer{
		Known: f.Known, Country: string(f.Country), ASN: f.ASN, ASName: string(f.ASName), Addresses: f.Addresses,
		From: string(f.From), Why: string(f.Why),
	}}, nil
}
