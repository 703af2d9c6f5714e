package account

import (
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A nearMiss is the end of the unfinished attempt of a source that came furthest.
type nearMiss struct {
	stage  int // knocks done; 0: there was no attempt
	reason engine.Reason
	at     position    // of the packet that ended it, or came too late
	came   packet.Port // of that packet
	late   time.Duration
	over   time.Time // when its time was over, if no packet and no event showed it
}

// awaited is the knock that a source has to send next. The account compares packets with it in two
// cases: after the first knock, since no event reports the end of such an attempt, and after an
// attempt that time ended, since the knock may still come too late.
type awaited struct {
	stage    int // knocks done before it; 0: nothing is awaited
	until    time.Time
	reason   engine.Reason // for which the attempt ends at until
	reported bool          // an event has reported that end
}

// progress is the state of an attempt that has not ended.
type progress struct {
	stage        int // knocks done; 0: there is no attempt
	begun, until time.Time
	reason       engine.Reason // for which it ends at until
}

// advance notes that an attempt reached a stage. Its begin is unknown when the selection left out
// the first knock; the end of the door's total time is then unknown too.
func (o *outcome) advance(stage int, now time.Time) {
	p := progress{stage: stage, begun: o.current.begun}
	if stage == 1 {
		p.begun = now
	}
	if step := o.door.StepTimeout; step > 0 {
		p.until, p.reason = now.Add(step), engine.StepTimeout
	}
	if !p.begun.IsZero() {
		if end := p.begun.Add(o.door.Within); p.until.IsZero() || end.Before(p.until) {
			p.until, p.reason = end, engine.TotalTimeout
		}
	}
	o.current = p
}

// compare compares a packet with the awaited knock. The engine has already decided about the
// packet. This function only finds the words for that decision, which the engine does not give.
func (o *outcome) compare(p *packet.Packet, b *Book) {
	w := o.awaits
	// Without an awaited knock, or at another address than the door's, the packet changes nothing.
	if w.stage == 0 || !o.door.Accepts(p.Dest, b.ours) {
		return
	}
	late := b.now.Sub(w.until)
	came := nearMiss{stage: w.stage, reason: w.reason, at: position{p.Number, p.Capture}, came: p.Port}
	switch d := o.door; {
	case late < 0 && w.reported:
		// The attempt has ended, and the packet is from before its end.
	case late < 0 && d.Holds(w.stage, p):
		// The awaited knock in time: the engine reports the next stage.
	case d.Holds(w.stage, p):
		came.late = late
		o.addMiss(came)
	case late >= 0:
		// Another packet after the time: the awaited knock may still come.
	case d.Policy == engine.PolicyKnockd:
		if b.disturbs(d, p) {
			came.reason = engine.WrongPort
			if hasPort(d, p) {
				came.reason = engine.OutOfOrder
			}
			o.addMiss(came)
		}
	case b.trips(d, p):
		came.reason = engine.Tripwire
		o.addMiss(came)
	case d.Duplicates == engine.DuplicatesIgnored && d.Holds(0, p):
		o.await(1, b.now) // a repeated first knock starts the time of the attempt again
		o.advance(1, b.now)
	case d.OnWrong != engine.WrongResets:
	case hasPort(d, p):
		came.reason = engine.OutOfOrder
		o.addMiss(came)
	case d.Strict && isStray(d, p):
		came.reason = engine.WrongPort
		o.addMiss(came)
	}
}

// disturbs reports whether a packet ends an attempt at a door of a group although it is not the
// door's next knock: it has the flags that the door requires, and is a knock of some door of the
// group. So it is in knockd, which tries a packet at all doors.
func (b *Book) disturbs(d *engine.Door, p *packet.Packet) bool {
	if p.Port.Proto == packet.TCP && !d.Flags.Holds(p.Flags) {
		return false
	}
	return slices.ContainsFunc(b.groups[d.Group], func(other *engine.Door) bool {
		return other.Accepts(p.Dest, b.ours) && other.Wants(p)
	})
}

// tripwires returns the tripwires of a set with these doors, without those that a door guards.
func tripwires(doors []*engine.Door) map[packet.Port][]engine.Knock {
	set := engine.Set{Doors: doors}
	wires := make(map[packet.Port][]engine.Knock)
	for _, k := range set.Tripwires() {
		wires[k.Port] = append(wires[k.Port], k)
	}
	for _, d := range doors {
		for _, g := range d.Guards {
			delete(wires, g)
		}
	}
	return wires
}

// trips reports whether a packet to a tripwire is a wrong knock to a door. The engine also excepts
// ports that the source has a grant of, and, in a set with a strict door, answers to flows of this
// host.
func (b *Book) trips(d *engine.Door, p *packet.Packet) bool {
	return d.Tripped() && !slices.Contains(d.Except, p.Port) &&
		slices.ContainsFunc(b.wires[p.Port], func(k engine.Knock) bool { return k.Holds(p) })
}

// isStray reports whether a strict door counts a packet as a wrong knock although its port is not
// in the sequence. The engine also excepts ports that other doors guard, and answers to flows of
// this host. Missing those here changes a word of the account and nothing else.
func isStray(d *engine.Door, p *packet.Packet) bool {
	knocks := p.Port.Proto == packet.UDP || p.Port.Proto == packet.TCP && engine.SYN.Holds(p.Flags)
	return knocks && !slices.Contains(d.Guards, p.Port) && !slices.Contains(d.Except, p.Port)
}

// hasPort reports whether the packet's port is in the sequence of the door.
func hasPort(d *engine.Door, p *packet.Packet) bool {
	return slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port == p.Port })
}

// addMiss counts a miss, unless an event has reported it already, and stores it if it is the
// furthest so far. Nothing is awaited afterwards.
func (o *outcome) addMiss(m nearMiss) {
	if !o.awaits.reported {
		o.misses++
	}
	o.awaits, o.current = awaited{}, progress{}
	if m.stage >= o.best.stage {
		o.best = m
	}
}

// await sets the awaited knock: the one after the given stage, which was reached at now.
func (o *outcome) await(stage int, now time.Time) {
	o.awaits = awaited{stage: stage, until: now.Add(o.door.Within), reason: engine.TotalTimeout}
	if step := o.door.StepTimeout; step > 0 && step < o.door.Within {
		o.awaits.until, o.awaits.reason = now.Add(step), engine.StepTimeout
	}
}

// stage handles the event that an attempt advanced.
func (o *outcome) stage(e *engine.Event) {
	o.awaits = awaited{}
	o.advance(e.Stage, e.Time)
	if e.Stage == 1 && e.Stages > 1 {
		o.await(1, e.Time)
	}
}

// miss handles the event that an attempt ended. When time ended it, the awaited knock may still
// come, and may be the packet p that made the engine notice the time.
func (o *outcome) miss(e *engine.Event, p *packet.Packet, b *Book) {
	m := nearMiss{stage: e.Stage, reason: e.Reason, at: position{e.Packet, e.Capture}}
	if p != nil && e.Packet == p.Number && e.Capture == p.Capture {
		m.came = p.Port
	}
	o.awaits = awaited{}
	o.addMiss(m)
	if e.Reason != engine.StepTimeout && e.Reason != engine.TotalTimeout {
		return
	}
	o.awaits = awaited{stage: e.Stage, until: e.Time, reason: e.Reason, reported: true}
	if p != nil && p.Source == o.source {
		o.compare(p, b)
	}
}
