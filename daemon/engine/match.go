package engine

import (
	"slices"

	"sesame/daemon/packet"
)

// A run is what an attempt needs from its second stage on: each of its knocks,
// so that a shorter run among them can be found when the longer one fails.
type run struct {
	door  *door
	slot  int32 // of its attempt
	hits  []hit // one a stage
	timer timer
}

// A hit is a knock that counted.
type hit struct {
	port     packet.Port
	flags    packet.Flags
	from     uint16 // source port
	sequence uint32 // of TCP
	at       int64
}

func (e *Engine) hitOf(p *packet.Packet) hit {
	return hit{port: p.Port, flags: p.Flags, from: p.SourcePort, sequence: p.Sequence, at: e.now}
}

// repeats reports whether h is another's retransmit.
func (h hit) repeats(other hit) bool {
	return h.port.Proto == packet.TCP && h.port == other.port && h.from == other.from && h.sequence == other.sequence
}

// is reports whether the hit is the knock k.
func (h hit) is(k Knock) bool {
	return h.port == k.Port && (k.Port.Proto != packet.TCP || k.Flags.Holds(h.flags))
}

// match offers a packet to the doors and groups that it concerns, in their
// order. A group acts in the place of its first door.
func (e *Engine) match(p *packet.Packet, here *portDoors) {
	counted := e.gather(p, here)
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
			counted = e.offer(d, p) || counted
		}
	}
	if len(groups) > 0 {
		e.offerGroups(groups, len(e.index.doors), p)
	}
	if counted {
		e.counts.Knocks++
	}
}

// gather puts the doors and groups at a port that p concerns into e.offered and
// e.gathered, and reports whether it can be a knock of some of them.
func (e *Engine) gather(p *packet.Packet, here *portDoors) bool {
	e.offered, e.gathered = e.offered[:0], e.gathered[:0]
	if here == nil {
		return false
	}
	counted := e.ours && e.gatherAt(here, p)
	if here.aimed != nil && here.aimed[p.Dest] != nil {
		counted = e.gatherAt(here.aimed[p.Dest], p) || counted
		slices.SortFunc(e.gathered, func(a, b *groupPort) int { return a.order - b.order })
	}
	return counted
}

// gatherAt gathers the doors and groups that are together at a port, whatever
// the destination.
func (e *Engine) gatherAt(here *portDoors, p *packet.Packet) bool {
	if !holdsAny(here.tests, p) {
		return false
	}
	e.offered = append(append(e.offered, here.first...), here.active...)
	e.gathered = append(e.gathered, here.groups...)
	return true
}

// offer hands a packet to one door, and reports whether it meant anything there.
func (e *Engine) offer(d *door, p *packet.Packet) bool {
	if !d.Accepts(p.Dest, e.ours) {
		return false
	}
	wanted := d.wants(p)
	switch {
	case wanted && d.Listen:
		e.handleListener(d)
		return true
	case wanted && len(d.Sequence) == 1:
		e.completeSequence(d)
		return true
	case !wanted && !e.disturbs(d, p):
		return false
	}
	begins := d.Sequence[0].Holds(p)
	if d.live == 0 && !begins {
		return wanted
	}
	key := attemptKey{p.Source.As16(), d.key}
	switch slot := e.lookUp(d, key); {
	case slot != 0:
		e.handleKnock(d, slot, p)
	case begins:
		e.beginAttempt(d, key, e.hitOf(p))
	default:
		return wanted
	}
	return true
}

// disturbs reports whether p is a wrong knock to d although d does not list it.
func (e *Engine) disturbs(d *door, p *packet.Packet) bool {
	return d.Strict && d.live > 0 && !slices.Contains(d.Except, p.Port) && e.stray(p)
}

// lookUp returns the slot of an attempt that is not over, or 0.
func (e *Engine) lookUp(d *door, key attemptKey) int32 {
	slot := e.attempts.find(key)
	if slot != 0 && e.expired(slot, d) {
		e.forget(slot, d)
		return 0
	}
	return slot
}

