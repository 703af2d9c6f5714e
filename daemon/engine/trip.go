package engine

import (
	"cmp"
	"slices"

	"sesame/daemon/packet"
)

// This file handles packets to tripwires. tripwire.go has where these are.

// fewDoors is up to how many doors with tripwires are searched one by one for the attempts of a
// source. In a larger set these are found together, see [table.groupBySource].
const fewDoors = 4

// A progress is an attempt in a door.
type progress struct {
	door *door
	slot int32
}

// findTripped puts the attempts that a packet ends because it is to a tripwire into e.tripped, in
// the order of their doors. A packet of a source without attempts, as most of a scan are, costs one
// search, or one for each of a few doors.
func (e *Engine) findTripped(here *portDoors, p *packet.Packet) {
	e.tripped = e.tripped[:0]
	if here == nil || !slices.ContainsFunc(here.tripwires, func(k Knock) bool { return k.Holds(p) }) {
		return
	}
	source := p.Source.As16()
	if e.attempts.bySource {
		for slot := range e.attempts.ofSource(source) {
			if d := e.index.byID[e.attempts.slots.at(slot).door]; d != nil && e.trips(d, p) {
				e.tripped = append(e.tripped, progress{d, slot})
			}
		}
	} else {
		for _, d := range e.index.tripped {
			if d.live == 0 || !e.trips(d, p) {
				continue
			}
			if slot := e.attempts.find(attemptKey{source, d.key}); slot != 0 {
				e.tripped = append(e.tripped, progress{d, slot})
			}
		}
	}
	if len(e.tripped) > 0 && !e.unasked(p) {
		e.tripped = e.tripped[:0]
	}
	e.tripped = e.unexpired(e.tripped)
}

// trips reports whether a packet to a tripwire is a wrong knock to a door.
func (e *Engine) trips(d *door, p *packet.Packet) bool {
	return d.tripped && d.Accepts(p.Dest, e.ours) && !slices.Contains(d.Except, p.Port)
}

// trip ends the attempts of e.tripped, and reports whether there are any. A tripwire is no knock of
// any door, so nothing of them continues.
func (e *Engine) trip() bool {
	for _, t := range e.tripped {
		m := e.disturb(t.door, t.slot, AtTripwire, Tripwire, nil)
		e.judge(t.door, m)
	}
	return len(e.tripped) > 0
}

// unexpired puts attempts of one source in the order of their doors, and drops those that have
// expired.
func (e *Engine) unexpired(all []progress) []progress {
	slices.SortFunc(all, func(a, b progress) int { return cmp.Compare(a.door.order, b.door.order) })
	return slices.DeleteFunc(all, func(f progress) bool {
		over := e.expired(f.slot, f.door)
		if over {
			e.dropFirstStage(f.slot, f.door, NoWhy)
		}
		return over
	})
}

// install makes x, the index of a set, that of the engine.
func (e *Engine) install(x *index, set *Set) {
	if e.tripwires {
		x.pool = set.Tripwires()
		x.registerTripwires()
	}
	e.index = x
	e.joinTotals()
	e.groupAttempts()
	e.explanation.doorsChanged()
}

// groupAttempts makes the attempts of a source be found together, where somebody needs that.
func (e *Engine) groupAttempts() {
	x := e.index
	e.attempts.groupBySource(len(x.pool) > 0 && len(x.tripped) > fewDoors || e.explanation != nil && len(x.doors) > fewDoors)
}

// registerTripwires adds the tripwires at their ports. It leaves out guarded ports.
func (x *index) registerTripwires() {
	for _, k := range x.pool {
		if x.guards[k.Port] {
			continue
		}
		here := x.ports[k.Port]
		if here == nil {
			here = &portDoors{}
			x.ports[k.Port] = here
		}
		here.tripwires = append(here.tripwires, k)
	}
}
