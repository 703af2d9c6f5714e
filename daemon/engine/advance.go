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
// the memory that all sources share.
func (e *Engine) handleKnock(d *door, slot int32, p *packet.Packet) move {
	h := e.hitOf(p)
	stage := e.stage(slot)
	switch {
	case e.resent(slot, d, h):
		return move{ruling: Ignored, why: ResentSegment, before: stage, stage: stage}
	case d.Sequence[stage].Holds(p):
		return e.advance(d, slot, h)
	case d.Duplicates == DuplicatesIgnored && d.Sequence[stage-1].Holds(p):
		if stage == 1 {
			e.restartFirstStage(slot, h)
		}
		return move{ruling: Repeated, before: stage, stage: stage}
	case d.OnWrong == WrongResets:
		return e.fallBack(d, slot, h)
	}
	return move{ruling: Ignored, why: wrongKnock(d, p), before: stage, stage: stage}
}

// wrongKnock returns what makes a packet a wrong knock.
func wrongKnock(d *door, p *packet.Packet) Why {
	if d.Wants(p) {
		return OutOfTurn
	}
	return StrayPacket
}

// resent reports whether h is a retransmit of a knock of the attempt.
func (e *Engine) resent(slot int32, d *door, h hit) bool {
	if r := e.attempts.runOf(slot); r != nil {
		return slices.ContainsFunc(r.hits, func(knock hit) bool { return h.repeats(knock) && e.mayRepeat(knock) })
	}
	first := e.firstHit(slot, d)
	return h.repeats(first) && e.mayRepeat(first)
}

// advance counts the expected knock. The last one completes the sequence.
func (e *Engine) advance(d *door, slot int32, h hit) move {
	key, hits := e.attempts.slots.at(slot).key, append(e.hits(slot, d), h)
	done := move{ruling: Advanced, before: len(hits) - 1, stage: len(hits)}
	if len(hits) == len(d.Sequence) {
		due, limit := runsOut(d, hits[:done.before])
		done.ruling, done.left, done.limit = Finished, due-e.now, limit
		e.removeAttempt(slot, d)
		done.reason = e.completeSequence(d)
		return done
	}
	e.setHits(slot, d, hits)
	e.reached(d, key, slot, len(hits))
	return done
}

// fallBack ends an attempt at a wrong knock. The longest run of its latest knocks, the wrong one
// included, that is still a beginning of the sequence continues as a new attempt.
func (e *Engine) fallBack(d *door, slot int32, wrong hit) move {
	reason, why := WrongPort, wrongKnock(d, e.packet)
	if why == OutOfTurn {
		reason = OutOfOrder
	}
	rest := longestRun(d, append(e.hits(slot, d), wrong), e.now)
	return e.disturb(d, slot, why, reason, rest)
}

// disturb ends an attempt because of the packet at hand. If hits is not empty, a new attempt begins
// with these knocks.
func (e *Engine) disturb(d *door, slot int32, why Why, reason Reason, hits []hit) move {
	before := e.stage(slot)
	e.endAttempt(d, slot, reason, hits)
	return move{ruling: Disturbed, why: why, before: before, stage: len(hits), reason: reason}
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
	before, due := len(r.hits), r.timer.due
	e.endAttempt(r.door, r.slot, reason, shorter)
	if e.explanation != nil {
		m := move{ruling: Ended, before: before, stage: len(shorter), reason: reason}
		e.explanation.timedOut(r.door, r.timer.source, m, due)
	}
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
