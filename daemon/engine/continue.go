package engine

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// Continue takes what an engine before a restart carried. The time between them counts, so what
// would have expired does, and fires now. An attempt lives on under the rules of [Engine.Swap]. It
// is called once, with the doors in place, after [Engine.Restore] and before the first packet. See
// [Engine.Recognise], too.
//
// What cannot be is left out, whatever a file holds. When the wall clock was set back meanwhile,
// no time has passed.
func (e *Engine) Continue(now time.Time, c Carried) []Event {
	e.beginInput(now)
	if c.State == nil || e.counts.Packets > 0 {
		return e.events
	}
	k := carrying{e: e, from: c, by: min(int64(c.Offset-e.offset), e.now-c.Now), doors: make(map[uint32]*door)}
	for i, was := range c.Doors {
		if d := e.index.byName[string(was.Name)]; d != nil && i < len(c.Rules) && c.Rules[i].Same {
			k.doors[was.ID] = d
		}
	}
	k.memories()
	k.completions()
	k.limits()
	k.steps()
	k.firstStage()
	k.runs()
	k.delays()
	heap.Init(&e.timers)
	e.adopt()
	e.runCloseHandlers()
	e.fireTimers(e.now)
	return e.events
}

// A carrying is one call of Continue.
type carrying struct {
	e     *Engine
	from  Carried
	by    int64            // what times are later in e
	doors map[uint32]*door // those that match as they did, by the IDs that they had
}

// at returns a time in the engine time of e.
func (k *carrying) at(ns int64) int64 { return wire.Add(ns, time.Duration(k.by)) }

// memories takes over which packets came before. Without them a packet that comes again may count
// twice.
func (k *carrying) memories() {
	e, now := k.e, k.at(k.from.Now)
	e.secret = k.from.Secret
	if e.flows.resume(k.from.Flows) != nil {
		e.flows = newRecent(maxFlows)
	}
	if m := k.memory(k.from.Copies, pathSize); e.copies.resume(m, now, pathSize, unpackPath) != nil {
		e.copies = newCopies()
	}
	if m := k.memory(k.from.Resends, 0); e.resends.resume(m, now, 0, nil) != nil {
		e.resends = newResends()
	}
}

// memory returns a memory with its times in the engine time of e.
func (k *carrying) memory(was *MemoryState, size int) *MemoryState {
	if was == nil {
		return &MemoryState{}
	}
	m := &MemoryState{Began: k.at(was.Began), Last: k.at(was.Last), OlderLast: k.at(was.OlderLast), Lost: k.at(was.Lost)}
	later := func(packed []byte) []byte {
		packed = slices.Clone(packed)
		for at := 8; at+8 <= len(packed); at += entrySize + size {
			binary.LittleEndian.PutUint64(packed[at:], uint64(k.at(int64(binary.LittleEndian.Uint64(packed[at:])))))
		}
		return packed
	}
	m.Newer, m.Older = later(was.Newer), later(was.Older)
	return m
}

func (k *carrying) completions() {
	for _, was := range k.from.Completions {
		at := k.at(was.At)
		if d := k.e.index.door(string(was.Door)); d != nil && d.NoteCompletions && was.Source.IsValid() && at <= k.e.now {
			k.e.completions[d.Name] = completion{was.Source, at, was.Observed}
		}
	}
}

// limits takes over those that the doors still have. One that a reload changes begins anew, too.
func (k *carrying) limits() {
	for _, was := range k.from.Limits {
		d := k.e.index.door(string(was.Door))
		key := limitKey{string(was.Door), was.Count, was.Per}
		if d == nil || d.Limit == nil || limitOf(d.Door) != key || d.Limit.PerSource != was.Source.IsValid() {
			continue
		}
		was.Full = min(k.at(was.Full), wire.Add(k.e.now, was.Per)) // more than all of it cannot be used
		_ = k.e.limits.resume([]LimitState{was})                   // one too many, or one that is there twice
	}
}

func (k *carrying) steps() {
	spent := func(was StepsState) *spending {
		used := &spending{full: k.at(was.Full), refused: was.Refused}
		if used.refused != 0 {
			used.refused = k.at(used.refused)
		}
		return used
	}
	s, x := &k.e.steps, k.e.index
	for _, was := range k.from.Steps {
		if d := x.door(string(was.Door)); d != nil && d.onePacket() {
			s.byDoor[d.Name] = spent(was)
		}
	}
	for _, was := range k.from.ScriptSteps {
		if owner := string(was.Door); x.owners[owner] {
			s.byScript[owner] = spent(was)
		}
	}
	for _, was := range k.from.MissSteps {
		if owner := string(was.Door); x.owners[owner] {
			s.byMisser[owner] = spent(was)
		}
	}
}

func (k *carrying) firstStage() {
	// After the first that cannot be, nothing of the list is known.
	_ = eachFirstStage(k.from.FirstStage, k.from.Oldest, func(source [16]byte, id uint32, h hit) error {
		h.at = k.at(h.at)
		if d := k.doors[id]; d != nil && h.at <= k.e.now && k.e.now < wire.Add(h.at, d.firstStageLimit) {
			_ = k.e.resumeAttempt(source, d.id, h)
		}
		return nil
	})
}

// runs takes over attempts at later stages. One whose door is gone, or matches otherwise, ends as
// it would by a reload.
func (k *carrying) runs() {
	runs := slices.Clone(k.from.Runs)
	slices.SortFunc(runs, func(a, b RunState) int { return cmp.Compare(a.Number, b.Number) })
	for i := range runs {
		was := &runs[i]
		was.Hits = slices.Clone(was.Hits)
		for j := range was.Hits {
			was.Hits[j].At = k.at(was.Hits[j].At)
		}
		if d := k.doors[was.Door]; d == nil {
			k.endRun(was)
		} else if k.notLater(was.Hits) {
			k.e.serial++
			_ = k.e.resumeRun(d, was, k.e.serial)
		}
	}
}

// notLater reports whether knocks came one after the other, and none in the future.
func (k *carrying) notLater(hits []HitState) bool {
	inOrder := slices.IsSortedFunc(hits, func(a, b HitState) int { return cmp.Compare(a.At, b.At) })
	return inOrder && len(hits) > 0 && hits[len(hits)-1].At <= k.e.now
}

// endRun reports the end of an attempt in a door that is not there any more.
func (k *carrying) endRun(was *RunState) {
	for i, d := range k.from.Doors {
		if d.ID == was.Door && i < len(k.from.Rules) && was.Source.IsValid() {
			k.e.counts.Misses++
			k.e.emit(Event{Kind: EventMiss, Door: string(d.Name), Source: single(was.Source), Stage: len(was.Hits), Stages: k.from.Rules[i].Stages, Reason: Reloaded})
			return
		}
	}
}

func (k *carrying) delays() {
	delays := slices.Clone(k.from.Delays)
	slices.SortFunc(delays, func(a, b DelayState) int { return cmp.Compare(a.Number, b.Number) })
	for _, was := range delays {
		if k.e.delayed >= k.e.cfg.Grants {
			return
		}
		was.Due = k.at(was.Due)
		k.e.serial++
		was.Number = k.e.serial
		_ = k.e.resumeDelay(&was)
	}
}
