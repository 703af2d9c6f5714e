package engine

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// Resume returns an engine with the given state: it continues where the engine was that gave it.
// The set must be the script set that this engine ran. The bounds of cfg, zero for the
// defaults, are upper limits for those of the state. The seed of cfg is not used.
//
// A state may come from a stranger's file. Any state gives an error, or an engine that stays
// within its bounds.
func Resume(cfg Config, s *State, set *Set) (*Engine, error) {
	most := New(cfg, wire.Time(0)).cfg
	switch {
	case s.Attempts <= 0 || s.Attempts > most.Attempts || s.Grants <= 0 || s.Grants > most.Grants:
		return nil, fmt.Errorf("an engine for %d attempts and %d grants: expected at most %d and %d",
			s.Attempts, s.Grants, most.Attempts, most.Grants)
	case s.Now < 0 || max(s.Serial, s.LastEffect, s.LastGrant) > math.MaxInt64 || s.LastDoor > math.MaxInt32:
		return nil, errors.New("a time or a number that no engine has")
	}
	e := New(Config{Attempts: s.Attempts, Grants: s.Grants, Seed: s.Seed}, wire.Time(s.Now))
	e.offset, e.clockDoubt, e.horizon, e.counts, e.secret = s.Offset, s.ClockDoubt, s.Horizon, s.Counts, s.Secret
	e.serial, e.effects, e.grants.lastID = s.Serial, s.LastEffect, s.LastGrant
	e.local, e.own = newLocals(s.Local), newLocals(s.Own)
	e.tripwires, e.allRequired, e.priced = s.Tripwires, !s.Required, s.Priced
	for _, part := range []func(*State) error{
		func(s *State) error { return e.resumeDoors(s, set) },
		func(s *State) error { return e.unpackFirstStage(s.FirstStage, s.Oldest) },
		e.resumeRuns, e.resumeGrants, e.resumeDelays, e.resumeBatches, e.resumeCompletions, e.resumeLimits, e.resumeValues,
		e.resumeAgain,
		func(s *State) error { return e.flows.resume(s.Flows) },
	} {
		if err := part(s); err != nil {
			return nil, err
		}
	}
	heap.Init(&e.timers)
	return e, nil
}

// resumeDoors gives the doors of the set the IDs by which attempts refer to them.
func (e *Engine) resumeDoors(s *State, set *Set) error {
	left, err := resumeOneTime(s, set)
	if err != nil {
		return err
	}
	x := indexAtUnused(set, nil, left)
	x.lastID = s.LastDoor
	clear(x.byID)
	for _, was := range s.Doors {
		d := x.byName[string(was.Name)]
		switch {
		case d == nil:
			return fmt.Errorf("the script set has no door %q", was.Name)
		case was.ID == 0 || was.ID > s.LastDoor || x.byID[was.ID] != nil:
			return fmt.Errorf("door %q has the number %d, which cannot be", was.Name, was.ID)
		}
		d.id, d.key = was.ID, was.ID
		x.byID[d.id] = d
	}
	for _, d := range x.doors {
		if x.byID[d.id] != d {
			return fmt.Errorf("the script set has a door %q that was not there", d.Name)
		}
	}
	e.install(x, set)
	for _, was := range s.Consumed {
		if was.Count <= 0 {
			return fmt.Errorf("a line of %s was used %d times", was.File, was.Count)
		}
		e.oneTime.pending[Consumed{string(was.File), string(was.Line)}] = was.Count
	}
	return x.resumeGroups(s)
}

// resumeOneTime returns, for each door, which of its one-time sequences were not used.
func resumeOneTime(s *State, set *Set) (map[string]*oneTime, error) {
	was := make(map[string]DoorState)
	for _, d := range s.Doors {
		was[string(d.Name)] = d
	}
	left := make(map[string]*oneTime)
	for _, d := range set.Doors {
		if d.OneTime == nil || d.Listen {
			continue
		}
		used := make(map[string]int)
		for _, key := range was[d.Name].Used {
			used[string(key)]++
		}
		o := newOneTime(d, used)
		if len(o.used) != len(was[d.Name].Used) {
			return nil, fmt.Errorf("door %q used sequences that the script set does not have", d.Name)
		}
		o.used, o.unrecorded = wire.Convert[string](was[d.Name].Used), wire.Convert[string](was[d.Name].Unrecorded)
		left[d.Name] = o
	}
	return left, nil
}

