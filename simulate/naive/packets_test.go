package naive_test

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file makes the packets of a scenario: sources that follow the sequences of doors and err now
// and then, and what networks add: copies, retransmits, fragments, junk.

func (s *scenario) addPackets(r *rand.Rand) {
	sources := s.sources()
	if s.layout == several && len(s.interfaces) == 1 {
		s.layout = onePcap
	}
	next := map[netip.Addr]int{}
	at := start
	for range 6 + r.IntN(24) {
		at += pick(r, 0, ms/1000, ms, 300*ms, 500*ms, second, 2*second, 5*second)
		if chance(r, 60) {
			at += 70 * second
		}
		source := pick(r, sources...)
		p := s.knock(r, source, next)
		p.at, p.iface, p.way, p.hops = at, r.IntN(len(s.interfaces)), r.IntN(3), 64
		s.disfigure(r, &p)
		s.packets = append(s.packets, p)
		if chance(r, 3) {
			s.addCopies(r, p)
		}
	}
	slices.SortStableFunc(s.packets, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	s.shuffle(r)
}

// knock returns a packet that probably is the next knock of the source.
func (s *scenario) knock(r *rand.Rand, source netip.Addr, next map[netip.Addr]int) sent {
	d := s.set.Doors[next[source]>>8%len(s.set.Doors)]
	k := d.Sequence[next[source]&0xff%len(d.Sequence)]
	next[source]++
	if chance(r, 6) {
		next[source] = r.IntN(1000) << 8
	}
	if chance(r, 5) {
		k.Port = pick(r, alphabet...)
	}
	if len(s.wires) > 0 && chance(r, 15) {
		k = pick(r, s.wires...)
	}
	p := sent{
		source: source, dest: here4, proto: tcp, from: pick(r, uint16(40000), 40001, uint16(r.IntN(65536))), to: k.Port.Number,
		flags: uint8(k.Flags.Set), sequence: pick(r, uint32(0), 1, r.Uint32()),
		id: pick(r, uint16(0), uint16(r.IntN(65536))), loose: chance(r, 4),
	}
	if source.Is6() {
		p.dest, p.id = here6, 0
	} else if d.Target.IsValid() && !chance(r, 4) {
		p.dest = d.Target
	}
	if k.Port.Proto == packet.UDP {
		p.proto, p.flags, p.sequence = udp, 0, 0
	}
	p.payload = s.payload(r, d)
	return p
}

func (s *scenario) payload(r *rand.Rand, d *engine.Door) string {
	if d.Payload == nil && !chance(r, 8) {
		return ""
	}
	return pick(r, "open", "open", "opensesame", "o", "", "xpen")
}

// disfigure changes one thing about some packets.
func (s *scenario) disfigure(r *rand.Rand, p *sent) {
	switch r.IntN(40) {
	case 0:
		p.form = form(r.IntN(int(manyForms)))
	case 1:
		p.form = pick(r, fragment, remainder, wrongSum, shortened, unbroken)
	case 2:
		p.flags |= pick(r, uint8(ack), ack, fin, rst, psh)
	case 3:
		p.dest = pick(r, there4, netip.MustParseAddr("198.51.100.77"), everyone, netip.MustParseAddr("224.0.0.1"))
	case 4:
		p.to = pick(r, uint16(22), 99, 7001, 7003)
	case 5:
		p.proto = pick(r, uint8(tcp), udp, icmp4, gre)
	case 6:
		p.source = pick(r, here4, netip.MustParseAddr("224.0.0.9"))
	case 7: // what this host sends
		p.source, p.dest, p.from, p.to = p.dest, p.source, p.to, p.from
	}
	p.padding = r.IntN(4)
	s.consistent(p)
}

// consistent makes a packet one that can be written.
func (s *scenario) consistent(p *sent) {
	if p.source.Is4() != p.dest.Is4() {
		if p.dest = here4; p.source.Is6() {
			p.dest = here6
		}
	}
	if only := s.interfaces[p.iface].only; only == 4 && p.source.Is6() || only == 6 && p.source.Is4() {
		p.source, p.dest = s.sources()[0], here4
		if p.source.Is6() {
			p.dest = here6
		}
	}
	if p.source.Is6() {
		p.id = 0
	}
	p.loose = p.loose && p.id == 0 && p.source.Is4()
	if p.form == unbroken && p.source.Is4() || p.form == shortened && p.payload == "" || p.proto == gre && p.form != fragment {
		p.form = whole
	}
	if p.proto != tcp {
		p.flags, p.sequence = 0, 0
	}
	if p.proto == icmp4 || p.proto == gre {
		p.from, p.to = 0, 0
	}
	if p.form == foreign && s.interfaces[p.iface].only != 0 {
		p.form = whole
	}
	if p.form == dying {
		p.hops = 0
	}
}

// addCopies adds the same packet again, as a second interface hears it, or as the sender sends it
// anew.
func (s *scenario) addCopies(r *rand.Rand, p sent) {
	for range 1 + r.IntN(2) {
		c := p
		c.at += pick(r, 0, ms/100, ms, 5*ms, 5*ms+1000, 7*ms)
		switch r.IntN(5) {
		case 0, 1:
			c.iface = r.IntN(len(s.interfaces))
		case 2:
			c.way = r.IntN(3)
		case 3:
			c.id = pick(r, c.id, uint16(r.IntN(65536)))
			c.loose = c.loose && c.id == 0
		case 4:
			c.at += pick(r, second, 3*second, 33*second, 70*second-1000, 70*second, 71*second)
		}
		if chance(r, 3) && c.hops > 0 {
			c.hops--
			c.padding = r.IntN(4)
		}
		s.consistent(&c)
		s.packets = append(s.packets, c)
	}
}

// shuffle makes the stamps what captures have. Between several files no two may be equal: else
// their order is not defined by the time. Within one, some go back a little, or the clock is set
// back.
func (s *scenario) shuffle(r *rand.Rand) {
	for i := range s.packets {
		switch p := &s.packets[i]; {
		case s.layout == several && i > 0:
			p.at = max(p.at, s.packets[i-1].at+1000)
		case s.layout != several && i > 0 && chance(r, 30):
			p.at = max(start, p.at-300*ms)
		}
	}
	if s.layout == several {
		s.disorder(r)
	} else if chance(r, 6) {
		back := pick(r, 1500*ms, 60*second, 3600*second)
		for i := r.IntN(len(s.packets)); i < len(s.packets); i++ {
			s.packets[i].at -= back
		}
	}
}

// disorder gives the packets their places in several captures. Some are not in the order of their
// stamps, as cards with several queues write them.
func (s *scenario) disorder(r *rand.Rand) {
	last := map[int]*sent{} // of each interface
	for i := range s.packets {
		p := &s.packets[i]
		p.place = 1
		if before := last[p.iface]; before != nil {
			p.place = before.place + 1
			// The first packet of a capture stays the first: by it captures have their order.
			if before.place > 1 && p.at-before.at < second && chance(r, 8) {
				p.place, before.place = before.place, p.place
			}
		}
		if last[p.iface] == nil || p.place > last[p.iface].place {
			last[p.iface] = p
		}
	}
}
