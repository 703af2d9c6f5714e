package draft

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/scripting/spec"
	"sesame/simulate/craft"
	"sesame/simulate/opening"
)

// maxReplaced bounds the sources whose addresses are replaced: each is tried.
const maxReplaced = 254

// replace makes addresses for documentation (RFC 5737, RFC 3849) stand for those of the sources,
// one source after the other. An address stays when something else would happen with another one,
// as with a list of networks.
func (d *drafter) replace(ctx context.Context) error {
	var all []netip.Addr
	for _, s := range d.sent {
		if !slices.Contains(all, s.source) {
			all = append(all, s.source)
		}
	}
	if len(all) > maxReplaced {
		return fmt.Errorf("it has more than %d sources: choose some with --source", maxReplaced)
	}
	_, want, err := d.group(ctx)
	if err != nil {
		return err
	}
	next := 0
	for _, source := range all {
		var other netip.Addr
		for other = opening.Source(next, craft.HostFor(source)); slices.Contains(all, other) && other != source; other = opening.Source(next, craft.HostFor(source)) {
			next++
		}
		if next++; other == source {
			continue
		}
		sent, facts := d.sent, d.facts
		d.sent, d.facts = replacedIn(sent, facts, source, other)
		_, came, err := d.group(ctx)
		if err != nil {
			return err
		}
		if !alike(otherIn(want, single(source), single(other)), came) {
			d.sent, d.facts, d.stayed = sent, facts, append(d.stayed, source)
			continue
		}
		want = came
	}
	return nil
}

// otherIn returns what came with another address of a source.
func otherIn(came *spec.Step, source, other netip.Prefix) *spec.Step {
	expected := spec.Step{Strict: slices.Clone(came.Strict), Allows: slices.Clone(came.Allows), Runs: came.Runs}
	for i := range expected.Strict {
		if e := &expected.Strict[i]; e.Source == source {
			e.Source = other
		}
	}
	for i := range expected.Allows {
		if a := &expected.Allows[i]; a.Source == source {
			a.Source = other
		}
	}
	return &expected
}

// replacedIn returns packets and facts with another address of a source.
func replacedIn(all []sent, known []engine.Asked, source, other netip.Addr) ([]sent, []engine.Asked) {
	all, known = slices.Clone(all), slices.Clone(known)
	for i := range all {
		if all[i].source == source {
			all[i].source = other
		}
	}
	for i := range known {
		if known[i].Question.Address == source {
			known[i].Question.Address = other
		}
		if answered := &known[i].Answer; slices.Contains(answered.Addresses, source) {
			answered.Addresses = slices.Clone(answered.Addresses)
			for j, a := range answered.Addresses {
				if a == source {
					answered.Addresses[j] = other
				}
			}
		}
	}
	return all, known
}
