package engine

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// State returns all that the engine holds. It is a copy that shares nothing that changes: another
// goroutine may encode it while the engine continues.
//
// It takes about 40 bytes for each first-stage attempt, and some tens of milliseconds for a
// million.
func (e *Engine) State() *State {
	s := &State{
		Now: e.now, Offset: e.offset, ClockDoubt: e.clockDoubt, Horizon: e.horizon,
		Attempts: e.cfg.Attempts, Grants: e.cfg.Grants, Seed: e.cfg.Seed,
		Serial: e.serial, LastEffect: e.effects, LastGrant: e.grants.lastID, LastDoor: e.index.lastID,
		Counts: e.counts, Secret: e.secret, Flows: e.flows.state(),
		Tripwires: e.tripwires, Required: !e.allRequired, Priced: e.priced, ValuesSwept: e.store.swept,
	}
	if e.segments != nil {
		s.Segments = e.segments.state()
	} else {
		s.Copies, s.Resends = e.copies.state(e.now, pathSize, packPath), e.resends.state(e.now, 0, nil)
	}
	if e.local != nil {
		s.Local = e.local.all
	}
	if e.own != nil {
		s.Own = e.own.all
	}
	for _, d := range e.index.doors {
		door := DoorState{Name: wire.Text(d.Name), ID: d.id}
		if d.oneTime != nil {
			door.Used = wire.Convert[wire.Text](d.oneTime.used)
			door.Unrecorded = wire.Convert[wire.Text](d.oneTime.unrecorded)
		}
		s.Doors = append(s.Doors, door)
	}
	for _, use := range e.oneTime.sorted() {
		s.Consumed = append(s.Consumed, ConsumedState{use.Wire(), e.oneTime.pending[use]})
	}
	for _, name := range slices.Sorted(maps.Keys(e.index.groups)) {
		s.Groups = append(s.Groups, GroupState{wire.Text(name), e.index.groups[name].id})
	}
	s.FirstStage, s.Oldest = e.attempts.pack()
	for _, t := range e.timers {
		t.state(s, e.grants.runs)
	}
	slices.SortFunc(s.Live, func(a, b GrantState) int { return cmp.Compare(a.Number, b.Number) })
	s.Batches = e.batches.state(e.grants)
	s.Completions = e.completionStates()
	s.Limits = e.limits.state(e.now)
	s.Steps = stepsOf(e.steps.byDoor, e.now)
	s.ScriptSteps, s.MissSteps = stepsOf(e.steps.byScript, e.now), stepsOf(e.steps.byMisser, e.now)
	for key, v := range e.store.values {
		s.Values = append(s.Values, valueOf(key, scalar(v.value), v.until))
	}
	return s
}

// state adds the attempt, the grant or the delay of a timer to s.
func (t *timer) state(s *State, runs map[grantKey]uint64) {
	switch t.kind {
	case attemptTimer:
		run := RunState{Door: t.run.door.id, Source: t.source, Number: t.number}
		for _, h := range t.run.hits {
			run.Hits = append(run.Hits, HitState{h.port, h.flags, h.from, h.sequence, h.at})
		}
		s.Runs = append(s.Runs, run)
	case grantTimer:
		g := GrantState{t.grant.Wire(), runs[t.grant.key], t.number}
		g.End = t.due
		s.Live = append(s.Live, g)
	case scriptTimer:
		d := t.delayed
		s.Delays = append(s.Delays, DelayState{
			Script: wire.Text(d.owner), Name: wire.Text(d.name), Value: scalar(d.value),
			Door: wire.Text(d.door), Source: d.source, Observed: d.observed, Due: t.due, Number: t.number,
		})
	}
}

// state returns the batches that have an unanswered effect.
func (s *batches) state(live *grants) []BatchState {
	var all []BatchState
	seen := map[*batch]bool{}
	for _, p := range s.byID {
		if seen[p.batch] {
			continue
		}
		seen[p.batch] = true
		batch := BatchState{}
		for _, x := range p.batch.entries {
			batch.Effects = append(batch.Effects, x.state(s, live))
		}
		all = append(all, batch)
	}
	return all
}

// awaits reports whether the result of an effect has not come yet.
func (s *batches) awaits(x entry) bool {
	_, awaited := s.byID[x.event.ID]
	return awaited
}

func (x *entry) state(s *batches, live *grants) wire.Effect {
	w := wire.Effect{
		ID: x.event.ID, Effect: uint8(x.event.Effect), Awaited: s.awaits(*x), Runs: x.event.Argv != nil,
		Door: wire.Text(x.event.Door), Source: x.event.Source, Port: wire.Port(x.event.Port), Grant: x.event.Grant,
		Was: instant(x.was.end), WasWindow: instant(x.was.windowEnd), WasTTL: instant(x.was.ttlEnd), End: instant(x.end), Moved: x.moved,
		AnyStatus: x.event.AnyStatus, Required: x.event.Required, File: wire.Text(x.event.File), Line: wire.Text(x.event.Text),
	}
	if g := x.grant; g != nil && live.byID[g.ID] != g {
		over := g.Wire()
		w.Over = &over
	}
	return w
}

// timeOf is the opposite of instant.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return wire.Time(ns)
}

// instant returns t in Unix nanoseconds, 0 for the zero time.
func instant(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return wire.Nanoseconds(t)
}

func (r *recent) state() RecentState { return RecentState{packHalf(r.newer), packHalf(r.older)} }

func packHalf(half []uint64) []byte {
	packed := make([]byte, 0, 8*len(half)/2)
	for _, h := range half {
		if h != 0 {
			packed = binary.LittleEndian.AppendUint64(packed, h)
		}
	}
	return packed
}
