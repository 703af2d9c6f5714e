package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
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
	p := &placement{knocks: make(map[packet.Port]bool), guards: make(map[packet.Port]bool), placed: make(map[Knock]bool)}
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
	return d.Tripwires > 0 && !d.Listen && d.Policy == PolicySesame &&
		slices.ContainsFunc(d.sequences(), func(s []Knock) bool { return len(s) > 1 })
}

// sequences returns the sequence of the door, or all of its one-time sequences.
func (d *Door) sequences() [][]Knock {
	if d.OneTime == nil {
		return [][]Knock{d.Sequence}
	}
	all := make([][]Knock, len(d.OneTime.Sequences))
	for i, s := range d.OneTime.Sequences {
		all[i] = s.Knocks
	}
	return all
}

// read takes the ports of the set, and makes the seed of all its sequences.
func (p *placement) read(s *Set) {
	hash := sha256.New()
	for _, d := range s.Doors {
		for _, g := range d.Guards {
			p.guards[g] = true
		}
		for k := range d.Knocks() {
			p.knocks[k.Port] = true
		}
		for _, sequence := range d.sequences() {
			text := binary.LittleEndian.AppendUint32(nil, uint32(len(sequence)))
			for _, k := range sequence {
				text = append(text, byte(k.Port.Proto), byte(k.Flags.Set), byte(k.Flags.Clear))
				text = binary.LittleEndian.AppendUint16(text, k.Port.Number)
			}
			hash.Write(text)
		}
	}
	hash.Sum(p.seed[:0])
}

// cover gives each gap a tripwire that nothing masks. Small gaps come first: their tripwires are in
// wider gaps, too, so hundreds of doors need few. The first sequences of all doors come before the
// second ones.
func (p *placement) cover() {
	for turn := range coveredSequences {
		var gaps []*gap
		for _, s := range p.doors {
			if turn < len(s.gaps) {
				gaps = append(gaps, s.gaps[turn]...)
			}
		}
		slices.SortStableFunc(gaps, func(a, b *gap) int {
			return cmp.Or(cmp.Compare(a.beside, b.beside), cmp.Compare(a.high-a.low, b.high-b.low))
		})
		for _, g := range gaps {
			for p.coverable(g) && !p.covered(g) && p.place(g) {
			}
		}
	}
}

// covered reports whether a gap has a tripwire that disturbs its door.
func (p *placement) covered(g *gap) bool {
	return slices.ContainsFunc(p.pool, func(k Knock) bool {
		return (kind{k.Port.Proto, k.Flags}) == g.kind && g.low < int(k.Port.Number) && int(k.Port.Number) < g.high &&
			!p.masked(g.of, k.Port)
	})
}

// coverable reports whether a tripwire in a gap can disturb its door.
func (p *placement) coverable(g *gap) bool {
	for number := g.low + 1; number < g.high; number++ {
		if port := (packet.Port{Proto: g.proto, Number: uint16(number)}); !p.knocks[port] && !p.masked(g.of, port) {
			return true
		}
	}
	return false
}

// masked reports whether no tripwire at a port disturbs a door.
func (p *placement) masked(d *share, port packet.Port) bool {
	return p.guards[port] || slices.Contains(d.Except, port)
}

// fill lets the doors add one tripwire each in turn, until each has contributed its number or the
// pool is full. So a door with few gets them all, and doors with many share what is left.
func (p *placement) fill() {
	for turn := 1; turn <= MaxTripwires && len(p.pool) < MaxTripwires; turn++ {
		for _, s := range p.doors {
			if s.count < min(turn, s.Tripwires) {
				p.placeNext(s)
			}
		}
	}
}

// placeNext adds the next tripwire of a door. Of four, three are in its gaps and one is anywhere.
func (p *placement) placeNext(s *share) {
	if s.count%4 == 3 && p.place(s.anywhere[s.count/4%len(s.anywhere)]) {
		return
	}
	for range s.all {
		s.next = (s.next + 1) % len(s.all)
		if p.place(s.all[s.next]) {
			return
		}
	}
	for _, g := range s.anywhere {
		if p.place(g) {
			return
		}
	}
}

// place adds a tripwire in a gap, and reports whether it did: the gap may be full, its door may
// have contributed its number, or the pool may be full.
func (p *placement) place(g *gap) bool {
	if g.of.count >= g.of.Tripwires || len(p.pool) >= MaxTripwires {
		return false
	}
	k, found := p.draw(g, max(g.low, firstPort-1))
	if !found {
		k, found = p.draw(g, g.low)
	}
	if found {
		g.drawn++
		g.of.count++
		p.placed[k] = true
		p.pool = append(p.pool, k)
	}
	return found
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
	from := int(binary.LittleEndian.Uint64(sum[:]) % uint64(size))
	for i := range size {
		port := packet.Port{Proto: g.proto, Number: uint16(low + 1 + (from+i)%size)}
		if k := (Knock{port, g.flags}); !p.knocks[port] && !p.placed[k] {
			return k, true
		}
	}
	return Knock{}, false
}

// A placement is a pool of tripwires that grows.
type placement struct {
	seed   [sha256.Size]byte
	knocks map[packet.Port]bool // of all doors
	guards map[packet.Port]bool // of all doors
	doors  []*share
	pool   []Knock
	placed map[Knock]bool // what is in the pool
}

// A share is what a door contributes to the pool.
type share struct {
	*Door
	number   int      // its position among those that contribute
	gaps     [][]*gap // of each of its sequences
	all      []*gap   // the same in one list
	anywhere []*gap   // nearly all ports, for each kind of its knocks
	count    int      // tripwires contributed
	next     int      // the gap in all that had the latest one
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
}

func newShare(d *Door, number int) *share {
	s := &share{Door: d, number: number}
	gaps := 0
	add := func(k kind, low, high, beside int) *gap {
		gaps++
		return &gap{kind: k, of: s, low: low, high: high, beside: beside, number: gaps}
	}
	known := make(map[kind]bool)
	for _, sequence := range d.sequences() {
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
