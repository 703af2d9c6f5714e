package simulate

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/split"
	"sesame/daemon/transcript"
)

// maxOutcomes bounds the memory of an account. When it is full, a new outcome replaces the oldest
// outcome of the lowest rank. So a flood of first knocks replaces only first knocks.
const maxOutcomes = 1000

// An account collects, for people, the outcome of each source's attempts at each door. It looks at
// packets as well as at events: a knock that came too late causes no event, and the reader wants to
// know by how much it was too late.
type account struct {
	doors    map[string]*engine.Door
	groups   map[string][]*engine.Door      // doors of policy knockd, which the engine matches together
	wires    map[packet.Port][]engine.Knock // tripwires that no door guards
	tested   []*engine.Door                 // doors that test payloads
	ours     bool                           // the current packet is for an address of this host
	sources  map[netip.Addr][]*outcome
	ranks    [ranks]list.List // of *outcome, oldest first
	count    int              // number of outcomes now
	seen     int              // number of outcomes ever
	now      time.Time        // time of the latest packet
	latest   *opening         // for the effects that follow its event
	consumed *engine.Event    // the latest use of a one-time sequence: its opening may follow it
	byEffect openings
	byGrant  openings
	overflow bool         // some outcomes were replaced
	split    split.Finder // of knocks of two addresses; it gets all packets, selected or not
	ended    time.Time    // end of a recording, after which attempts may continue; zero: a capture, they end
	running  bool         // the recording is of a daemon that runs, and ended is now
}

// A rank is how far a source came at a door.
type rank int

const (
	begun   rank = iota // it knocked once
	missed              // an attempt of several knocks ended
	refused             // a sequence was complete, and was refused or failed
	opened
	ranks // the number of ranks, for arrays
)

// An outcome is the result of one source's attempts at one door.
type outcome struct {
	source  netip.Addr
	door    *engine.Door
	seen    int // its number among all outcomes, from 0
	rank    rank
	element *list.Element // of this outcome in the list of its rank

	opens, refusals, errors, misses, misfits int

	broken  int      // openings of which nothing stands, since an effect failed
	flaws   int      // failures that left the rest of their opening as it was
	good    *opening // the first that stands, as far as is known
	newest  *opening
	bad     *opening // the latest of which nothing stands
	flawed  *opening // the latest of which something failed and the rest stands
	refuse  position
	detail  string   // of the latest refusal
	fault   string   // of the latest error
	misfit  position // of the latest packet with another payload than the door's
	payload string   // why it was another
	best    nearMiss
	awaits  awaited
	current progress
}

// A position names a packet: its number, and that of its capture.
type position struct{ packet, capture int }

// newAccount returns an empty account for a replay that begins with these doors.
func newAccount(doors []*engine.Door) *account {
	a := &account{doors: map[string]*engine.Door{}, sources: map[netip.Addr][]*outcome{}}
	a.swap(doors, engine.Reloaded)
	return a
}

// swap replaces the doors. A door with the same rules for knocks keeps its attempts. Attempts at
// other doors end with the given reason.
func (a *account) swap(doors []*engine.Door, why engine.Reason) {
	was := a.doors
	a.doors, a.groups, a.tested = map[string]*engine.Door{}, map[string][]*engine.Door{}, nil
	for _, d := range doors {
		if old := was[d.Name]; old != nil && sameRules(old, d) {
			d = old // outcomes point to doors, so the old one must stay
		}
		a.doors[d.Name] = d
		if d.Payload != nil {
			a.tested = append(a.tested, d)
		}
		if d.Policy == engine.PolicyKnockd && !d.Listen {
			a.groups[d.Group] = append(a.groups[d.Group], d)
		}
	}
	a.wires = tripwires(doors)
	a.split.SetDoors(doors)
	for _, outcomes := range a.sources {
		for _, o := range outcomes {
			if o.awaits.stage > 0 && !o.awaits.reported && a.doors[o.door.Name] != o.door {
				o.addMiss(nearMiss{stage: o.awaits.stage, reason: why})
			}
		}
	}
}

