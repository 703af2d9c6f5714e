package engine

import (
	"net/netip"
	"slices"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file judges packets at doors whose rules they do not reach, because the port, the protocol,
// the flags or the destination are others. That changes nothing: such a packet is no knock.

// Unwatched reports the judgments of a packet that no door watches: one that the filter of the
// set's [Interest] would have kept from the engine. It is no input. It moves no time, counts
// nothing, and decides nothing. The packet may be earlier or later than the engine's time.
func (e *Engine) Unwatched(p *packet.Packet) {
	if x := e.explanation; x != nil {
		x.begins()
		x.unwatched(p, wire.Time(max(e.now, wire.Nanoseconds(p.Time))).UnixNano())
	}
}

func (x *explanation) unwatched(p *packet.Packet, now int64) {
	e := x.engine
	// See classify: a group is no address of this host, also when those are not known.
	l := look{p, now, e.hasLocal(p.Dest) && (e.local != nil || !isGroup(p.Dest))}
	switch {
	case e.own.has(p.Source) && !p.Loopback, p.Source.IsUnspecified(), isOdd(p):
		x.tell(&l, ImpossiblePacket, Origin{})
	case x.guarded(&l):
	case p.Port.Proto == packet.TCP && x.resends(&l):
	default:
		x.elsewhere(&l)
	}
}

// A look is a packet that is judged beside the rules, at a time.
type look struct {
	*packet.Packet
	now  int64
	ours bool // it is to an address of this host
}

// asks reports whether a packet asks for something, so that it can be meant as a knock.
func (l *look) asks() bool {
	return l.Port.Proto == packet.UDP || l.Port.Proto == packet.TCP && SYN.Holds(l.Flags)
}

// doorsBy finds doors for packets that are nearly their knocks. It is made when it is needed.
type doorsBy struct {
	number map[uint16][]*door // with a knock at a port of that number, in order
	guard  map[packet.Port]*door
}

// doorsChanged makes the doors be arranged again.
func (x *explanation) doorsChanged() {
	if x != nil {
		x.doors = doorsBy{}
	}
}

// arrange arranges the present doors.
func (x *explanation) arrange() *doorsBy {
	if x.doors.number != nil {
		return &x.doors
	}
	x.doors = doorsBy{make(map[uint16][]*door), make(map[packet.Port]*door)}
	for _, d := range x.engine.index.doors {
		for _, k := range d.Sequence {
			if there := x.doors.number[k.Port.Number]; len(there) == 0 || there[len(there)-1] != d {
				x.doors.number[k.Port.Number] = append(there, d)
			}
		}
		for _, g := range d.Guards {
			if x.doors.guard[g] == nil {
				x.doors.guard[g] = d
			}
		}
	}
	return &x.doors
}

// begins begins the judgments of a packet.
func (x *explanation) begins() {
	if x != nil {
		x.judged = x.judged[:0]
	}
}

// matched judges a packet that was offered to doors at the others.
func (x *explanation) matched(p *packet.Packet) {
	if x != nil {
		l := look{p, x.engine.now, x.engine.ours}
		x.guarded(&l)
		x.elsewhere(&l)
	}
}

// dropped judges a packet that is no knock of any door.
func (x *explanation) dropped(p *packet.Packet, drop packet.Drop) {
	if x == nil {
		return
	}
	l := look{p, x.engine.now, x.engine.ours}
	// The others need nothing.
	//exhaustive:ignore
	switch drop {
	case packet.Malformed:
		x.tell(&l, ImpossiblePacket, Origin{})
	case packet.Retransmit:
		x.tell(&l, ResentSegment, x.original(p))
	case packet.Duplicate:
		x.tell(&l, CopyOfPacket, x.copied(p))
	default:
		x.unwatched(p, x.engine.now)
	}
}

// tell reports a judgment that is the same for all doors: the packet was ignored.
func (x *explanation) tell(l *look, why Why, original Origin) {
	j := x.look(nil, l, move{ruling: Ignored, why: why})
	j.Original = original
	x.report(j)
}

// look begins a judgment about a look.
func (x *explanation) look(d *door, l *look, m move) *Judgment {
	j := x.begin(d, l.Source, m)
	j.Time = wire.Time(l.now)
	x.describe(j, l.Packet)
	return j
}

// resends reports a segment to a port that no door watches, if it came before. Such segments are
// remembered for the explanation alone.
func (x *explanation) resends(l *look) bool {
	hash := x.engine.segment(l.Packet)
	if original, _ := x.originals.get(hash, l.now); original != nil {
		x.tell(l, ResentSegment, *original)
		return true
	}
	x.keep(hash, l.Packet)
	return false
}

// elsewhere judges a packet at the doors that have a knock with the number of its port, and where
// its source has an attempt. A packet that concerns no door has one judgment without a door.
func (x *explanation) elsewhere(l *look) {
	for _, d := range x.arrange().number[l.Port.Number] {
		x.near(d, l)
	}
	if l.asks() {
		x.inProgress(l)
	}
	switch {
	case len(x.judged) > 0:
	case !l.ours:
		x.tell(l, OtherDestination, Origin{})
	default:
		x.tell(l, OtherPort, Origin{})
	}
}

// near judges a packet at a door whose rules did not get it, when one thing makes it no knock.
func (x *explanation) near(d *door, l *look) {
	why := d.differs(l)
	if why == NoWhy || slices.Contains(x.judged, d) {
		return
	}
	x.judged = append(x.judged, d)
	stage, ended := x.stageOf(d, l.Source, l.now)
	j := x.look(d, l, move{ruling: Ignored, why: why, before: stage, stage: stage})
	x.addLate(j, d, ended, l.Packet)
	x.report(j)
}

// differs returns the one thing that makes a packet no knock of a door, NoWhy when there are
// several. The number of the port is that of a knock.
func (d *door) differs(l *look) (why Why) {
	for i, k := range d.Sequence {
		switch {
		case k.Port.Number != l.Port.Number:
		case d.Holds(i, l.Packet):
			why = OutOfTurn
		case why == OutOfTurn:
		case k.Port == l.Port:
			why = OtherFlags
		case why == NoWhy && l.asks():
			why = OtherProtocol
		}
	}
	switch {
	case d.Accepts(l.Dest, l.ours):
		return why
	case why == OutOfTurn && (d.Payload == nil || d.Payload.Misfit(l.Packet) == ""):
		return OtherDestination
	}
	return NoWhy
}

// inProgress judges a packet at the other doors where its source has an attempt.
func (x *explanation) inProgress(l *look) {
	e := x.engine
	if !e.attempts.bySource {
		for _, d := range e.index.doors {
			if d.live > 0 {
				x.otherPort(d, l)
			}
		}
		return
	}
	var found []*door
	for slot := range e.attempts.ofSource(l.Source.As16()) {
		if d := e.index.byID[e.attempts.slots.at(slot).door]; d != nil {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b *door) int { return a.order - b.order })
	for _, d := range found {
		x.otherPort(d, l)
	}
}

func (x *explanation) otherPort(d *door, l *look) {
	if slices.Contains(x.judged, d) || !d.Accepts(l.Dest, l.ours) {
		return
	}
	if stage, _ := x.stageOf(d, l.Source, l.now); stage > 0 {
		x.judged = append(x.judged, d)
		x.report(x.look(d, l, move{ruling: Ignored, why: OtherPort, before: stage, stage: stage}))
	}
}

// stageOf returns how many knocks of a door a source has done, and what its latest attempt awaited
// if time has ended that. It reckons with the timers that will have fired at now.
func (x *explanation) stageOf(d *door, source netip.Addr, now int64) (stage int, ended timeout) {
	ended = x.timeout(d, source)
	slot := x.find(d, source)
	if slot == 0 {
		return 0, ended
	}
	r := x.engine.attempts.runOf(slot)
	if r == nil {
		if due, limit := x.runsOut(d, slot); now >= due {
			return 0, timeout{1, due, limit}
		}
		return 1, ended
	}
	hits := r.hits
	for len(hits) > 0 {
		due, limit := runsOut(d, hits)
		if now < due {
			break
		}
		ended = timeout{len(hits), due, limit}
		if hits = hits[1:]; d.group != nil {
			hits = nil
		}
		hits = longestRun(d, hits, due)
	}
	return len(hits), ended
}
