package lint

import (
	"slices"
	"sort"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// portsOfProtocol is how many ports a protocol has that can be knocked on.
const portsOfProtocol = 65_535

// A scan is one packet to each port of a range, of some protocols.
type scan struct {
	protocols []packet.Proto
	flags     engine.FlagTest // of its TCP packets: those that the knocks of the door need together
	from, to  int             // the range, both included
}

// scanOf returns the scan of all ports of the protocols of a door.
func scanOf(d *engine.Door) scan {
	s := scan{from: 1, to: portsOfProtocol}
	for _, k := range d.Sequence {
		if !slices.Contains(s.protocols, k.Port.Proto) {
			s.protocols = append(s.protocols, k.Port.Proto)
		}
		if k.Port.Proto == packet.TCP {
			s.flags.Set |= k.Flags.Set
			s.flags.Clear |= k.Flags.Clear
		}
	}
	slices.Sort(s.protocols)
	return s
}

// narrowed returns the scan of the smallest range that has all knocks of a door. Every larger one
// has the same tripwires and perhaps more. So this is the range whose scans open the door most
// often.
func (s scan) narrowed(d *engine.Door) scan {
	s.from, s.to = portsOfProtocol, 0
	for _, k := range d.Sequence {
		s.from, s.to = min(s.from, int(k.Port.Number)), max(s.to, int(k.Port.Number))
	}
	return s
}

func (s scan) packets() int { return (s.to - s.from + 1) * len(s.protocols) }

// names returns the names of the protocols.
func (s scan) names() []string {
	var names []string
	for _, protocol := range s.protocols {
		names = append(names, protocol.String())
	}
	return names
}

// impossible reports whether no packet has the flags that the knocks need together. A SYN with FIN
// or RST is no packet of TCP, and no knock.
func (s scan) impossible() bool {
	return s.flags.Set&s.flags.Clear != 0 || s.flags.Set&packet.SYN != 0 && s.flags.Set&(packet.FIN|packet.RST) != 0
}

// reaches reports whether each knock of a door is among the packets of a scan.
func (s scan) reaches(d *engine.Door) bool {
	return !s.impossible() && !slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port.Number == 0 })
}

// never returns the reason why one scan cannot open a door; "" when it can.
func (s scan) never(d *engine.Door) string {
	switch {
	case len(d.Sequence) > 1 && d.Within <= 0:
		return "no second knock is in time"
	case s.impossible():
		return "its knocks ask for flags that no packet has together"
	}
	for i, k := range d.Sequence {
		if k.Port.Number == 0 {
			return "it has " + k.Port.String() + ", which scans leave out"
		}
		if slices.ContainsFunc(d.Sequence[:i], func(earlier engine.Knock) bool { return earlier.Port == k.Port }) {
			return k.Port.String() + " comes more than once in it"
		}
	}
	return ""
}

// disturbers counts the ports whose packets in a scan change an attempt at d: those of its
// sequence, and those at which any packet ends the attempt.
func (c *checker) disturbers(d *engine.Door, s scan) int {
	n := len(d.Sequence)
	for _, protocol := range s.protocols {
		switch {
		case d.Policy == engine.PolicyKnockd:
			n += c.crowded(d, s, protocol)
		case c.strays(d, s, protocol):
			n += s.to - s.from + 1 - c.spared(d, s, protocol)
		default:
			n += c.tripwires(d, s, protocol)
		}
	}
	return n
}

// strays reports whether a scan's packets to any port are wrong knocks to d.
func (c *checker) strays(d *engine.Door, s scan, protocol packet.Proto) bool {
	k := engine.Knock{Port: packet.Port{Proto: protocol}, Flags: s.flags}
	return d.Strict && d.OnWrong == engine.WrongResets && implies(k, engine.SYN)
}

// spared counts the ports in a scan to which a packet is no wrong knock although d is strict, and
// the ports of d.
func (c *checker) spared(d *engine.Door, s scan, protocol packet.Proto) int {
	spared := ports(d)
	for port := range c.guarded {
		spared[port] = true
	}
	for _, port := range d.Except {
		spared[port] = true
	}
	n := 0
	for port := range spared {
		if port.Proto == protocol && s.has(int(port.Number)) {
			n++
		}
	}
	return n
}

func (s scan) has(number int) bool { return s.from <= number && number <= s.to }

// between counts the elements of a sorted list from low to high, both included.
func between(sorted []int, low, high int) int {
	if low > high {
		return 0
	}
	return sort.SearchInts(sorted, high+1) - sort.SearchInts(sorted, low)
}