// resumeGroups gives the groups of the set the IDs by which attempts refer to them. Doors and
// groups share one range of IDs.
func (x *index) resumeGroups(s *State) error {
	byID := make(map[uint32]*group)
	for _, was := range s.Groups {
		g := x.groups[string(was.Name)]
		switch {
		case g == nil:
			return fmt.Errorf("the script set has no group of doors %q", was.Name)
		case was.ID == 0 || was.ID > s.LastDoor || x.byID[was.ID] != nil || byID[was.ID] != nil:
			return fmt.Errorf("the group of doors %q has the number %d, which cannot be", was.Name, was.ID)
		}
		g.id, byID[was.ID] = was.ID, g
	}
	for name, g := range x.groups {
		if byID[g.id] != g {
			return fmt.Errorf("the script set has a group of doors %q that was not there", name)
		}
	}
	for _, d := range x.doors {
		if d.group != nil {
			d.key = d.group.id
		}
	}
	return nil
}

// resumeTimer adds a timer. Resume orders the heap after the last one.
func (e *Engine) resumeTimer(t *timer, due int64, number uint64) error {
	if number > e.serial {
		return fmt.Errorf("timer %d, of %d so far", number, e.serial)
	}
	t.due, t.number, t.index = due, number, len(e.timers)
	e.timers = append(e.timers, t)
	return nil
}

func (e *Engine) resumeRuns(s *State) error {
	for i := range s.Runs {
		was := &s.Runs[i]
		if err := e.resumeRun(e.index.byID[was.Door], was, was.Number); err != nil {
			return err
		}
	}
	return nil
}

// resumeRun gives a door, nil when there is none, a later-stage attempt whose timer has a number.
func (e *Engine) resumeRun(d *door, was *RunState, number uint64) error {
	hits := make([]hit, 0, len(was.Hits)+1)
	for _, h := range was.Hits {
		hits = append(hits, hit{h.Port, h.Flags, h.From, h.Sequence, h.At})
	}
	switch {
	case d == nil || d.Listen || len(hits) < 2 || len(hits) >= len(d.Sequence) || d.Within <= 0 || !isHead(d, hits):
		return fmt.Errorf("an attempt of %v in door %d that this door does not have", was.Source, was.Door)
	case !was.Source.IsValid() || e.attempts.full() || e.attempts.isIn(attemptKey{was.Source.As16(), d.key}, d.id):
		return fmt.Errorf("an attempt of %v in door %q, where it cannot be", was.Source, d.Name)
	}
	key := attemptKey{was.Source.As16(), d.key}
	r := &run{door: d, slot: e.attempts.add(key, d.id), hits: hits}
	r.timer = timer{door: d.order, source: key.addr(), kind: attemptTimer, run: r}
	e.attempts.attach(r.slot, r)
	d.countLive(1)
	return e.resumeTimer(&r.timer, deadline(d, hits), number)
}

func (e *Engine) resumeGrants(s *State) error {
	for i := range s.Live {
		was := &s.Live[i]
		if err := checkGrant(&was.Grant, s); err != nil {
			return err
		}
		if e.grants.byID[was.ID] != nil {
			return fmt.Errorf("grant %d is there twice", was.ID)
		}
		g := &grant{Grant: grantFrom(&was.Grant)}
		e.grants.insert(g)
		e.countGrants(g.Door, 1)
		if was.Run != 0 {
			e.grants.runs[g.key] = was.Run
		}
		g.timer = timer{door: e.index.order(g.Door), source: g.Source.Addr(), kind: grantTimer, grant: g}
		if err := e.resumeTimer(&g.timer, was.End, was.Number); err != nil {
			return err
		}
	}
	return nil
}

// checkGrant returns an error for a grant that an engine with this state cannot have.
func checkGrant(g *wire.Grant, s *State) error {
	if g.ID > s.LastGrant {
		return fmt.Errorf("grant %d, of %d so far", g.ID, s.LastGrant)
	}
	return g.Check()
}

