package engine

import (
	"cmp"
	"slices"

	"sesame/daemon/wire"
)

// This file is the life of an attempt: it begins, is held at a stage, and is dropped. A
// first-stage attempt lives in the table and its order of age alone; a later one has a run and
// a timer instead. Only the latter costs anyone who sends packets a second right knock.

// beginAttempt begins an attempt at its first stage.
//
// Each one removes up to two expired ones first, so what a flood leaves behind is gone when as
// many packets have come again. When the table is full, the oldest first-stage attempt makes
// room. When all attempts are at later stages, there is none to remove, and the new one is
// dropped: it would be the next to go.
func (e *Engine) beginAttempt(d *door, key attemptKey, h hit) move {
	for range 2 {
		e.dropOldest(func(slot int32, d *door) bool { return e.expired(slot, d) }, NoWhy)
	}
	if e.attempts.full() && !e.dropOldest(func(int32, *door) bool { return true }, Evicted) {
		e.counts.Misses++
		d.totals.miss(EvictedFirst)
		return move{ruling: Ignored, why: Evicted}
	}
	slot := e.attempts.add(key, d.id)
	d.countLive(1)
	e.enterFirstStage(slot, h)
	e.reachStage(d, key.addr(), 1)
	return move{ruling: Began, stage: 1}
}

// enterFirstStage puts an attempt, which is in no order of age, at its first stage. It becomes
// the youngest, also when a longer run fell back to it.
func (e *Engine) enterFirstStage(slot int32, h hit) {
	a := e.attempts.slots.at(slot)
	a.first, a.flags, a.from, a.sequence = h.at, h.flags, h.from, h.sequence
	e.attempts.enqueue(slot)
}

// restartFirstStage makes a first-stage attempt begin again with h.
func (e *Engine) restartFirstStage(slot int32, h hit) {
	e.attempts.dequeue(slot)
	e.enterFirstStage(slot, h)
}

// setHits puts an attempt at the stage that hits reach, and sets its deadline. The slice
// belongs to the attempt afterwards.
func (e *Engine) setHits(slot int32, d *door, hits []hit) {
	if r := e.attempts.runOf(slot); r != nil {
		r.hits = hits
		e.moveTimer(&r.timer, deadline(d, hits))
		return
	}
	a := e.attempts.slots.at(slot)
	if len(hits) == 1 {
		e.enterFirstStage(slot, hits[0])
		return
	}
	if e.attempts.queued(slot) {
		e.attempts.dequeue(slot)
	}
	r := &run{door: d, slot: slot, hits: hits}
	r.timer = timer{door: d.order, source: a.key.addr(), kind: attemptTimer, run: r, index: -1}
	e.attempts.attach(slot, r)
	e.setTimer(&r.timer, deadline(d, hits))
}

// hits returns the knocks of an attempt, with room for one more.
func (e *Engine) hits(slot int32, d *door) []hit {
	if r := e.attempts.runOf(slot); r != nil {
		return r.hits
	}
	return append(make([]hit, 0, 4), e.firstHit(slot, d))
}

// firstHit returns the knock of a first-stage attempt.
func (e *Engine) firstHit(slot int32, d *door) hit {
	a := e.attempts.slots.at(slot)
	return hit{port: d.Sequence[0].Port, flags: a.flags, from: a.from, sequence: a.sequence, at: a.first}
}

// stage returns how many knocks of an attempt are done, from 1.
func (e *Engine) stage(slot int32) int {
	if r := e.attempts.runOf(slot); r != nil {
		return len(r.hits)
	}
	return 1
}

// expired reports whether a first-stage attempt is too old, or its door, nil then, is gone. It
// is false for later stages: their timer ends them.
func (e *Engine) expired(slot int32, d *door) bool {
	return d == nil || e.attempts.runOf(slot) == nil && e.now >= wire.Add(e.attempts.slots.at(slot).first, d.firstStageLimit)
}

// dropOldest drops the oldest first-stage attempt if may agrees, and reports whether it did. why is
// for the explanation, as in dropFirstStage.
func (e *Engine) dropOldest(may func(slot int32, d *door) bool, why Why) bool {
	slot := e.attempts.oldest
	if slot == 0 {
		return false
	}
	d := e.index.byID[e.attempts.slots.at(slot).door]
	if !may(slot, d) {
		return false
	}
	e.dropFirstStage(slot, d, why)
	return true
}

// dropFirstStage counts a first-stage miss. It has no event: anyone who sends packets decides how
// many there are. why is [Evicted] when the attempt made room for another.
func (e *Engine) dropFirstStage(slot int32, d *door, why Why) {
	if e.explanation != nil && d != nil {
		e.explanation.firstStageEnded(slot, d, why)
	}
	e.removeAttempt(slot, d)
	e.counts.Misses++
	if d == nil {
		return
	}
	reason := FirstStage
	if why == Evicted {
		reason = EvictedFirst
	}
	d.totals.miss(reason)
}

// removeAttempt removes an attempt without a report. d is nil when its door is gone.
func (e *Engine) removeAttempt(slot int32, d *door) {
	if r := e.attempts.runOf(slot); r != nil {
		e.cancelTimer(&r.timer)
		e.attempts.detach(slot)
	} else {
		e.attempts.dequeue(slot)
	}
	e.attempts.remove(slot)
	if d != nil {
		d.countLive(-1)
	}
}

// endRuns ends the later-stage attempts whose door goes, as misses, in the order of their doors
// and sources: the order in the table differs between two runs.
func (e *Engine) endRuns(reason Reason, goes func(*door) bool) {
	if e.explanation != nil && reason != EndOfCapture { // at that the first stages are dropped too
		e.explanation.firstStagesGo(reason, goes)
	}
	var ending []*run
	for _, r := range e.attempts.runs {
		if r != nil && goes(r.door) {
			ending = append(ending, r)
		}
	}
	slices.SortFunc(ending, func(a, b *run) int {
		return cmp.Or(cmp.Compare(a.door.order, b.door.order), a.timer.source.Compare(b.timer.source))
	})
	for _, r := range ending {
		stage := len(r.hits)
		e.removeAttempt(r.slot, r.door)
		e.miss(r.door, r.timer.source, stage, reason)
		if e.explanation != nil {
			m := move{ruling: Ended, before: stage, reason: reason}
			e.explanation.ended(r.door, r.timer.source, m)
		}
	}
}
