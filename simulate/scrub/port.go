package scrub

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/scripting"
)

// A permutation replaces ports. Ports that it does not name stay.
type permutation map[packet.Port]packet.Port

// choosePorts chooses the ports in the place of those that knockers must know: the knocks of all
// sets. Ports that are guarded or excepted stay, since everybody can find them.
func (s *scrubber) choosePorts(sets []*scripting.Set) {
	if s.keep[Ports] {
		return
	}
	taken := map[packet.Port]bool{}
	for _, set := range sets {
		for _, d := range set.Engine.Doors {
			for _, p := range d.Guards {
				taken[p] = true
			}
		}
	}
	random := s.random("ports")
	for _, p := range append(knocks(sets), s.used...) {
		if _, chosen := s.ports[p]; taken[p] || chosen {
			continue
		}
		// A number alone may be a port of both protocols, so it stays one number.
		to := packet.Port{Proto: p.Proto, Number: s.ports[other(p)].Number}
		for to.Number == 0 || taken[to] {
			to.Number = uint16(1024 + random.IntN(31_000))
		}
		taken[to] = true
		s.ports[p] = to
	}
}

// chooseUsed notes the ports in the files of one-time sequences. So those of sequences that are
// commented out are replaced too: who made them may make others like them.
func (s *scrubber) chooseUsed(scripts record.Scripts) {
	for _, f := range scripts.Files {
		if !s.oneTime[string(f.Path)] {
			continue
		}
		for _, found := range portText.FindAllString(string(f.Source), -1) {
			if p, _, is := portOf(found); is && len(s.used) < maxUsed {
				s.used = append(s.used, p)
			}
		}
	}
}

// other returns the port with the same number of the other protocol.
func other(p packet.Port) packet.Port {
	p.Proto = packet.TCP + packet.UDP - p.Proto
	return p
}

// maxUsed bounds the ports that chooseUsed notes. There are not many more to choose from.
const maxUsed = 4096

// knocks returns the ports of all knocks, each once, in their order.
func knocks(sets []*scripting.Set) (all []packet.Port) {
	known := map[packet.Port]bool{}
	add := func(list []engine.Knock) {
		for _, k := range list {
			if k.Port.Number > 0 && !known[k.Port] {
				known[k.Port] = true
				all = append(all, k.Port)
			}
		}
	}
	for _, set := range sets {
		for _, d := range set.Engine.Doors {
			add(d.Sequence)
			if d.OneTime != nil {
				for _, one := range d.OneTime.Sequences {
					add(one.Knocks)
				}
			}
		}
	}
	return all
}

// chooseTripwires adds the ports of tripwires, which follow from the sequences: a packet to one
// must be a packet to one afterwards. Then it completes the permutation: what had a port that is in
// use now gets one that is free.
func (s *scrubber) chooseTripwires(before, after []*scripting.Set) {
	used := map[packet.Port]bool{}
	for _, to := range s.ports {
		used[to] = true
	}
	for i := range before {
		was, is := before[i].Engine.Tripwires(), after[i].Engine.Tripwires()
		for k := range min(len(was), len(is)) {
			from, to := was[k].Port, is[k].Port
			if _, known := s.ports[from]; !known && !used[to] && from.Proto == to.Proto {
				s.ports[from], used[to] = to, true
			}
		}
	}
	var free []packet.Port
	for from := range s.ports {
		if !used[from] {
			free = append(free, from)
		}
	}
	sortPorts(free)
	var displaced []packet.Port
	for to := range used {
		if _, known := s.ports[to]; !known {
			displaced = append(displaced, to)
		}
	}
	sortPorts(displaced)
	for _, from := range displaced {
		for i, to := range free {
			if to.Proto == from.Proto {
				s.ports[from] = to
				free = append(free[:i:i], free[i+1:]...)
				break
			}
		}
	}
}

// port returns the port in the place of p.
func (s *scrubber) port(p packet.Port) packet.Port {
	if to, known := s.ports[p]; known {
		return to
	}
	return p
}

// random returns numbers that the key decides, different for each purpose.
func (s *scrubber) random(purpose string) *rand.Rand {
	sum := sha256.Sum256(append(s.key[:], purpose...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}
