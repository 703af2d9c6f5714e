package naive_test

import (
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file decides which packets are no knocks, whatever the doors have seen before.

// drop returns the name of the drop of the packet at hand, "" when it may be a knock.
func (m *matcher) drop() string {
	if drop := m.undecodable(); drop != "" {
		return drop
	}
	return m.notForUs()
}

// undecodable returns the name of the drop of a packet that no engine gets.
func (m *matcher) undecodable() string {
	s := m.sent
	switch {
	case s.form == foreign:
		return "not_ip"
	case s.form == fragment || s.form == remainder:
		return "fragment"
	case s.proto == gre:
		return "other_protocol"
	case s.form == beheaded && s.proto == icmp4:
		return "truncated"
	case s.form == beheaded && s.proto == udp && s.cut() >= 4 && !m.interesting():
		return "not_watched" // the ports are there
	case s.form == beheaded:
		return "truncated"
	case s.form != unbroken && (s.proto == tcp || s.proto == udp) && !m.interesting():
		return "not_watched"
	case m.broken():
		return "malformed"
	}
	return ""
}

// broken reports whether the headers of a packet contradict themselves, or no host can have sent
// it.
func (m *matcher) broken() bool {
	s := m.sent
	if s.form == wrongSum && s.proto != icmp4 && s.missing() == 0 || s.form == dying {
		return true
	}
	return s.source.IsMulticast() || s.source == netip.IPv4Unspecified() || s.source == everyone
}

// notForUs is drop for packets that are whole and honest.
func (m *matcher) notForUs() string {
	s := m.sent
	m.now = max(m.now, m.at) // time goes on with the packets that come so far
	if m.anyStrict() && s.proto == udp && m.local != nil && m.isLocal(s.source) {
		m.flows = append(m.flows, *s)
	}
	targeted := slices.ContainsFunc(m.states, func(d *state) bool { return d.Target == s.dest })
	switch {
	case !m.isLocal(s.dest) && !targeted:
		return "not_local"
	case len(m.tripped()) == 0 && !m.wantedBySome() && !(m.anyStrict() && m.stray()):
		if s.nonsense() {
			return "malformed"
		}
		return "not_watched"
	case m.local == nil && (s.dest.IsMulticast() || s.dest == everyone) && !targeted:
		return "not_local"
	case m.own(s.source):
		return "malformed"
	}
	return m.seen()
}

// seen returns "duplicate" or "retransmit" when the packet at hand came before.
func (m *matcher) seen() string {
	s := m.sent
	for _, earlier := range m.copies {
		if m.now-earlier.at <= copyTime && s.isCopy(earlier, m.headers(s)) {
			return "duplicate"
		}
	}
	original := *s
	original.at = m.now
	m.copies = append(m.copies, original)
	if s.proto != tcp {
		return ""
	}
	now := memory{m.now, s.source, s.dest, s.from, s.to, s.sequence}
	for _, was := range m.segments {
		if m.now-was.at < resendTime {
			if was.at = m.now; was == now {
				return "retransmit"
			}
		}
	}
	m.segments = append(m.segments, now)
	return ""
}

// own reports whether an address is one of this host, so that nobody outside has it.
func (m *matcher) own(a netip.Addr) bool {
	return slices.ContainsFunc(m.local, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr() == a })
}

func (m *matcher) anyStrict() bool {
	return slices.ContainsFunc(m.states, func(d *state) bool {
		return d.Strict && !d.Listen && d.Policy == engine.PolicySesame
	})
}

// wantedBySome reports whether the packet is a knock of a door, whatever its payload.
func (m *matcher) wantedBySome() bool {
	return slices.ContainsFunc(m.states, func(d *state) bool {
		if !m.accepts(d.Door) {
			return false
		}
		if d.Policy == engine.PolicyKnockd {
			return d.asks(m.sent)
		}
		return d.wants(m.sent)
	})
}

// interesting reports whether some door needs the port of the packet, and flags as it has them.
func (m *matcher) interesting() bool {
	s, strict := m.sent, slices.ContainsFunc(m.states, func(d *state) bool { return d.Strict })
	var knocks []engine.Knock
	for _, d := range m.states {
		knocks = append(knocks, d.Sequence...)
	}
	for _, w := range m.wires {
		if !m.guarded(w.Port) {
			knocks = append(knocks, w)
		}
	}
	flags := s.flags&syn != 0 && s.flags&ack == 0
	port := strict
	for _, k := range knocks {
		flags = flags || k.Port.Proto == packet.TCP && k.Flags != engine.SYN
		port = port || k.Port == s.port()
	}
	return port && (flags || s.proto == udp)
}

func (m *matcher) guarded(p packet.Port) bool {
	return slices.ContainsFunc(m.states, func(d *state) bool { return slices.Contains(d.Guards, p) })
}

// stray reports whether a packet that is no knock is a wrong one for a strict door.
func (m *matcher) stray() bool {
	s := m.sent
	if s.proto == tcp && (s.flags&syn == 0 || s.flags&ack != 0 || s.nonsense()) || s.proto != tcp && s.proto != udp {
		return false
	}
	return m.unasked()
}

// unasked reports whether nobody offered the port to the source, or asked the source for an answer.
func (m *matcher) unasked() bool {
	s := m.sent
	if m.guarded(s.port()) || slices.ContainsFunc(m.grants, func(g grant) bool {
		return g.source == s.source && g.port == s.port() && m.now < g.until
	}) {
		return false
	}
	return s.proto == tcp || !slices.ContainsFunc(m.flows, func(f sent) bool {
		return f.source == s.dest && f.dest == s.source && f.from == s.to && f.to == s.from
	})
}
