package engine

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// An index is a Set, arranged so that a packet finds the doors that it concerns by its port,
// and none of the others.
type index struct {
	doors   []*door
	byID    map[uint32]*door
	byName  map[string]*door
	groups  map[string]*group // of PolicyKnockd, by name
	ports   map[packet.Port]*portDoors
	targets map[netip.Addr]bool  // of all doors
	pool    []Knock              // tripwires of the set; see [Engine.install]
	tripped []*door              // which tripwires disturb, in order
	strict  []*door              // which any packet may disturb, see [Engine.disturbs]; in order
	guards  map[packet.Port]bool // of all doors
	timers  map[timerName]Timer
	owners  map[string]bool   // names of all scripts
	named   map[string]string // see [Set.named]
	lastID  uint32            // of doors and groups
}

type timerName struct{ owner, name string }

// portDoors are the doors with a knock at a port. A door for which it is a later knock is listed
// only while somebody has an attempt in it, so the other doors cost a packet nothing.
type portDoors struct {
	tests    []FlagTest                // of the doors without a payload test, each once
	byFlags  []FlagTest                // of the doors with one, each once
	odd      oddTests                  // for a SYN with FIN or RST
	first    []*door                   // doors whose sequence begins with it, and listeners; in order
	active   []*door                   // other doors, while they have attempts; in order
	groups   []*groupPort              // groups that begin with it or have attempts; in order
	byTarget map[netip.Addr]*portDoors // the doors that have a target, by target
	// tripwires are those at the port. Then no door has a knock there.
	tripwires []Knock
}

// want reports whether p can be a knock of some door. ours means that p is to an address of this
// host.
func (h *portDoors) want(p *packet.Packet, ours bool) bool {
	return ours && h.holds(p) || h.byTarget != nil && h.byTarget[p.Dest] != nil && h.byTarget[p.Dest].holds(p)
}

// holds reports whether p has the flags that some door at the port requires.
func (h *portDoors) holds(p *packet.Packet) bool {
	return h.counts(p) || holdsAny(h.byFlags, p) && !isOdd(p) || isOdd(p) && holdsAny(h.odd.byFlags, p)
}

// counts is holds for the doors without a payload test.
func (h *portDoors) counts(p *packet.Packet) bool {
	if isOdd(p) {
		return holdsAny(h.odd.tests, p)
	}
	return holdsAny(h.tests, p)
}

// holdsAny reports whether p has the flags that one of the tests requires. A UDP packet has no
// flags and passes any test.
func holdsAny(tests []FlagTest, p *packet.Packet) bool {
	for _, t := range tests {
		if p.Port.Proto != packet.TCP || t.Holds(p.Flags) {
			return true
		}
	}
	return false
}

// A door is a Door with what the engine holds for it.
type door struct {
	*Door
	id              uint32 // attempts refer to it, so a new id makes them void
	key             uint32 // of its attempts: the id of its group, or its own
	group           *group // nil: it is matched by itself
	order           int
	firstStageLimit time.Duration // how long a first-stage attempt lasts
	tripped         bool          // tripwires end its attempts
	live            int           // attempts in progress, of all sources
	laterPorts      []*portDoors  // of its later knocks; it is listed there while it has attempts
	oneTime         *oneTime      // nil: its sequence stays the same
	misfits         misfits
	totals          *doorTotals // nil before [Engine.joinTotals]
}

// newIndex arranges set. A door that matches as it did in old has the same id, and so its
// attempts.
func newIndex(set *Set, old *index) *index {
	x := &index{
		byID:    make(map[uint32]*door, len(set.Doors)),
		byName:  make(map[string]*door, len(set.Doors)),
		groups:  make(map[string]*group),
		ports:   make(map[packet.Port]*portDoors),
		targets: make(map[netip.Addr]bool),
		guards:  make(map[packet.Port]bool),
		timers:  make(map[timerName]Timer, len(set.Timers)),
		owners:  set.owners(),
	}
	if old != nil {
		x.lastID = old.lastID
	}
	for _, d := range set.Doors {
		x.add(d, old)
	}
	x.deactivateIdle()
	for _, t := range set.Timers {
		x.timers[timerName{t.owner(), t.Name}] = t
	}
	x.named = set.named(x.owners)
	return x
}

func (x *index) add(d *Door, old *index) {
	n := &door{Door: d, order: len(x.doors), firstStageLimit: d.Within, tripped: d.Tripped()}
	if d.StepTimeout > 0 {
		n.firstStageLimit = min(d.Within, d.StepTimeout)
	}
	alive := 0
	was := old.door(d.Name)
	if was != nil && sameMatching(was.Door, d) {
		n.id, alive = was.id, was.live
	} else {
		n.id = x.newID()
	}
	if was != nil && was.Payload.Same(d.Payload) {
		n.misfits = was.misfits
	}
	n.key = n.id
	if d.Policy == PolicyKnockd && !d.Listen {
		n.group = x.groupOf(d.Group, n.order, old)
		n.key = n.group.id
	}
	if d.Target.IsValid() {
		x.targets[d.Target] = true
	}
	x.doors = append(x.doors, n)
	x.byID[n.id], x.byName[d.Name] = n, n
	n.live = alive
	x.register(n)
	for _, g := range d.Guards {
		x.guards[g] = true
	}
}