func (e *Engine) resumeDelays(s *State) error {
	for i := range s.Delays {
		if err := e.resumeDelay(&s.Delays[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) resumeDelay(was *DelayState) error {
	value, err := wire.DecodeScalar(was.Value)
	if err != nil {
		return fmt.Errorf("the value of a delay %q: %w", was.Name, err)
	}
	d := &delayed{owner: string(was.Script), name: string(was.Name), value: value, door: string(was.Door), source: was.Source, observed: was.Observed}
	d.timer = timer{door: e.index.order(d.door), source: d.source, kind: scriptTimer, delayed: d}
	e.countDelay(d, 1)
	return e.resumeTimer(&d.timer, was.Due, was.Number)
}

func (e *Engine) resumeBatches(s *State) error {
	for _, was := range s.Batches {
		b := &batch{}
		for i := range was.Effects {
			x, err := e.resumeEffect(&was.Effects[i], s)
			if err != nil {
				return err
			}
			if was.Effects[i].Awaited {
				if _, twice := e.batches.byID[x.event.ID]; twice || x.event.ID == 0 || x.event.ID > s.LastEffect {
					return fmt.Errorf("effect %d is awaited, which cannot be", x.event.ID)
				}
				e.batches.await(x.event, position{b, i})
			}
			b.entries = append(b.entries, x)
		}
	}
	return nil
}

func (e *Engine) resumeEffect(was *wire.Effect, s *State) (entry, error) {
	x := entry{event: Event{
		Kind: EventEffect, ID: was.ID, Effect: Effect(was.Effect), Door: string(was.Door), Source: was.Source, Port: packet.Port(was.Port), Grant: was.Grant,
		AnyStatus: was.AnyStatus, File: string(was.File), Text: string(was.Line),
		Required: was.Required || Effect(was.Effect) == EffectExec && e.allRequired,
	}}
	row := x.event.Effect.row()
	if was.Runs {
		x.event.Argv = []string{}
	}
	x.was, x.end = term{timeOf(was.Was), timeOf(was.WasWindow), timeOf(was.WasTTL)}, timeOf(was.End)
	x.moved = was.Moved
	switch {
	case was.Over != nil:
		if err := checkGrant(was.Over, s); err != nil {
			return x, err
		}
		x.grant = &grant{Grant: grantFrom(was.Over)}
		x.grant.key = keyOf(&x.grant.Grant)
	case was.Grant != 0 && row.grant != noGrant:
		x.grant = e.grants.byID[was.Grant]
	}
	if err := was.Check(); err != nil {
		return x, err
	}
	if x.moved && x.grant == nil {
		return x, fmt.Errorf("effect %d moved with a grant that it does not have", was.ID)
	}
	switch {
	case !x.event.Effect.known():
		return x, fmt.Errorf("effect %d is of no kind that is known", was.ID)
	case x.grant == nil && row.grant == hasGrant:
		return x, fmt.Errorf("effect %d is for grant %d, which is not there", was.ID, was.Grant)
	}
	return x, nil
}

func (e *Engine) resumeLimits(s *State) error {
	e.steps.share(e.index)
	if err := e.limits.resume(s.Limits); err != nil {
		return err
	}
	return e.steps.resume(e.index, s)
}

func (e *Engine) resumeValues(s *State) error {
	e.store.swept = s.ValuesSwept
	for i := range s.Values {
		was := &s.Values[i]
		value, err := wire.DecodeScalar(was.Value)
		if err != nil || value == nil {
			return fmt.Errorf("the stored value %q of %s: %w", was.Key, was.Script, cmp.Or(err, errors.New("there is none")))
		}
		e.store.set(storeKey{string(was.Script), was.Source, string(was.Key)}, stored{value, was.Expires()})
	}
	return nil
}

// resume takes over the hashes of another memory, older ones first.
func (r *recent) resume(was RecentState) error {
	for _, half := range [][]byte{was.Older, was.Young} {
		r.swapHalves()
		if len(half)%8 != 0 || len(half)/8 > r.half {
			return fmt.Errorf("a memory of %d bytes: expected at most %d hashes of 8 bytes", len(half), r.half)
		}
		for ; len(half) > 0; half = half[8:] {
			if r.add(binary.LittleEndian.Uint64(half)) {
				return errors.New("a memory that holds a packet twice")
			}
		}
	}
	return nil
}
