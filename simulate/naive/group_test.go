package naive_test

import (
	"net/netip"
	"slices"

	"sesame/daemon/engine"
)

// This file has the rules of knockd: a source that has attempts in a group advances or ends them
// with each packet, and begins others only when it has none.

type group struct {
	attempts map[netip.Addr][]*attempt
}

type attempt struct {
	door   *state
	knocks []knock
}

// offerGroup gives a packet to a group, and reports whether it is a knock of one of its doors.
func (m *matcher) offerGroup(name string) bool {
	s, g := m.sent, m.groups[name]
	var doors []*state
	for _, d := range m.states {
		if d.Policy == engine.PolicyKnockd && d.Group == name && m.accepts(d.Door) {
			doors = append(doors, d)
		}
	}
	asked := slices.ContainsFunc(doors, func(d *state) bool { return d.asks(s) })
	if !asked {
		return false
	}
	going := false
	g.attempts[s.source] = slices.DeleteFunc(g.attempts[s.source], func(a *attempt) bool {
		if m.now-a.knocks[0].at >= int64(a.door.Within) {
			return true
		}
		if !m.accepts(a.door.Door) {
			return false
		}
		going = true
		return m.handle(a)
	})
	for _, d := range doors {
		if !going && d.isKnockd(s, 0) {
			m.begin(g, d)
		}
	}
	return true
}

// handle gives a packet to an attempt, and reports whether that is over.
func (m *matcher) handle(a *attempt) bool {
	s, d, k := m.sent, a.door, knock{m.now, *m.sent}
	switch n := len(a.knocks); {
	case s.proto == tcp && !holds(d.Flags, s.flags), slices.ContainsFunc(a.knocks, k.again):
		return false
	case !d.isKnockd(s, n):
		return true
	case n+1 == len(d.Sequence):
		m.reach(d.Door, n+1)
		m.complete(d)
		return true
	default:
		a.knocks = append(a.knocks, k)
		m.reach(d.Door, n+1)
		return false
	}
}

func (m *matcher) begin(g *group, d *state) {
	m.reach(d.Door, 1)
	switch {
	case len(d.Sequence) == 1:
		m.complete(d)
	case d.Within > 0:
		g.attempts[m.sent.source] = append(g.attempts[m.sent.source], &attempt{d, []knock{{m.now, *m.sent}}})
	}
}

// asks reports whether a packet has a port of the door, and its flags.
func (d *state) asks(s *sent) bool {
	for i := range d.Sequence {
		if d.isKnockd(s, i) {
			return true
		}
	}
	return false
}

func (d *state) isKnockd(s *sent, place int) bool {
	k := d.Sequence[place]
	return s.port() == k.Port && (s.proto == udp || s.proto == tcp && holds(k.Flags, s.flags))
}

func holds(t engine.FlagTest, flags uint8) bool {
	return flags&uint8(t.Set) == uint8(t.Set) && flags&uint8(t.Clear) == 0
}
