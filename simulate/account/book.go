// Package account turns judgments and events of an engine into what people and programs read about
// each source at each door: how far it came, why no further, and what would help.
//
// It judges no packet. What it says of a packet, the engine has said in a [engine.Judgment].
package account

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// maxOutcomes bounds the memory of an account. When it is full, a new outcome replaces the oldest
// outcome of the lowest rank. So a flood of first knocks replaces only first knocks.
const maxOutcomes = 1000

// A Book collects the account of each source at each door. The order of calls is that of the
// engine: a judgment about a packet comes before the events that the packet caused. A Book is not
// safe for concurrent use.
type Book struct {
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
	overflow bool      // some outcomes were replaced
	ended    time.Time // end of a recording, after which attempts may continue; zero: a capture, they end
	running  bool      // the recording is of a daemon that runs, and ended is now
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

// New returns an empty book for a replay that begins with these doors.
func New(doors []*engine.Door) *Book {
	b := &Book{doors: map[string]*engine.Door{}, sources: map[netip.Addr][]*outcome{}}
	b.Swap(doors, engine.Reloaded)
	return b
}

// Judge notes a judgment. It copies what it keeps.
func (b *Book) Judge(*engine.Judgment) {}

// End notes that the input was a recording that ended at a time. Attempts may continue after it.
// Running means that the recording is of a daemon that runs, and that its end is now. Without a
// call of End the input was a capture, and its attempts ended with it.
func (b *Book) End(at time.Time, running bool) { b.ended, b.running = at, running }

// Swap replaces the doors. A door with the same rules for knocks keeps its attempts. Attempts at
// other doors end with the given reason.
func (b *Book) Swap(doors []*engine.Door, why engine.Reason) {
	was := b.doors
	b.doors, b.groups, b.tested = map[string]*engine.Door{}, map[string][]*engine.Door{}, nil
	for _, d := range doors {
		if old := was[d.Name]; old != nil && sameRules(old, d) {
			d = old // outcomes point to doors, so the old one must stay
		}
		b.doors[d.Name] = d
		if d.Payload != nil {
			b.tested = append(b.tested, d)
		}
		if d.Policy == engine.PolicyKnockd && !d.Listen {
			b.groups[d.Group] = append(b.groups[d.Group], d)
		}
	}
	b.wires = tripwires(doors)
	for _, outcomes := range b.sources {
		for _, o := range outcomes {
			if o.awaits.stage > 0 && !o.awaits.reported && b.doors[o.door.Name] != o.door {
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

// Packet handles a packet and the events that it caused. Counted means that the engine offered the
// packet to the doors: it was neither a retransmit nor for another host.
func (b *Book) Packet(p *packet.Packet, counted, ours bool, events []engine.Event) {
	b.ours = ours
	if p.Time.After(b.now) {
		b.now = p.Time
	}
	if counted {
		for _, o := range b.sources[p.Source] {
			o.compare(p, b)
		}
		b.testPayload(p)
	}
	if !counted {
		p = nil
	}
	b.handle(events, p)
}

// testPayload notes at which doors a packet was no knock because of its payload.
func (b *Book) testPayload(p *packet.Packet) {
	for _, d := range b.tested {
		if why := OtherPayload(d, p); why != "" && d.Accepts(p.Dest, b.ours) {
			o := b.outcome(p.Source, d)
			o.misfits++
			o.misfit, o.payload = position{p.Number, p.Capture}, why
		}
	}
}

// OtherPayload returns why a packet is no knock of a door, when that is because of its payload
// alone; else "".
func OtherPayload(d *engine.Door, p *packet.Packet) string {
	if d.Payload != nil && slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Holds(p) }) {
		return d.Payload.Misfit(p)
	}
	return ""
}

// Events handles events that no packet of the book caused.
func (b *Book) Events(events []engine.Event) { b.handle(events, nil) }

// handle handles events. P is the packet that caused them, nil for other inputs.
func (b *Book) handle(events []engine.Event, p *packet.Packet) {
	for i := range events {
		b.event(&events[i], p)
	}
}

func (b *Book) event(e *engine.Event, p *packet.Packet) {
	if e.Kind == engine.EventEffect {
		b.effect(e)
		return
	}
	if e.Kind == engine.EventFailed {
		b.failure(e)
		return
	}
	if e.Kind == engine.EventClose {
		b.end(e)
		return
	}
	door := b.doors[e.Door]
	if door == nil || !e.Source.IsValid() {
		return
	}
	o := b.outcome(e.Source.Addr(), door)
	at := position{e.Packet, e.Capture}
	switch e.Kind {
	case engine.EventStage:
		o.stage(e)
	case engine.EventMiss:
		b.raise(o, missed)
		o.miss(e, p, b)
	case engine.EventRefuse:
		o.current = progress{}
		b.raise(o, refused)
		o.refusals++
		o.refuse, o.detail = at, transcript.Because(e.Reason, e.Detail)
	case engine.EventError:
		o.current = progress{}
		b.raise(o, refused)
		o.errors++
		o.fault = transcript.Fault(e)
	case engine.EventOpen:
		b.begin(o, at)
	case engine.EventEffect, engine.EventClose, engine.EventFailed: // not about the knock
	}
}

// outcome returns the outcome of a source at a door, and makes it if there is none yet.
func (b *Book) outcome(source netip.Addr, door *engine.Door) *outcome {
	for _, o := range b.sources[source] {
		if o.door == door {
			return o
		}
	}
	if b.count == maxOutcomes {
		b.forget()
	}
	o := &outcome{source: source, door: door, seen: b.seen}
	o.element = b.ranks[begun].PushBack(o)
	b.sources[source] = append(b.sources[source], o)
	b.count++
	b.seen++
	return o
}

// forget removes the oldest outcome of the lowest rank.
func (b *Book) forget() {
	for r := range b.ranks {
		first := b.ranks[r].Front()
		if first == nil {
			continue
		}
		o := b.ranks[r].Remove(first).(*outcome)
		rest := slices.DeleteFunc(b.sources[o.source], func(other *outcome) bool { return other == o })
		if b.sources[o.source] = rest; len(rest) == 0 {
			delete(b.sources, o.source)
		}
		b.count--
		b.overflow = true
		return
	}
}

// raise moves an outcome up to a rank. An outcome never moves down.
func (b *Book) raise(o *outcome, to rank) {
	if to <= o.rank {
		return
	}
	b.ranks[o.rank].Remove(o.element)
	o.rank = to
	o.element = b.ranks[to].PushBack(o)
}

// all returns the outcomes, the furthest first. Equal ones are in the order of their first knocks.
func (b *Book) all() []*outcome {
	var all []*outcome
	for _, r := range slices.Backward(b.ranks[:]) {
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
