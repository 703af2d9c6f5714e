package engine

import (
	"slices"

	"sesame/daemon/packet"
)

// This file matches packets by the rules of knockd: see [PolicyKnockd].

// offerGroups hands a packet to the groups, which are in order, that act before the door at a
// position. It returns the others.
func (e *Engine) offerGroups(groups []*groupPort, before int, p *packet.Packet) []*groupPort {
	for len(groups) > 0 && groups[0].order < before {
		n := 1
		if len(groups) > 1 && groups[1].group == groups[0].group {
			n = 2 // its doors that have this target, and those that have none
		}
		e.offerGroup(groups[:n], p)
		groups = groups[n:]
	}
	return groups
}

// offerGroup hands a packet to a group. If its source has an attempt in the group, the packet
// begins no other, also when the attempt ends now. ports has the port once for the doors
// without a target and once for those with this one.
func (e *Engine) offerGroup(ports []*groupPort, p *packet.Packet) {
	counts := false
	for _, at := range ports {
		if at.idle() {
			at.deactivate()
		} else {
			counts = counts || holdsAny(at.tests, p)
		}
	}
	if !counts || e.advanceInGroup(ports[0].group, p) {
		return
	}
	e.beginning = e.beginning[:0]
	for _, at := range ports {
		e.beginning = append(e.beginning, at.first...)
	}
	if len(ports) > 1 {
		slices.SortFunc(e.beginning, func(a, b *door) int { return a.order - b.order })
	}
	for _, d := range e.beginning {
		if d.Holds(0, p) {
			e.judge(d, e.beginInGroup(d, p))
		}
	}
}

// advanceInGroup offers a packet to the attempts of its source in a group, in the order of
// their doors, and reports whether there are any.
func (e *Engine) advanceInGroup(g *group, p *packet.Packet) bool {
	e.findAll(g, p)
	for _, f := range e.inProgress {
		e.judge(f.door, e.applyGroupRules(f.door, f.slot, p))
	}
	return len(e.inProgress) > 0
}

// findAll puts the attempts of a packet's source into e.inProgress, in the order of their
// doors. It leaves out expired ones, and doors that do not accept the destination.
func (e *Engine) findAll(g *group, p *packet.Packet) {
	e.inProgress = e.inProgress[:0]
	if g.live == 0 {
		return
	}
	for slot := range e.attempts.all(attemptKey{p.Source.As16(), g.id}) {
		if d := e.index.byID[e.attempts.slots.at(slot).door]; d != nil && d.Accepts(p.Dest, e.ours) {
			e.inProgress = append(e.inProgress, progress{d, slot})
		}
	}
	e.inProgress = e.unexpired(e.inProgress)
}

// applyGroupRules applies the rules of knockd to an attempt. A packet with other flags than the
// door requires, or a retransmit, changes nothing. Any other packet but the expected knock ends
// the attempt.
func (e *Engine) applyGroupRules(d *door, slot int32, p *packet.Packet) move {
	h, stage := e.hitOf(p), e.stage(slot)
	switch {
	case p.Port.Proto == packet.TCP && !d.Flags.Holds(p.Flags):
		return move{ruling: Ignored, why: OtherFlags, before: stage, stage: stage}
	case e.resent(slot, d, h):
		return move{ruling: Ignored, why: ResentSegment, before: stage, stage: stage}
	case d.Holds(stage, p):
		return e.advance(d, slot, h)
	case d.Wants(p):
		return e.disturb(d, slot, OutOfTurn, OutOfOrder, nil)
	}
	return e.disturb(d, slot, StrayPacket, WrongPort, nil)
}

// beginInGroup counts the first knock of a door of a group. If Within is zero, the attempt is
// over as soon as it was reported.
func (e *Engine) beginInGroup(d *door, p *packet.Packet) move {
	switch {
	case len(d.Sequence) == 1:
		return move{ruling: Finished, stage: 1, reason: e.completeSequence(d)}
	case d.Within <= 0:
		e.counts.Misses++
		d.totals.miss(FirstStage)
		e.reachStage(d, p.Source, 1)
		e.judge(d, move{ruling: Began, stage: 1})
		if e.explanation != nil {
			e.explanation.timedOut(d, p.Source, move{ruling: Ended, before: 1, reason: TotalTimeout}, e.now)
		}
		return move{} // judged already
	}
	return e.beginAttempt(d, attemptKey{p.Source.As16(), d.key}, e.hitOf(p))
}
