package engine

import (
	"sesame/daemon/packet"
)

// classify returns why p is no knock, or Kept. here are the doors at its port. It runs before
// the rules of any door, so all policies see the same packets.
func (e *Engine) classify(p *packet.Packet, here *portDoors) packet.Drop {
	if len(e.index.strict) > 0 && p.Port.Proto == packet.UDP && e.local.has(p.Source) {
		e.flows.add(e.secret.flow(p.Source, p.Dest, p.SourcePort, p.Port.Number))
	}
	e.ours = e.hasLocal(p.Dest)
	if !e.test(TestHost, nil, e.ours || e.index.targets[p.Dest]) {
		return packet.NotLocal
	}
	e.findTripped(here, p) // ends nothing yet: match does, unless p is malformed or a retransmit
	if !e.test(TestPort, nil, len(e.tripped) > 0 || here != nil && here.want(p, e.ours) || len(e.index.strict) > 0 && e.stray(p)) {
		if isOdd(p) {
			return packet.Malformed
		}
		return packet.NotWatched
	}
	if e.local == nil && isGroup(p.Dest) && !e.index.targets[p.Dest] {
		return packet.NotLocal // the addresses of this host are not known, but this is none
	}
	if !e.test(TestSource, nil, (!e.own.has(p.Source) || p.Loopback) && !p.Source.IsUnspecified()) {
		return packet.Malformed
	}
	drop := e.again(p)
	e.test(TestNew, nil, drop == packet.NotDropped)
	return drop
}

// stray reports whether p is a wrong knock to strict doors. An impossible packet is none: what is
// malformed changes nothing.
func (e *Engine) stray(p *packet.Packet) bool {
	if p.Port.Proto == packet.TCP && !SYN.Holds(p.Flags) || p.Port.Proto == packet.ICMP || isOdd(p) {
		return false
	}
	return e.unasked(p)
}

// unasked reports whether p asks for something that this host does not offer to the source and did
// not ask it for. What this host asks for by UDP is known only in a set with a strict door: else
// the kernel's filter keeps outgoing datagrams from the engine.
func (e *Engine) unasked(p *packet.Packet) bool {
	if e.index.guards[p.Port] || e.grants.reaches(p.Source, p.Port) {
		return false
	}
	return p.Port.Proto == packet.TCP ||
		!e.flows.has(e.secret.flow(p.Dest, p.Source, p.Port.Number, p.SourcePort))
}
