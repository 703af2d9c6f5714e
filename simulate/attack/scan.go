package attack

import (
	"strings"
	"time"

	"sesame/daemon/packet"
)

// An Order is the order in which a scan comes to the ports.
type Order uint8

// The orders. Random is another permutation for each seed, and for each sweep of a scan.
const (
	Up Order = iota
	Down
	Random
)

// String returns the order as people write it.
func (o Order) String() string { return [...]string{"up", "down", "random"}[o] }

// A Scan sends sweeps, one after the other. A sweep is one packet to each port from From to To,
// both included, of each protocol.
type Scan struct {
	Order Order
	// Protocols are in the order in which the scan has them. With InTurn it sends to a number by
	// all protocols before the next number, else to all numbers by the first protocol before the
	// next one. A random order mixes all.
	Protocols []packet.Proto
	InTurn    bool
	Flags     packet.Flags // of TCP
	From, To  uint16       // at least 1
	Times     int          // sweeps
	Rate      Rate
}

// A Rate is how many packets are sent in each time. Both are above zero.
type Rate struct {
	Count int
	Per   time.Duration
}

// Sweep returns how many packets a sweep has.
func (s *Scan) Sweep() int { return s.numbers() * len(s.Protocols) }

// Packets returns how many packets the scan has.
func (s *Scan) Packets() int { return s.Sweep() * s.Times }

// After returns how long after the first packet of the scan packet i is sent. The first is 0.
func (s *Scan) After(i int) time.Duration {
	n := s.Rate.Count
	return time.Duration(i/n)*s.Rate.Per + time.Duration(i%n)*s.Rate.Per/time.Duration(n)
}

func (s *Scan) numbers() int { return int(s.To) - int(s.From) + 1 }

// at returns port i of a sweep that is not random. The first is 0.
func (s *Scan) at(i int) packet.Port {
	rank, number := i/s.numbers(), i%s.numbers()
	if s.InTurn {
		rank, number = i%len(s.Protocols), i/len(s.Protocols)
	}
	if s.Order == Down {
		number = s.numbers() - 1 - number
	}
	return packet.Port{Proto: s.Protocols[rank], Number: s.From + uint16(number)}
}

// has reports whether a sweep sends to a port.
func (s *Scan) has(p packet.Port) bool {
	return p.Number >= s.From && p.Number <= s.To && s.rank(p.Proto) >= 0
}

// rank returns the position of a protocol among those of the scan; -1: it is none of them.
func (s *Scan) rank(protocol packet.Proto) int {
	for i, p := range s.Protocols {
		if p == protocol {
			return i
		}
	}
	return -1
}

// index is the reverse of at.
func (s *Scan) index(p packet.Port) int {
	rank, number := s.rank(p.Proto), int(p.Number-s.From)
	if s.Order == Down {
		number = s.numbers() - 1 - number
	}
	if s.InTurn {
		return number*len(s.Protocols) + rank
	}
	return rank*s.numbers() + number
}

// String returns "up, TCP before UDP".
func (s *Scan) String() string {
	names := make([]string, len(s.Protocols))
	for i, protocol := range s.Protocols {
		names[i] = strings.ToUpper(protocol.String())
	}
	switch {
	case len(names) < 2 || s.Order == Random:
		return s.Order.String() + ", " + strings.Join(names, " and ")
	case s.InTurn:
		return s.Order.String() + ", " + strings.Join(names, " and ") + " in turn"
	}
	return s.Order.String() + ", " + strings.Join(names, " before ")
}

// Ways returns the ways in which sweeps in an order can have one or two protocols. An attacker does
// not know which is the best.
func Ways(order Order, protocols []packet.Proto) []Scan {
	one := Scan{Order: order, Protocols: protocols}
	if len(protocols) < 2 || order == Random {
		return []Scan{one}
	}
	swapped := Scan{Order: order, Protocols: []packet.Proto{protocols[1], protocols[0]}}
	turns, swappedTurns := one, swapped
	turns.InTurn, swappedTurns.InTurn = true, true
	return []Scan{one, swapped, turns, swappedTurns}
}
