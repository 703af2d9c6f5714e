package simulate

import (
	"container/list"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// remembered bounds an account: so many sources, each at each door it knocked.
// A flood pushes out those who came no further than their first knock, oldest
// first; it never pushes out who came further.
const remembered = 1000

// An account remembers for people what came of each source's attempts. It
// follows the packets beside the events, because the knock that came too late,
// which is what somebody wants to know, causes no event.
type account struct {
	doors    map[string]*engine.Door
	groups   map[string][]*engine.Door // those that are matched together
	ours     bool                      // the packet at hand is for an address of this host
	sources  map[netip.Addr][]*outcome
	ranks    [ranks]list.List // of *outcome, oldest first
	count    int              // of outcomes remembered
	seen     int              // of outcomes ever
	now      time.Time
	opened   *outcome // the latest, for the effects that follow it
	overflow bool
	ended    time.Time // the last moment of what was recorded of a daemon, which went on; zero: nothing goes on
}

// A rank says how far a source came at a door.
type rank int

const (
	begun rank = iota
	missed
	refused
	opened
	ranks
)

// An outcome is what came of one source's attempts at one door.
type outcome struct {
	source netip.Addr
	door   *engine.Door
	seen   int // its place among all outcomes
	rank   rank
	place  *list.Element // among those of its rank

	opens, refusals, errors, misses int

	open   place
	access []string // what the first opening gave
	refuse place
	detail string // of the latest refusal
	fault  string // of the latest error
	best   nearMiss
	awaits awaited
	going  going
}

// A place is a packet in its capture.
type place struct{ packet, capture int }

func newAccount(doors []*engine.Door) *account {
	a := &account{doors: map[string]*engine.Door{}, sources: map[netip.Addr][]*outcome{}}
	a.swap(doors, engine.Reloaded)
	return a
}

// swap takes over other doors. One that means the same to who knocks stays, and
// attempts in the others end for a reason.
func (a *account) swap(doors []*engine.Door, why engine.Reason) {
	was := a.doors
	a.doors, a.groups = map[string]*engine.Door{}, map[string][]*engine.Door{}
	for _, d := range doors {
		if old := was[d.Name]; old != nil && sameRules(old, d) {
			d = old
		}
		a.doors[d.Name] = d
		if d.Policy == engine.PolicyKnockd && !d.Listen {
			a.groups[d.Group] = append(a.groups[d.Group], d)
		}
	}
	for _, outcomes := range a.sources {
		for _, o := range outcomes {
			if o.awaits.stage > 0 && !o.awaits.told && a.doors[o.door.Name] != o.door {
				o.note(nearMiss{stage: o.awaits.stage, reason: why})
			}
		}
	}
}

// sameRules reports whether two doors mean the same to who knocks.
func sameRules(a, b *engine.Door) bool {
	return slices.Equal(a.Sequence, b.Sequence) && a.Within == b.Within && a.StepTimeout == b.StepTimeout &&
		a.Policy == b.Policy && a.Group == b.Group && a.Flags == b.Flags && a.Target == b.Target
}

// packet follows a packet and the events that it caused. Counted says that no
// rule dropped it before a door saw it.
func (a *account) packet(p *packet.Packet, counted bool, events []engine.Event) {
	if p.Time.After(a.now) {
		a.now = p.Time
	}
	if counted {
		for _, o := range a.sources[p.Source] {
			o.see(p, a)
		}
	}
	if !counted {
		p = nil
	}
	for i := range events {
		a.event(&events[i], p)
	}
}

// after follows what no packet caused.
func (a *account) after(events []engine.Event) {
	for i := range events {
		a.event(&events[i], nil)
	}
}

// event follows one event; p is the packet at hand, nil when there is none.
func (a *account) event(e *engine.Event, p *packet.Packet) {
	if e.Kind == engine.EventEffect {
		a.effect(e)
		return
	}
	door := a.doors[e.Door]
	if door == nil || !e.Source.IsValid() || e.Kind == engine.EventClose || e.Kind == engine.EventFailed {
		return
	}
	o := a.outcome(e.Source.Addr(), door)
	at := place{e.Packet, e.Capture}
	switch e.Kind {
	case engine.EventStage:
		o.stage(e)
	case engine.EventMiss:
		a.raise(o, missed)
		o.miss(e, p, a)
	case engine.EventRefuse:
		o.going = going{}
		a.raise(o, refused)
		o.refusals++
		o.refuse, o.detail = at, transcript.Because(e.Reason, e.Detail)
	case engine.EventError:
		o.going = going{}
		a.raise(o, refused)
		o.errors++
		o.fault = transcript.Fault(e)
	case engine.EventOpen:
		o.going = going{}
		a.raise(o, opened)
		if o.opens++; o.opens == 1 {
			o.open, a.opened = at, o
		}
	}
}

// effect notes what an opening gave. A grant for a network has another source
// than the knock, so it is found by what it follows.
func (a *account) effect(e *engine.Event) {
	o := a.opened
	if o == nil || e.Door != o.door.Name || (place{e.Packet, e.Capture}) != o.open {
		return
	}
	if given := gave(e); given != "" {
		o.access = append(o.access, given)
	}
}

// outcome returns that of a source at a door. When there is no room for a new
// one, it takes that of the oldest outcome of the lowest rank.
func (a *account) outcome(source netip.Addr, door *engine.Door) *outcome {
	for _, o := range a.sources[source] {
		if o.door == door {
			return o
		}
	}
	if a.count == remembered {
		a.forget()
	}
	o := &outcome{source: source, door: door, seen: a.seen}
	o.place = a.ranks[begun].PushBack(o)
	a.sources[source] = append(a.sources[source], o)
	a.count++
	a.seen++
	return o
}

func (a *account) forget() {
	for r := range a.ranks {
		first := a.ranks[r].Front()
		if first == nil {
			continue
		}
		o := a.ranks[r].Remove(first).(*outcome)
		rest := slices.DeleteFunc(a.sources[o.source], func(other *outcome) bool { return other == o })
		if a.sources[o.source] = rest; len(rest) == 0 {
			delete(a.sources, o.source)
		}
		if a.opened == o {
			a.opened = nil
		}
		a.count--
		a.overflow = true
		return
	}
}

// raise moves an outcome up, never down: what counts is the furthest.
func (a *account) raise(o *outcome, to rank) {
	if to <= o.rank {
		return
	}
	a.ranks[o.rank].Remove(o.place)
	o.rank = to
	o.place = a.ranks[to].PushBack(o)
}

// all returns the outcomes, the furthest first, then by appearance.
func (a *account) all() []*outcome {
	var all []*outcome
	for _, r := range slices.Backward(a.ranks[:]) {
		from := len(all)
		for e := r.Front(); e != nil; e = e.Next() {
			all = append(all, e.Value.(*outcome))
		}
		slices.SortFunc(all[from:], func(x, y *outcome) int {
			if x.best.stage != y.best.stage {
				return y.best.stage - x.best.stage
			}
			return x.seen - y.seen
		})
	}
	return all
}
