package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"sesame/daemon/packet"
)

// This file places the tripwires of a set. A tripwire is a port that nobody announces. A packet
// to it is a wrong knock to all attempts of its source, so a scan meets some before it has made all
// knocks of a sequence.
//
// The places follow from the sequences of the set by a fixed hash. So a set has the same tripwires
// on a machine, in a simulation and in a replay, and nobody can compute them who does not know the
// sequences. Guards and [Door.Except] move no tripwire: they only mask it. Where they mask all that
// a gap has, the gap gets one more.

// MaxTripwires is how many tripwires a set has at most. The kernel's filter tests each, and its
// program has a limit.
const MaxTripwires = 1000

const (
	// firstPort is the lowest port that a tripwire has where others are free. Honest clients use
	// services below it.
	firstPort = 1024
	// firstEphemeral is the first port that Linux gives to outgoing datagrams (ip_local_port_range
	// in ip(7)). Answers come to these ports, so no UDP tripwire is there unless a knock is near.
	firstEphemeral = 32768
	// coveredSequences is how many of a door's one-time sequences get tripwires of their own. When
	// the first is used, its file changes, and the set is read again.
	coveredSequences = 16
)

// Tripwires returns the tripwires of the set, in a fixed order, at most [MaxTripwires]. Two may
// have one port, with different flags. None has the port of a knock of any door. Some may have a
// port that is guarded or excepted, and those do nothing there.
func (s *Set) Tripwires() []Knock {
	if s.placed {
		return s.tripwires
	}
	p := &placement{guards: make(map[packet.Port]bool), free: make(map[packet.Proto]*freePorts), placed: make(map[Knock]bool), inForce: make(map[kind][]int)}
	for _, d := range s.Doors {
		if d.Tripped() {
			p.doors = append(p.doors, newShare(d, len(p.doors)))
		}
	}
	if len(p.doors) == 0 {
		return nil
	}
	p.read(s)
	p.cover()
	p.fill()
	return p.pool
}

// Tripped reports whether tripwires are wrong knocks to the attempts in the door. They are none to
// a listener, to a sequence of one knock, and under the policy of knockd.
func (d *Door) Tripped() bool {
	if d.Tripwires == 0 || d.Listen || d.Policy != PolicySesame {
		return false
	}
	for sequence := range d.sequences() {
		if len(sequence) > 1 {
			return true
		}
	}
	return false
}

// sequences returns the sequence of the door, or all of its one-time sequences.
func (d *Door) sequences() iter.Seq[[]Knock] {
	return func(yield func([]Knock) bool) {
		if d.OneTime == nil {
			yield(d.Sequence)
			return
		}
		for _, s := range d.OneTime.Sequences {
			if !yield(s.Knocks) {
				return
			}
		}
	}
}

// read takes the ports of the set, and makes the seed of all its sequences.
func (p *placement) read(s *Set) {
	hash := sha256.New()
	var text []byte
	var knocks, guards []packet.Port
	for _, d := range s.Doors {
		guards = append(guards, d.Guards...)
		for _, g := range d.Guards {
			p.guards[g] = true
		}
		for k := range d.Knocks() {
			knocks = append(knocks, k.Port)
		}
		for sequence := range d.sequences() {
			text = binary.LittleEndian.AppendUint32(text[:0], uint32(len(sequence)))
			for _, k := range sequence {
				text = append(text, byte(k.Port.Proto), byte(k.Flags.Set), byte(k.Flags.Clear))
				text = binary.LittleEndian.AppendUint16(text, k.Port.Number)
			}
			hash.Write(text)
		}
	}
	hash.Sum(p.seed[:0])
	for _, s := range p.doors {
		for _, g := range s.all {
			if p.free[g.proto] == nil {
				p.free[g.proto] = newFreePorts(g.proto, knocks, guards)
			}
		}
	}
}

// cover gives each gap a tripwire that nothing masks. Small gaps come first: their tripwires are in
// wider gaps, too, so hundreds of doors need few. The first sequences of all doors come before the
// second ones.
func (p *placement) cover() {
	for turn := 0; turn < coveredSequences && len(p.pool) < MaxTripwires; turn++ {
		var gaps []*gap
		for _, s := range p.doors {
			if turn < len(s.gaps) {
				gaps = append(gaps, s.gaps[turn]...)
			}
		}
		for _, g := range bySize(gaps) {
			for len(p.pool) < MaxTripwires && p.coverable(g) && !p.covered(g) && p.place(g) {
			}
		}
	}
}

