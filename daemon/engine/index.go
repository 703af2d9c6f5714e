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
	ports  map[packet.Port]*portDoors
	strict []*door
	guards map[packet.Port]bool
	timers map[timerName]Handler
	lastID uint32
}

type timerName struct{ script, name string }

// portDoors are the doors that have a port. Those where it is not the first
// knock are there only while somebody has an attempt in them, so that the others
// cost a packet nothing.
type portDoors struct {
	tests []FlagTest // of all doors, each once
	first []*door    // that begin with it, and listeners; in order
	awake []*door    // others with attempts; in order
}

// want reports whether p can be a knock of some door.
func (h *portDoors) want(p *packet.Packet) bool {
	return h != nil && (p.Port.Proto != packet.TCP ||
		slices.ContainsFunc(h.tests, func(t FlagTest) bool { return t.Holds(p.Flags) }))
}

// A door is a Door with what the engine keeps for it.
type door struct {
	*Door
	id       uint32 // attempts are known by it; a new one makes them void
	order    int
	patience time.Duration // how long a first-stage attempt lasts
	live     int           // attempts in progress, of all sources
	later    []*portDoors  // where it is awake while there are any
}

// newIndex arranges set. A door that matches as it did in old keeps its id and
// so its attempts.
func newIndex(set *Set, old *index) *index {
	x := &index{
		byID:   make(map[uint32]*door, len(set.Doors)),
		byName: make(map[string]*door, len(set.Doors)),
		ports:  make(map[packet.Port]*portDoors),
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
	alive := 0
	if was := old.door(d.Name); was != nil && sameMatching(was.Door, d) {
		n.id, alive = was.id, was.live
	} else {
		x.lastID++
		n.id = x.lastID
	}
	x.doors = append(x.doors, n)
	x.byID[n.id], x.byName[d.Name] = n, n
	for i, k := range d.Sequence {
		x.listen(n, k, i == 0 || d.Listen)
	}
	n.lives(alive)
	for _, g := range d.Guards {
		x.guards[g] = true
	}
	if d.Strict && !d.Listen {
		x.strict = append(x.strict, n)
	}
}

// listen makes the door known at the port of one of its knocks.
func (x *index) listen(d *door, k Knock, begins bool) {
	here := x.ports[k.Port]
	if here == nil {
		here = &portDoors{}
		x.ports[k.Port] = here
	}
	if !slices.Contains(here.tests, k.Flags) {
		here.tests = append(here.tests, k.Flags)
	}
	switch {
	case slices.Contains(here.first, d):
	case begins:
		here.first = append(here.first, d)
	case !slices.Contains(d.later, here):
		d.later = append(d.later, here)
	}
}

// lives counts attempts that begin, or end when by is negative.
func (d *door) lives(by int) {
	was := d.live
	d.live += by
	if (was == 0) == (d.live == 0) {
		return
	}
	for _, here := range d.later {
		at, _ := slices.BinarySearchFunc(here.awake, d.order, func(other *door, order int) int { return other.order - order })
		if d.live > 0 {
			here.awake = slices.Insert(here.awake, at, d)
		} else {
			here.awake = slices.Delete(here.awake, at, at+1)
		}
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
