package suite

import (
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/scripting/spec"
)

// facts answer the questions of an engine with what a test states. Nothing else is known. It
// implements [engine.Facts].
type facts struct {
	networks []spec.Fact // the longest network first
	hosts    map[string]spec.Fact
	unsaid   []engine.Question // that the step at hand asked and nobody answered, each once
}

// state adds facts. They take the place of those of the same network or host.
func (f *facts) state(all []spec.Fact) {
	for _, one := range all {
		if !one.Network.IsValid() {
			if f.hosts == nil {
				f.hosts = map[string]spec.Fact{}
			}
			f.hosts[one.Host] = one
			continue
		}
		f.networks = slices.DeleteFunc(f.networks, func(other spec.Fact) bool { return other.Network == one.Network })
		at, _ := slices.BinarySearchFunc(f.networks, one, func(a, b spec.Fact) int { return b.Network.Bits() - a.Network.Bits() })
		f.networks = slices.Insert(f.networks, at, one)
	}
}

const (
	from   = "the facts of the test"
	silent = "they do not say it"
)

// Answer implements [engine.Facts]. The longest network that has the address says all.
func (f *facts) Answer(q engine.Question) engine.Answer {
	answer := f.answer(q)
	if !answer.Known && len(f.unsaid) < mostLines && !slices.Contains(f.unsaid, q) {
		f.unsaid = append(f.unsaid, q)
	}
	return answer
}

func (f *facts) answer(q engine.Question) engine.Answer {
	unknown := engine.Answer{From: from, Why: silent}
	if q.Kind == engine.FactHost {
		if one, stated := f.hosts[q.Name]; stated {
			return engine.Answer{Known: true, From: from, Addresses: one.Addresses}
		}
		return unknown
	}
	one := f.of(q.Address)
	switch {
	case one == nil:
	case q.Kind == engine.FactCountry && one.Country != "":
		return engine.Answer{Known: true, From: from, Country: one.Country}
	case q.Kind == engine.FactASN && one.ASN != 0:
		return engine.Answer{Known: true, From: from, ASN: one.ASN, ASName: one.ASName}
	}
	return unknown
}

// of returns what is stated of an address; nil when nothing is.
func (f *facts) of(address netip.Addr) *spec.Fact {
	for i := range f.networks {
		if f.networks[i].Network.Contains(address) {
			return &f.networks[i]
		}
	}
	return nil
}

// advice returns what a test could say about a question that nobody answered.
func advice(q engine.Question) string {
	subject, says := q.Address.String(), `{ country = "ES" }`
	switch q.Kind {
	case engine.FactHost:
		subject, says = q.Name, `{ "203.0.113.9" }`
	case engine.FactASN:
		says = "{ asn = 3352 }"
	case engine.FactCountry:
	}
	return fmt.Sprintf("the test says what is known, such as facts = { [%s] = %s }", spec.Quote(subject), says)
}
