package attack

import (
	"cmp"
	"slices"
	"strconv"

	"sesame/daemon/packet"
	"sesame/simulate/repeat"
)

// A place is a packet of a sweep: its position, and the port that it is sent to.
type place struct {
	position int
	port     packet.Port
}

// Places finds out where a sweep has the ports that matter, without a look at the others.
//
// A random order is a Fisher-Yates shuffle that places the ports that matter first. The rest of the
// shuffle would only place the others, so it is done when somebody asks for them. Both give the
// same places for the same seed, and each permutation is as likely as any other.
type places struct {
	scan    *Scan
	matter  []packet.Port // among those of the scan, in a fixed order
	free    []int32       // positions, each once; in order between two sweeps
	drawn   []int32       // with which position each was exchanged
	found   []place
	others  []packet.Port // all other ports of the scan; nil until somebody asks for them
	ordered []packet.Port // of the latest sweep, by position; nil: nobody asked
}

// newPlaces returns the places of the ports that matter.
func newPlaces(s *Scan, matter []packet.Port) *places {
	p := &places{scan: s}
	for _, port := range matter {
		if s.has(port) {
			p.matter = append(p.matter, port)
		}
	}
	slices.SortFunc(p.matter, comparePorts)
	p.matter = slices.Compact(p.matter)
	if s.Order == Random {
		p.free = make([]int32, s.Sweep())
		for i := range p.free {
			p.free[i] = int32(i)
		}
	}
	return p
}

func comparePorts(a, b packet.Port) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
}

// of returns the places of a sweep that matter, in order. They are valid until the next call.
func (p *places) of(seed uint64, sweep int) []place {
	p.found = p.found[:0]
	if p.scan.Order != Random {
		for _, port := range p.matter {
			p.found = append(p.found, place{p.scan.index(port), port})
		}
	} else {
		p.shuffle(seed, sweep, len(p.matter))
		for i, port := range p.matter {
			p.found = append(p.found, place{int(p.free[i]), port})
		}
		p.restore()
	}
	slices.SortFunc(p.found, func(a, b place) int { return a.position - b.position })
	return p.found
}

// every returns the ports of a sweep by position. They are valid until the next call.
func (p *places) every(seed uint64, sweep int) []packet.Port {
	n := p.scan.Sweep()
	if p.ordered == nil {
		p.ordered = make([]packet.Port, n)
		p.others = p.without()
	}
	if p.scan.Order != Random {
		for i := range p.ordered {
			p.ordered[i] = p.scan.at(i)
		}
		return p.ordered
	}
	p.shuffle(seed, sweep, n)
	for i, position := range p.free {
		if i < len(p.matter) {
			p.ordered[position] = p.matter[i]
		} else {
			p.ordered[position] = p.others[i-len(p.matter)]
		}
	}
	p.restore()
	return p.ordered
}

// without returns the ports of the scan that do not matter.
func (p *places) without() []packet.Port {
	var others []packet.Port
	for i := range p.scan.Sweep() {
		port := p.scan.at(i)
		if _, matters := slices.BinarySearchFunc(p.matter, port, comparePorts); !matters {
			others = append(others, port)
		}
	}
	return others
}

// shuffle draws the positions of the first n ports.
func (p *places) shuffle(seed uint64, sweep, n int) {
	random := repeat.Random(seed, "sweep "+strconv.Itoa(sweep))
	p.drawn = p.drawn[:0]
	for i := range n {
		j := i + random.IntN(len(p.free)-i)
		p.free[i], p.free[j] = p.free[j], p.free[i]
		p.drawn = append(p.drawn, int32(j))
	}
}

// restore undoes a shuffle, which costs less than to begin with a new list when few ports matter.
func (p *places) restore() {
	for i, j := range slices.Backward(p.drawn) {
		p.free[i], p.free[j] = p.free[j], p.free[i]
	}
}
