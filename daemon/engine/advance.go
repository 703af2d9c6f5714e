package engine

import (
	"slices"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file moves an attempt along the sequence of its door: forward, back to a shorter run of
// knocks, or to its end.

// handleKnock applies the tests, in their order, to a packet of a source that has an attempt: a
// retransmit, the expected knock, a repeat that is forgiven, a wrong knock. An attempt
// recognises retransmits of its own knocks itself, since a flood may have pushed them out of
// [Engine.segments], the memory that all sources share.
func (e *Engine) handleKnock(d *door, slot int32, p *packet.Packet) {
	h := e.hitOf(p)
	stage := e.stage(slot)
	switch {
	case e.resent(slot, d, h):
	case d.Sequence[stage].Holds(p):
		e.advance(d, slot, h)
	case d.Duplicates == DuplicatesIgnored && d.Sequence[stage-1].Holds(p):
		if stage == 1 {
			e.restartFirstStage(slot, h)
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

// advance counts the expected knock. The last one completes the sequence.
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

// fallBack ends an attempt at a wrong knock. The longest run of its latest knocks, the wrong one
// included, that is still a beginning of the sequence continues as a new attempt.
func (e *Engine) fallBack(d *door, slot int32, wrong hit) {
	reason := WrongPort
	if d.Wants(e.packet) {
		reason = OutOfOrder
	}
	e.endAttempt(d, slot, reason, longestRun(d, append(e.hits(slot, d), wrong), e.now))
}

// expire ends a later-stage attempt at its deadline. The longest shorter run that still has
// time continues as a new attempt. In a group no shorter run continues.
func (e *Engine) expire(r *run) {
	reason := TotalTimeout
	if e.now < wire.Add(r.hits[0].at, r.door.Within) {
		reason = StepTimeout
	}
	var shorter []hit
	if r.door.group == nil {
		shorter = longestRun(r.door, r.hits[1:], e.now)
	}
	e.endAttempt(r.door, r.slot, reason, shorter)
}

// endAttempt reports the miss of an attempt. If hits is not empty, a new attempt begins with
// these knocks.
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

// reached reports that an attempt is at a stage. The script may refuse, which ends the attempt.
func (e *Engine) reached(d *door, key attemptKey, slot int32, stage int) {
	if !e.reachStage(d, key.addr(), stage) {
		e.removeAttempt(slot, d)
	}
}

// hitOf returns a packet as a knock that counts now.
func (e *Engine) hitOf(p *packet.Packet) hit {
	return hit{port: p.Port, flags: p.Flags, from: p.SourcePort, sequence: p.Sequence, at: e.now}
}