// register adds the door at the ports of its knocks.
func (x *index) register(d *door) {
	for i, k := range d.Sequence {
		x.registerKnock(d, k, i == 0 || d.Listen)
	}
	alive := d.live
	d.live = 0
	d.countLive(alive)
	if d.Strict && !d.Listen && d.group == nil && len(d.Sequence) > 0 {
		x.strict = append(x.strict, d)
	}
	if d.tripped {
		x.tripped = append(x.tripped, d)
	}
}

// registerAll adds all doors again, after the sequences of some have changed.
func (x *index) registerAll() {
	x.ports, x.strict, x.tripped = make(map[packet.Port]*portDoors), nil, nil
	for _, g := range x.groups {
		*g = group{id: g.id, order: g.order}
	}
	for _, d := range x.doors {
		d.laterPorts = nil
		x.register(d)
	}
	x.deactivateIdle()
	x.registerTripwires()
}

// renewID gives a door another id. Attempts are found by the id, so those in the door are void.
func (x *index) renewID(d *door) {
	d.countLive(-d.live)
	delete(x.byID, d.id)
	d.id = x.newID()
	if d.group == nil {
		d.key = d.id
	}
	x.byID[d.id] = d
}

// registerKnock adds the port of one of a door's knocks. begins means that a knock there begins
// an attempt, or is one to a listener.
func (x *index) registerKnock(d *door, k Knock, begins bool) {
	here := x.ports[k.Port]
	if here == nil {
		here = &portDoors{}
		x.ports[k.Port] = here
	}
	if d.Target.IsValid() {
		here = here.forTarget(d.Target)
	}
	tests := &here.tests
	if d.Payload != nil {
		tests = &here.byFlags
	}
	if !slices.Contains(*tests, k.Flags) {
		*tests = append(*tests, k.Flags)
	}
	here.odd.add(d, k.Flags)
	switch {
	case d.group != nil:
		d.group.registerKnock(here, d, k, begins)
	case slices.Contains(here.first, d):
	case begins:
		here.first = append(here.first, d)
	case !slices.Contains(d.laterPorts, here):
		d.laterPorts = append(d.laterPorts, here)
	}
}

// forTarget returns the doors at the port that have this target.
func (h *portDoors) forTarget(target netip.Addr) *portDoors {
	if h.byTarget == nil {
		h.byTarget = make(map[netip.Addr]*portDoors)
	}
	if h.byTarget[target] == nil {
		h.byTarget[target] = &portDoors{}
	}
	return h.byTarget[target]
}

func (x *index) newID() uint32 {
	x.lastID++
	return x.lastID
}

// countLive adds to the number of attempts in the door. At the first one the door becomes
// active at the ports of its later knocks, and at the last one it is removed there.
func (d *door) countLive(by int) {
	was := d.live
	d.live += by
	if d.group != nil {
		d.group.countLive(by)
	}
	if (was == 0) == (d.live == 0) {
		return
	}
	for _, here := range d.laterPorts {
		at, _ := slices.BinarySearchFunc(here.active, d.order, func(other *door, order int) int { return other.order - order })
		if d.live > 0 {
			here.active = slices.Insert(here.active, at, d)
		} else {
			here.active = slices.Delete(here.active, at, at+1)
		}
	}
}

// door returns the door of that name, or nil.
func (x *index) door(name string) *door {
	if x == nil {
		return nil
	}
	return x.byName[name]
}

// order returns the position of a door. One that is gone comes after all others.
func (x *index) order(name string) int {
	if d := x.byName[name]; d != nil {
		return d.order
	}
	return len(x.doors)
}

// indexAtUnused returns the index of a set. Each door with one-time sequences has its first
// unused one.
func indexAtUnused(set *Set, old *index, left map[string]*oneTime) *index {
	now := *set
	now.Doors = slices.Clone(set.Doors)
	for i, d := range set.Doors {
		if o := left[d.Name]; o != nil {
			now.Doors[i] = o.of(d)
		}
	}
	x := newIndex(&now, old)
	for name, o := range left {
		x.byName[name].oneTime = o
	}
	return x
}

// sequenceConsumed reports whether the sequence of a door was consumed in this input, by it or
// by another door with the same file.
func (d *door) sequenceConsumed() bool { return d.oneTime != nil && d.oneTime.stale }