// bySize returns gaps that are between two knocks before the others, and small ones before wide
// ones. Equal ones keep their order.
func bySize(gaps []*gap) []*gap {
	keys := make([]uint64, len(gaps)) // numbers are sorted several times faster than gaps
	for i, g := range gaps {
		keys[i] = uint64(g.beside)<<48 | uint64(g.high-g.low)<<32 | uint64(i)
	}
	slices.Sort(keys)
	sorted := make([]*gap, len(gaps))
	for i, key := range keys {
		sorted[i] = gaps[uint32(key)]
	}
	return sorted
}

// covered reports whether a gap has a tripwire that disturbs its door.
func (p *placement) covered(g *gap) bool {
	there := p.inForce[g.kind]
	for i, _ := slices.BinarySearch(there, g.low+1); i < len(there) && there[i] < g.high; i++ {
		if !g.of.excepts(g.proto, there[i]) {
			return true
		}
	}
	return false
}

// coverable reports whether a tripwire in a gap can disturb its door.
func (p *placement) coverable(g *gap) bool {
	taken := p.free[g.proto].taken
	for n := after(taken, g.low+1); n < g.high; n = after(taken, n+1) {
		if !g.of.excepts(g.proto, n) {
			return true
		}
	}
	return false
}

// fill lets the doors add one tripwire each in turn, until each has contributed its number or the
// pool is full. So a door with few gets them all, and doors with many share what is left.
func (p *placement) fill() {
	for turn := 1; len(p.doors) > 0 && len(p.pool) < MaxTripwires; turn++ {
		p.doors = slices.DeleteFunc(p.doors, func(s *share) bool {
			return s.count >= s.Tripwires || s.count < turn && !p.placeNext(s)
		})
	}
}

// placeNext adds the next tripwire of a door, and reports whether there was room. Of four, three
// are in its gaps and one is anywhere.
func (p *placement) placeNext(s *share) bool {
	if s.count%4 == 3 && p.place(s.anywhere[s.count/4%len(s.anywhere)]) {
		return true
	}
	for range s.all {
		s.next = (s.next + 1) % len(s.all)
		if p.place(s.all[s.next]) {
			return true
		}
	}
	return slices.ContainsFunc(s.anywhere, p.place)
}

// place adds a tripwire in a gap, and reports whether it did: the gap may be full, its door may
// have contributed its number, or the pool may be full.
func (p *placement) place(g *gap) bool {
	if g.full || g.of.count >= g.of.Tripwires || len(p.pool) >= MaxTripwires {
		return false
	}
	k, found := p.draw(g, max(g.low, firstPort-1))
	if !found {
		k, found = p.draw(g, g.low)
	}
	if !found {
		g.full = true // and stays so: no tripwire is ever removed
		return false
	}
	g.drawn++
	g.of.count++
	p.placed[k] = true
	p.pool = append(p.pool, k)
	if number := int(k.Port.Number); !p.guards[k.Port] {
		at, _ := slices.BinarySearch(p.inForce[g.kind], number)
		p.inForce[g.kind] = slices.Insert(p.inForce[g.kind], at, number)
	}
	return true
}

// draw returns a free port of a gap above low: that which the hash names, or the next one behind it
// in a circle.
func (p *placement) draw(g *gap, low int) (Knock, bool) {
	size := g.high - low - 1
	if size <= 0 {
		return Knock{}, false
	}
	text := binary.LittleEndian.AppendUint32(p.seed[:], uint32(g.of.number))
	text = binary.LittleEndian.AppendUint32(text, uint32(g.number))
	text = binary.LittleEndian.AppendUint32(text, uint32(g.drawn))
	sum := sha256.Sum256(text)
	from := low + 1 + int(binary.LittleEndian.Uint64(sum[:])%uint64(size))
	if k, found := p.first(g.kind, from, g.high); found {
		return k, true
	}
	return p.first(g.kind, low+1, from)
}

// first returns the first free port from one to another, without that.
func (p *placement) first(of kind, from, to int) (Knock, bool) {
	knocks := p.free[of.proto].knocks
	for n := after(knocks, from); n < to; n = after(knocks, n+1) {
		if k := (Knock{packet.Port{Proto: of.proto, Number: uint16(n)}, of.flags}); !p.placed[k] {
			return k, true
		}
	}
	return Knock{}, false
}

// A placement is a pool of tripwires that grows.
type placement struct {
	seed    [sha256.Size]byte
	guards  map[packet.Port]bool // of all doors
	free    map[packet.Proto]*freePorts
	doors   []*share // in fill: those that may contribute more
	pool    []Knock
	placed  map[Knock]bool // what is in the pool
	inForce map[kind][]int // the ports of the pool that no door guards, sorted
}
