package engine

import (
	"slices"
	"sort"

	"sesame/daemon/packet"
)

// This file has the gaps between knocks, where tripwires are needed, and the ports that are free
// in them. tripwire.go places the tripwires.

// A share is what a door contributes to the pool.
type share struct {
	*Door
	number   int      // its position among those that contribute
	gaps     [][]*gap // of each of its sequences
	all      []*gap   // the same in one list
	anywhere []*gap   // nearly all ports, for each kind of its knocks
	count    int      // tripwires contributed
	except   map[packet.Port]bool
	next     int // the gap in all that had the latest one
}

// A kind is what the tripwires of a door have in common with its knocks.
type kind struct {
	proto packet.Proto
	flags FlagTest
}

// A gap is the ports between two others, without these.
type gap struct {
	kind
	of        *share
	low, high int
	beside    int // 1: it is not between two knocks; else 0
	number    int // no other gap of the door has it
	drawn     int // tripwires placed here
	full      bool
}

// excepts reports whether a port is no tripwire of the door.
func (s *share) excepts(proto packet.Proto, number int) bool {
	return len(s.except) > 0 && s.except[packet.Port{Proto: proto, Number: uint16(number)}]
}

func newShare(d *Door, number int) *share {
	s := &share{Door: d, number: number, except: make(map[packet.Port]bool, len(d.Except))}
	for _, port := range d.Except {
		s.except[port] = true
	}
	gaps := 0
	add := func(k kind, low, high, beside int) *gap {
		gaps++
		return &gap{kind: k, of: s, low: low, high: high, beside: beside, number: gaps}
	}
	known := make(map[kind]bool)
	for sequence := range d.sequences() {
		if len(sequence) < 2 || len(s.gaps) == coveredSequences {
			continue
		}
		kinds := kindsOf(sequence)
		here := gapsOf(sequence, kinds, add)
		s.gaps, s.all = append(s.gaps, here), append(s.all, here...)
		for _, k := range kinds {
			if high := 1 << 16; !known[k] {
				known[k] = true
				if k.proto == packet.UDP {
					high = firstEphemeral
				}
				s.anywhere = append(s.anywhere, add(k, firstPort-1, high, 1))
			}
		}
	}
	return s
}

// kindsOf returns the kinds of the knocks of a sequence, each once.
func kindsOf(sequence []Knock) (kinds []kind) {
	for _, k := range sequence {
		if one := (kind{k.Port.Proto, k.Flags}); !slices.Contains(kinds, one) {
			kinds = append(kinds, one)
		}
	}
	return kinds
}

// gapsOf returns where a sequence needs tripwires: for each kind of its knocks, between any two
// neighbouring ports whatever their protocols, and beside the outermost ones. Then no sweep up or
// down goes from one knock to the next without meeting a tripwire, also when it takes the protocols
// in turn or one after the other.
func gapsOf(sequence []Knock, kinds []kind, add func(k kind, low, high, beside int) *gap) (gaps []*gap) {
	var ports []int
	for _, k := range sequence {
		ports = append(ports, int(k.Port.Number))
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	first, last := ports[0], ports[len(ports)-1]
	for _, k := range kinds {
		for i := range len(ports) - 1 {
			gaps = append(gaps, add(k, ports[i], ports[i+1], 0))
		}
		gaps = append(gaps, add(k, first/2, first, 1), add(k, last, min(1<<16, last+max(2, last/2)), 1))
	}
	return gaps
}

// freePorts tells where the next port of a protocol is that a tripwire may have. So a gap which is
// full of knocks or guards is skipped in one step.
type freePorts struct {
	knocks []stretch // of all doors
	taken  []stretch // knocks and guards
}

// A stretch is ports that follow each other, from one to another, without that.
type stretch struct{ from, to int }

func newFreePorts(proto packet.Proto, knocks, guards []packet.Port) *freePorts {
	return &freePorts{knocks: stretches(proto, knocks), taken: stretches(proto, slices.Concat(knocks, guards))}
}

// stretches returns the ports of a protocol, in order.
func stretches(proto packet.Proto, ports []packet.Port) (all []stretch) {
	var numbers []int
	for _, port := range ports {
		if port.Proto == proto {
			numbers = append(numbers, int(port.Number))
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if last := len(all) - 1; last >= 0 && n <= all[last].to {
			all[last].to = n + 1
		} else {
			all = append(all, stretch{n, n + 1})
		}
	}
	return all
}

// after returns the first port from n on that is in none of the stretches.
func after(all []stretch, n int) int {
	i := sort.Search(len(all), func(i int) bool { return all[i].to > n })
	if i < len(all) && all[i].from <= n {
		return all[i].to
	}
	return n
}
