package engine

import (
	"slices"

	"sesame/daemon/packet"
)

// This file finds the doors that a packet concerns, and hands it to them.

// match offers a packet to the doors and groups that it concerns, in their order. A group acts
// at the position of its first door.
func (e *Engine) match(p *packet.Packet, here *portDoors) {
	e.unfit = false
	tripped := e.trip()
	counted := e.gather(p, here) || tripped
	e.offered = append(e.offered, e.index.strict...)
	if len(e.offered) > 1 {
		slices.SortFunc(e.offered, func(a, b *door) int { return a.order - b.order })
	}
	groups := e.gathered
	for i, d := range e.offered {
		if i == 0 || e.offered[i-1] != d {
			if len(groups) > 0 {
				groups = e.offerGroups(groups, d.order, p)
			}
			m := e.offer(d, p)
			e.judge(d, m)
			counted = counted || m.isKnock()
		}
	}
	if len(groups) > 0 {
		e.offerGroups(groups, len(e.index.doors), p)
	}
	switch {
	case counted:
		e.counts.Knocks++
	case e.unfit:
		e.counts.Dropped[packet.OtherPayload]++
	}
}

// gather puts the doors and groups at a port that p concerns into e.offered and e.gathered, and
// reports whether p can be a knock of one of them.
func (e *Engine) gather(p *packet.Packet, here *portDoors) bool {
	e.offered, e.gathered = e.offered[:0], e.gathered[:0]
	if here == nil {
		return false
	}
	counted := e.ours && e.gatherAt(here, p)
	if here.byTarget != nil && here.byTarget[p.Dest] != nil {
		counted = e.gatherAt(here.byTarget[p.Dest], p) || counted
		slices.SortFunc(e.gathered, func(a, b *groupPort) int { return a.order - b.order })
	}
	return counted
}

// gatherAt gathers the doors and groups of one portDoors, which all have the same target, or all
// have none. Whether p is a knock of a door with a payload test is for [Engine.offer] to find out.
func (e *Engine) gatherAt(here *portDoors, p *packet.Packet) bool {
	if !here.holds(p) {
		return false
	}
	e.offered = append(append(e.offered, here.first...), here.active...)
	e.gathered = append(e.gathered, here.groups...)
	return here.counts(p)
}

// offer hands a packet to one door.
func (e *Engine) offer(d *door, p *packet.Packet) move {
	if !e.test(TestDestination, d.Door, d.Accepts(p.Dest, e.ours)) {
		return move{}
	}
	wanted := e.test(TestKnock, d.Door, d.Wants(p))
	switch {
	case wanted && d.Payload != nil && !e.test(TestPayload, d.Door, e.fits(d, p)):
		return move{ruling: Ignored, why: OtherBytes}
	case wanted && d.Listen:
		e.handleListener(d)
		return move{ruling: Finished, stage: 1}
	case wanted && len(d.Sequence) == 1:
		return move{ruling: Finished, stage: 1, reason: e.completeSequence(d)}
	case wanted || e.disturbs(d, p):
		return e.offerAttempt(d, p, wanted)
	}
	return move{}
}

// offerAttempt hands a packet to the attempt of its source in a door, or begins one. wanted means
// that it is a knock of the door.
func (e *Engine) offerAttempt(d *door, p *packet.Packet, wanted bool) move {
	if begins := d.Sequence[0].Holds(p); begins || d.live > 0 {
		key := attemptKey{p.Source.As16(), d.key}
		switch slot := e.lookUp(d, key); {
		case slot != 0:
			return e.handleKnock(d, slot, p)
		case begins:
			return e.beginAttempt(d, key, e.hitOf(p))
		}
	}
	if wanted {
		return move{ruling: Ignored, why: OutOfTurn}
	}
	return move{}
}

// disturbs reports whether p is a wrong knock to d although no knock of d has its port.
func (e *Engine) disturbs(d *door, p *packet.Packet) bool {
	return d.Strict && d.live > 0 && !slices.Contains(d.Except, p.Port) && e.stray(p)
}

// lookUp returns the slot of an attempt, or 0 when there is none that has time left.
func (e *Engine) lookUp(d *door, key attemptKey) int32 {
	slot := e.attempts.find(key)
	if slot != 0 && e.expired(slot, d) {
		e.dropFirstStage(slot, d, NoWhy)
		return 0
	}
	return slot
}
