package simulate

import (
	"fmt"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A nearMiss is the furthest that an unfinished attempt of a source came.
type nearMiss struct {
	stage  int // 0: there was none
	reason engine.Reason
	at     place       // of the packet that ended it, or came too late
	came   packet.Port // in that packet
	late   time.Duration
}

// awaited is a knock that a source still owes: the next one of an attempt at
// its first stage, whose end no event will tell, or the one that an attempt
// missed by time.
type awaited struct {
	stage  int // knocks done before it; 0: nothing is awaited
	until  time.Time
	reason engine.Reason // of missing it at until
	told   bool          // an event told the miss
}

// going is an attempt that is on its way.
type going struct {
	stage        int // knocks done; 0: there is none
	begun, until time.Time
}

// goOn follows an attempt to a stage. When it began is not known where somebody asked
// for less than all.
func (o *outcome) goOn(stage int, now time.Time) {
	g := going{stage: stage, begun: o.going.begun}
	if stage == 1 {
		g.begun = now
	}
	if step := o.door.StepTimeout; step > 0 {
		g.until = now.Add(step)
	}
	if !g.begun.IsZero() {
		if end := g.begun.Add(o.door.Within); g.until.IsZero() || end.Before(g.until) {
			g.until = end
		}
	}
	o.going = g
}

// waits returns what an attempt waits for that was on its way when a recording
// ended, "" when there is none.
func (o *outcome) waits(ended time.Time) string {
	g := o.going
	if g.stage == 0 || g.stage >= len(o.door.Sequence) || ended.IsZero() || !g.until.IsZero() && !g.until.After(ended) {
		return ""
	}
	line := fmt.Sprintf("on its way at %d of %d: waits for %v", g.stage, len(o.door.Sequence), o.door.Sequence[g.stage].Port)
	if !g.until.IsZero() {
		line += ", until " + g.until.UTC().Format("15:04:05.000")
	}
	return line
}

// see compares a packet with what is awaited. The engine judges the packet for
// itself; this only finds words for what it decided.
func (o *outcome) see(p *packet.Packet, a *account) {
	w := o.awaits
	if w.stage == 0 || !o.door.Accepts(p.Dest, a.ours) {
		return
	}
	late := a.now.Sub(w.until)
	came := nearMiss{stage: w.stage, reason: w.reason, at: place{p.Number, p.Capture}, came: p.Port}
	switch d := o.door; {
	case late < 0 && w.told, late < 0 && d.Sequence[w.stage].Holds(p):
	case d.Sequence[w.stage].Holds(p):
		came.late = late
		o.note(came)
	case late >= 0:
	case d.Policy == engine.PolicyKnockd:
		if a.disturbs(d, p) {
			came.reason = engine.WrongPort
			if minds(d, p) {
				came.reason = engine.OutOfOrder
			}
			o.note(came)
		}
	case d.Duplicates == engine.DuplicatesIgnored && d.Sequence[0].Holds(p):
		o.await(1, a.now)
		o.goOn(1, a.now)
	case d.OnWrong != engine.WrongResets:
	case minds(d, p):
		came.reason = engine.OutOfOrder
		o.note(came)
	case d.Strict && strays(d, p):
		came.reason = engine.WrongPort
		o.note(came)
	}
}

// disturbs reports whether a packet that is not the next knock of a door of a
// group ends an attempt in it: one with the flags that the door asks for, and
// which is some knock of some door of the group.
func (a *account) disturbs(d *engine.Door, p *packet.Packet) bool {
	if p.Port.Proto == packet.TCP && !d.Flags.Holds(p.Flags) {
		return false
	}
	return slices.ContainsFunc(a.groups[d.Group], func(other *engine.Door) bool {
		return other.Accepts(p.Dest, a.ours) && slices.ContainsFunc(other.Sequence, func(k engine.Knock) bool { return k.Holds(p) })
	})
}

// strays reports whether a strict door takes a packet to a port that it does
// not list for a wrong knock. What other doors guard, and answers to flows of
// this host, the engine knows better; here it only misplaces a word.
func strays(d *engine.Door, p *packet.Packet) bool {
	knocks := p.Port.Proto == packet.UDP || p.Port.Proto == packet.TCP && engine.SYN.Holds(p.Flags)
	return knocks && !slices.Contains(d.Guards, p.Port) && !slices.Contains(d.Except, p.Port)
}

// minds reports whether a packet that is not the next knock can be a wrong one.
func minds(d *engine.Door, p *packet.Packet) bool {
	return slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port == p.Port })
}

// note keeps a miss when it is the furthest so far. The one that was awaited is
// told now, and one that an event told already is not counted again.
func (o *outcome) note(m nearMiss) {
	if !o.awaits.told {
		o.misses++
	}
	o.awaits, o.going = awaited{}, going{}
	if m.stage >= o.best.stage {
		o.best = m
	}
}

// await expects the knock after the given stage, which was reached at now.
func (o *outcome) await(stage int, now time.Time) {
	o.awaits = awaited{stage: stage, until: now.Add(o.door.Within), reason: engine.TotalTimeout}
	if step := o.door.StepTimeout; step > 0 && step < o.door.Within {
		o.awaits.until, o.awaits.reason = now.Add(step), engine.StepTimeout
	}
}

func (o *outcome) stage(e *engine.Event) {
	o.awaits = awaited{}
	o.goOn(e.Stage, e.Time)
	if e.Stage == 1 && e.Stages > 1 {
		o.await(1, e.Time)
	}
}

// miss follows the end of an attempt. When time ended it, its packet may still
// come, and may even be the one at hand.
func (o *outcome) miss(e *engine.Event, p *packet.Packet, a *account) {
	m := nearMiss{stage: e.Stage, reason: e.Reason, at: place{e.Packet, e.Capture}}
	if p != nil && e.Packet == p.Number && e.Capture == p.Capture {
		m.came = p.Port
	}
	o.awaits = awaited{}
	o.note(m)
	if e.Reason != engine.StepTimeout && e.Reason != engine.TotalTimeout {
		return
	}
	o.awaits = awaited{stage: e.Stage, until: e.Time, reason: e.Reason, told: true}
	if p != nil && p.Source == o.source {
		o.see(p, a)
	}
}