// handleKnock applies the tests, in their order, to a packet of a source that has an
// attempt: a retransmit, expected, a forgiven repeat, wrong. An attempt knows
// its own retransmits, whatever a flood has made the engine forget.
func (e *Engine) handleKnock(d *door, slot int32, p *packet.Packet) {
	h := e.hitOf(p)
	stage := e.stage(slot)
	switch {
	case e.resent(slot, d, h):
	case d.Sequence[stage].Holds(p):
		e.advance(d, slot, h)
	case d.Duplicates == DuplicatesIgnored && d.Sequence[stage-1].Holds(p):
		if stage == 1 {
			e.restart(slot, h)
		}
	case d.OnWrong == WrongResets:
		e.fallBack(d, slot, h)
	}
}

// resent reports whether h is a retransmit of a knock of the attempt.
func (e *Engine) resent(slot int32, d *door, h hit) bool {
	if r := e.attempts.runOf(slot); r != nil {
		return slices.ContainsFunc(r.hits, h.repeats)
	}
	return h.repeats(e.firstHit(slot, d))
}

// advance counts the expected knock.
func (e *Engine) advance(d *door, slot int32, h hit) {
	key, hits := e.attempts.slots.at(slot).key, append(e.hits(slot, d), h)
	if len(hits) == len(d.Sequence) {
		e.removeAttempt(slot, d)
		e.completeSequence(d)
		return
	}
	e.setHits(slot, d, hits)
	e.reached(d, key, slot, len(hits))
}

// fallBack ends an attempt at a wrong knock, in favour of the longest run that
// the knock completes.
func (e *Engine) fallBack(d *door, slot int32, wrong hit) {
	reason := WrongPort
	if d.wants(e.packet) {
		reason = OutOfOrder
	}
	e.endAttempt(d, slot, reason, longestRun(d, append(e.hits(slot, d), wrong), e.now))
}

// expire ends a later-stage attempt whose time has come, in favour of the
// longest shorter run that still has time. A group knows of no shorter run.
func (e *Engine) expire(r *run) {
	reason := TotalTimeout
	if e.now < after(r.hits[0].at, r.door.Within) {
		reason = StepTimeout
	}
	var shorter []hit
	if r.door.group == nil {
		shorter = longestRun(r.door, r.hits[1:], e.now)
	}
	e.endAttempt(r.door, r.slot, reason, shorter)
}

// endAttempt tells the miss of an attempt, and goes on with a shorter run of its
// knocks; with none when hits is empty.
func (e *Engine) endAttempt(d *door, slot int32, reason Reason, hits []hit) {
	key, stage := e.attempts.slots.at(slot).key, e.stage(slot)
	e.removeAttempt(slot, d)
	e.miss(d, key.addr(), stage, reason)
	if len(hits) > 0 {
		slot = e.attempts.add(key, d.id)
		d.countLive(1)
		e.setHits(slot, d, slices.Clone(hits))
		e.reached(d, key, slot, len(hits))
	}
}

// longestRun returns the longest of the latest hits that are the head of the
// door's sequence and in time at now.
func longestRun(d *door, hits []hit, now int64) []hit {
	for ; len(hits) > 0; hits = hits[1:] {
		if len(hits) < len(d.Sequence) && now < deadline(d, hits) && isHead(d, hits) {
			return hits
		}
	}
	return nil
}

func isHead(d *door, hits []hit) bool {
	for i, h := range hits {
		if !h.is(d.Sequence[i]) {
			return false
		}
	}
	return true
}

// deadline returns when a run of hits is too late.
func deadline(d *door, hits []hit) int64 {
	total := after(hits[0].at, d.Within)
	if d.StepTimeout == 0 {
		return total
	}
	return min(total, after(hits[len(hits)-1].at, d.StepTimeout))
}

// reached tells that an attempt is at a stage. A script may end it there.
func (e *Engine) reached(d *door, key attemptKey, slot int32, stage int) {
	if !e.reachStage(d, key.addr(), stage) {
		e.removeAttempt(slot, d)
	}
}
