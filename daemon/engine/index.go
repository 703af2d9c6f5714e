package engine

import (
	"slices"
	"time"

	"sesame/daemon/packet"
)

// An index is a Set, arranged so that a packet finds the doors that it concerns
// by its port, and none of the others.
type index struct {
	doors  []*door
	byID   map[uint32]*door
	byName map[string]*door
	ports  map[packet.Port][]*door // doors and listeners that have this port, in order
	strict []*door
	guards map[packet.Port]bool
	timers map[timerName]Handler
	lastID uint32
}

type timerName struct{ script, name string }

// A door is a Door with what the engine keeps for it.
type door struct {
	*Door
	id       uint32 // attempts are known by it; a new one makes them void
	order    int
	live     int           // attempts in progress, of all sources
	patience time.Duration // how long a first-stage attempt lasts
}

// newIndex arranges set. A door that matches as it did in old keeps its id and
// so its attempts.
func newIndex(set *Set, old *index) *index {
	x := &index{
		byID:   make(map[uint32]*door, len(set.Doors)),
		byName: make(map[string]*door, len(set.Doors)),
		ports:  make(map[packet.Port][]*door),
		guards: make(map[packet.Port]bool),
		timers: make(map[timerName]Handler, len(set.Timers)),
	}
	if old != nil {
		x.lastID = old.lastID
	}
	for _, d := range set.Doors {
		x.add(d, old)
	}
	for _, t := range set.Timers {
		x.timers[timerName{t.Script, t.Name}] = t.Handler
	}
	return x
}

func (x *index) add(d *Door, old *index) {
	n := &door{Door: d, order: len(x.doors), patience: d.Within}
	if d.StepTimeout > 0 {
		n.patience = min(d.Within, d.StepTimeout)
	}
	if was := old.door(d.Name); was != nil && sameMatching(was.Door, d) {
		n.id, n.live = was.id, was.live
	} else {
		x.lastID++
		n.id = x.lastID
	}
	x.doors = append(x.doors, n)
	x.byID[n.id], x.byName[d.Name] = n, n
	for _, k := range d.Sequence {
		if here := x.ports[k.Port]; !slices.Contains(here, n) {
			x.ports[k.Port] = append(here, n)
		}
	}
	for _, g := range d.Guards {
		x.guards[g] = true
	}
	if d.Strict && !d.Listen {
		x.strict = append(x.strict, n)
	}
}

// door returns the door of that name, nil when there is none.
func (x *index) door(name string) *door {
	if x == nil {
		return nil
	}
	return x.byName[name]
}

// order returns the position of a door; behind all others when it is gone.
func (x *index) order(name string) int {
	if d := x.byName[name]; d != nil {
		return d.order
	}
	return len(x.doors)
}

// sameMatching reports whether an attempt in a may go on in b.
func sameMatching(a, b *Door) bool {
	return slices.Equal(a.Sequence, b.Sequence) && a.Listen == b.Listen && a.Policy == b.Policy &&
		a.Within == b.Within && a.StepTimeout == b.StepTimeout && a.OnWrong == b.OnWrong &&
		a.Duplicates == b.Duplicates && a.Strict == b.Strict && slices.Equal(a.Except, b.Except)
}

// wants reports whether p can be a knock of this door, at whatever stage.
func (d *door) wants(p *packet.Packet) bool {
	for i := range d.Sequence {
		if d.Sequence[i].Holds(p) {
			return true
		}
	}
	return false
}
