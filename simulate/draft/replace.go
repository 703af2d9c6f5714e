package draft

import (
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
)

// maxReplaced bounds the sources whose addresses are replaced: each is tried.
const maxReplaced = 254

// replace makes addresses for documentation (RFC 5737, RFC 3849) stand for those of the sources,
// one source after the other. An address stays when something else would happen with another one,
// as with a list of networks.
func (d *drafter) replace() error {
	var all []netip.Addr
	for _, s := range d.sent {
		if !slices.Contains(all, s.source) {
			all = append(all, s.source)
		}
	}
	if len(all) > maxReplaced {
		return fmt.Errorf("it has more than %d sources: choose some with --source", maxReplaced)
	}
	_, want, err := d.group(d.sent)
	if err != nil {
		return err
	}
	next := 0
	for _, source := range all {
		var other netip.Addr
		for other = documented(next, source); slices.Contains(all, other) && other != source; other = documented(next, source) {
			next++
		}
		if next++; other == source {
			continue
		}
		sent, facts := d.sent, d.facts
		d.sent, d.facts = replacedIn(sent, facts, source, other)
		_, came, err := d.group(d.sent)
		if err != nil {
			return err
		}
		expected := make([]event, len(want))
		for i, e := range want {
			if expected[i] = e; e.source == single(source) {
				expected[i].source = single(other)
			}
		}
		if !slices.EqualFunc(expected, came, event.like) {
			d.sent, d.facts, d.stayed = sent, facts, append(d.stayed, source)
			continue
		}
		want = came
	}
	return nil
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// documented returns an address for documentation of a source's family, another one for each number
// below 508.
func documented(i int, source netip.Addr) netip.Addr {
	if source.Is4() {
		network := [...][3]byte{{203, 0, 113}, {198, 51, 100}}[i/254%2]
		return netip.AddrFrom4([4]byte{network[0], network[1], network[2], byte(1 + i%254)})
	}
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i / 254), byte(1 + i%254), 15: 9})
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