// sameRules reports whether the same knocks open two doors.
func sameRules(a, b *engine.Door) bool {
	return slices.Equal(a.Sequence, b.Sequence) && a.Within == b.Within && a.StepTimeout == b.StepTimeout &&
		a.Policy == b.Policy && a.Group == b.Group && a.Flags == b.Flags && a.Target == b.Target &&
		a.Payload.Same(b.Payload)
}

// packet handles a packet and the events that it caused. Counted means that the engine offered the
// packet to the doors: it was neither a retransmit nor for another host.
func (a *account) packet(p *packet.Packet, counted bool, events []engine.Event) {
	if p.Time.After(a.now) {
		a.now = p.Time
	}
	if counted {
		for _, o := range a.sources[p.Source] {
			o.compare(p, a)
		}
		a.testPayload(p)
	}
	if !counted {
		p = nil
	}
	a.events(events, p)
}

// testPayload notes at which doors a packet was no knock because of its payload.
func (a *account) testPayload(p *packet.Packet) {
	for _, d := range a.tested {
		if why := otherPayload(d, p); why != "" && d.Accepts(p.Dest, a.ours) {
			o := a.outcome(p.Source, d)
			o.misfits++
			o.misfit, o.payload = position{p.Number, p.Capture}, why
		}
	}
}

// otherPayload returns why a packet is no knock of a door, when that is because of its payload
// alone; else "".
func otherPayload(d *engine.Door, p *packet.Packet) string {
	if d.Payload != nil && slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Holds(p) }) {
		return d.Payload.Misfit(p)
	}
	return ""
}

// events handles events. P is the packet that caused them, nil for other inputs.
func (a *account) events(events []engine.Event, p *packet.Packet) {
	for i := range events {
		a.event(&events[i], p)
	}
}

func (a *account) event(e *engine.Event, p *packet.Packet) {
	if e.Kind == engine.EventEffect {
		a.effect(e)
		return
	}
	if e.Kind == engine.EventFailed {
		a.failure(e)
		return
	}
	if e.Kind == engine.EventClose {
		a.end(e)
		return
	}
	door := a.doors[e.Door]
	if door == nil || !e.Source.IsValid() {
		return
	}
	o := a.outcome(e.Source.Addr(), door)
	at := position{e.Packet, e.Capture}
	switch e.Kind {
	case engine.EventStage:
		o.stage(e)
	case engine.EventMiss:
		a.raise(o, missed)
		o.miss(e, p, a)
	case engine.EventRefuse:
		o.current = progress{}
		a.raise(o, refused)
		o.refusals++
		o.refuse, o.detail = at, transcript.Because(e.Reason, e.Detail)
	case engine.EventError:
		o.current = progress{}
		a.raise(o, refused)
		o.errors++
		o.fault = transcript.Fault(e)
	case engine.EventOpen:
		a.begin(o, at)
	case engine.EventEffect, engine.EventClose, engine.EventFailed: // not about the knock
	}
}

// outcome returns the outcome of a source at a door, and makes it if there is none yet.
func (a *account) outcome(source netip.Addr, door *engine.Door) *outcome {
	for _, o := range a.sources[source] {
		if o.door == door {
			return o
		}
	}
	if a.count == maxOutcomes {
		a.forget()
	}
	o := &outcome{source: source, door: door, seen: a.seen}
	o.element = a.ranks[begun].PushBack(o)
	a.sources[source] = append(a.sources[source], o)
	a.count++
	a.seen++
	return o
}

// forget removes the oldest outcome of the lowest rank.
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
		a.count--
		a.overflow = true
		return
	}
}

// raise moves an outcome up to a rank. An outcome never moves down.
func (a *account) raise(o *outcome, to rank) {
	if to <= o.rank {
		return
	}
	a.ranks[o.rank].Remove(o.element)
	o.rank = to
	o.element = a.ranks[to].PushBack(o)
}

// all returns the outcomes, the furthest first. Equal ones are in the order of their first knocks.
func (a *account) all() []*outcome {
	var all []*outcome
	for _, r := range slices.Backward(a.ranks[:]) {
		from := len(all)
		for e := r.Front(); e != nil; e = e.Next() {
			all = append(all, e.Value.(*outcome))
		}
		slices.SortFunc(all[from:], func(x, y *outcome) int {
			return cmp.Or(y.best.stage-x.best.stage, x.seen-y.seen)
		})
	}
	return all
}
