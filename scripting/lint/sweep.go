package lint

import (
	"cmp"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A sweep is the order in which a scanner goes through its ports.
type sweep struct {
	scan        scan
	down        bool // from high to low
	interleaved bool // both protocols of a number, and then the next number; else one after the other
}

// sweeps returns the sweeps of a scan. Each order of two protocols counts.
func sweeps(s scan) []sweep {
	all := []sweep{{scan: s}, {scan: s, down: true}}
	if len(s.protocols) > 1 {
		swapped := s
		swapped.protocols = slices.Clone(s.protocols)
		slices.Reverse(swapped.protocols)
		all = append(all, sweep{scan: swapped}, sweep{scan: swapped, down: true})
		for _, one := range slices.Clone(all) {
			one.interleaved = true
			all = append(all, one)
		}
	}
	return all
}

// at returns the time of a port in a sweep, counted in ports that the sweep could have. A rank is
// a position in its protocols.
func (w sweep) at(rank, number int) int {
	if w.down {
		number = w.scan.from + w.scan.to - number
	}
	if w.interleaved {
		return number*len(w.scan.protocols) + rank
	}
	return rank*(portsOfProtocol+1) + number
}

// numbers returns the first and the last port of a protocol whose times lie between two times,
// both excluded. There are none when the first is above the last.
func (w sweep) numbers(rank, after, before int) (low, high int) {
	low, high = w.scan.from, w.scan.to
	if w.interleaved {
		n := len(w.scan.protocols)
		low, high = max(low, floor(after-rank, n)+1), min(high, -floor(rank-before, n)-1)
	} else {
		start := rank * (portsOfProtocol + 1)
		low, high = max(low, after-start+1), min(high, before-start-1)
	}
	if w.down {
		low, high = w.scan.from+w.scan.to-high, w.scan.from+w.scan.to-low
	}
	return low, high
}

// floor divides a number, which may be negative, and rounds down.
func floor(a, by int) int {
	if a < 0 {
		return -((-a + by - 1) / by)
	}
	return a / by
}

// A stop is a port of a door in a sweep.
type stop struct {
	port packet.Port
	at   int
}

// stops returns the ports of a door in the order of a sweep.
func (w sweep) stops(d *engine.Door) []stop {
	var stops []stop
	for port := range ports(d) {
		stops = append(stops, stop{port, w.at(slices.Index(w.scan.protocols, port.Proto), int(port.Number))})
	}
	slices.SortFunc(stops, func(a, b stop) int { return cmp.Compare(a.at, b.at) })
	return stops
}

// opened returns how many sweeps, one after the other and in time, open a door; 0 when most of
// them do not.
func (c *checker) opened(d *engine.Door, w sweep, most int) int {
	stops := w.stops(d)
	const end = 1 << 30
	var run []engine.Knock
	for n := 1; n <= most; n++ {
		last := -1
		for _, s := range stops {
			if c.disturbed(d, w, last, s.at) {
				run = nil
			}
			last = s.at
			if run = c.next(d, run, engine.Knock{Port: s.port, Flags: w.scan.flags}); len(run) == len(d.Sequence) {
				return n
			}
		}
		if c.disturbed(d, w, last, end) {
			run = nil
		}
	}
	return 0
}

// disturbed reports whether a sweep meets a port between two times that ends every attempt at d
// and is not its own.
func (c *checker) disturbed(d *engine.Door, w sweep, after, before int) bool {
	for rank, protocol := range w.scan.protocols {
		low, high := w.numbers(rank, after, before)
		if c.meets(d, engine.Knock{Port: packet.Port{Proto: protocol}, Flags: w.scan.flags}, low, high) {
			return true
		}
	}
	return false
}

// meets reports whether some port from low to high, none of d itself, ends every attempt at d when
// a packet like k comes to it.
func (c *checker) meets(d *engine.Door, k engine.Knock, low, high int) bool {
	if c.wiresBetween(d, class{k.Port.Proto, k.Flags}, low, high) > 0 {
		return true
	}
	if d.Policy == engine.PolicyKnockd {
		return c.crowded(d, scan{flags: k.Flags, from: low, to: high}, k.Port.Proto) > 0
	}
	for number := low; d.Strict && d.OnWrong == engine.WrongResets && number <= high; number++ {
		if k.Port.Number = uint16(number); !lists(d, engine.Knock{Port: k.Port}) && c.minds(d, k) {
			return true
		}
	}
	return false
}

// String returns "from low to high, TCP before UDP".
func (w sweep) String() string {
	text := "from low to high"
	if w.down {
		text = "from high to low"
	}
	switch names := w.scan.names(); {
	case len(names) < 2:
		return text
	case w.interleaved:
		return text + ", both protocols of a number before the next"
	default:
		return text + ", " + strings.ToUpper(names[0]) + " before " + strings.ToUpper(names[1])
	}
}
