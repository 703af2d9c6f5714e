package account

import (
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// An opening is one time that a source opened a door: what the door gave, and what failed of it.
// Whether it failed is known later, since commands take their time, so the account finds the
// opening again by the number of the effect.
type opening struct {
	outcome   *outcome
	at        position
	parts     []part
	failed    []string // what failed, in words, in order; at most maxFailures
	takenBack bool     // the decision failed: nothing of it stands
}

// maxFailures bounds the failures of one opening that the account keeps: an undo may fail often.
const maxFailures = 3

// A part is an effect of an opening.
type part struct {
	effect, grant uint64 // their numbers in the engine; 0: nobody waits for its result; it has no grant
	port          packet.Port
	text          string // "" for an effect that people need not know
	failed        bool
	ended         bool // its grant ended since another effect failed
}

// openings are the latest openings, by numbers that the engine gives one after another. It forgets
// an opening when a number comes that is so much higher.
type openings [1 << 10]struct {
	number  uint64
	opening *opening
}

func (o *openings) put(number uint64, op *opening) {
	if number != 0 {
		at := &o[number%uint64(len(o))]
		at.number, at.opening = number, op
	}
}

// of returns the opening with the number; nil: it is not known, or not any more.
func (o *openings) of(number uint64) *opening {
	if at := o[number%uint64(len(o))]; number != 0 && at.number == number {
		return at.opening
	}
	return nil
}

// begin notes that a source opened a door.
func (b *Book) begin(o *outcome, at position) {
	b.raise(o, opened)
	b.latest = &opening{outcome: o, at: at}
	o.current = progress{}
	o.opens++
	o.newest = b.latest
	if o.good == nil {
		o.good = b.latest
	}
	if b.consumed != nil && b.consumed.Door == o.door.Name && (position{b.consumed.Packet, b.consumed.Capture}) == at {
		b.effect(b.consumed)
	}
}

// effect notes what an opening gave. A grant for a network has another source than the knock, so
// the effect is found by its packet and not by its source. What happens to a grant later, such as
// its undo, has no packet, and is found by the grant.
func (b *Book) effect(e *engine.Event) {
	op := b.latest
	if op == nil || e.Door != op.outcome.door.Name || (position{e.Packet, e.Capture}) != op.at {
		if e.Effect == engine.EffectConsume {
			consumed := *e
			b.consumed = &consumed
		}
		b.byEffect.put(e.ID, b.byGrant.of(e.Grant))
		return
	}
	b.byEffect.put(e.ID, op)
	b.byGrant.put(e.Grant, op)
	text := accessOf(e)
	if text != "" && e.Source.IsSingleIP() && e.Source.Addr() != op.outcome.source {
		text += " to " + e.Source.Addr().String() // who completed another door
	}
	op.parts = append(op.parts, part{effect: e.ID, grant: e.Grant, port: e.Port, text: text})
}

// failure notes that an effect failed.
func (b *Book) failure(e *engine.Event) {
	op := b.byEffect.of(e.Failed)
	if op == nil {
		return
	}
	for i := range op.parts {
		g := &op.parts[i]
		g.failed = g.failed || g.effect == e.Failed
	}
	if len(op.failed) < maxFailures {
		op.failed = append(op.failed, failureOf(e))
	}
	o := op.outcome
	switch {
	case op.takenBack:
	case !e.TakenBack:
		o.flaws++
		o.flawed = op
	default:
		op.takenBack = true
		o.broken++
		o.bad = op
		if o.good == op {
			o.good = nil
		}
		if o.good == nil && !o.newest.takenBack {
			o.good = o.newest
		}
	}
}

// end notes that a grant ended since an effect of its decision failed. A grant that the decision
// only extended gets its former end back, and no event says that.
func (b *Book) end(e *engine.Event) {
	op := b.byGrant.of(e.Grant)
	if op == nil || e.Reason != engine.NotDone {
		return
	}
	for i := range op.parts {
		g := &op.parts[i]
		g.ended = g.ended || g.grant == e.Grant
	}
}

// failureOf describes what failed. The text of a command's error names the command already.
func failureOf(e *engine.Event) string {
	subject := ""
	switch {
	case e.Effect == engine.EffectUndo:
		subject = "undo: "
	case e.Effect == engine.EffectConsume:
		subject = "noting that the sequence is used: "
	case e.Port.Number != 0 && !strings.Contains(e.Detail, e.Port.String()):
		subject = e.Port.String() + ": "
	}
	return subject + transcript.Safe(e.Detail)
}

// access lists what an opening gave and what did not fail.
func (op *opening) access() string {
	var texts []string
	for _, g := range op.parts {
		if g.text != "" && !g.failed {
			texts = append(texts, g.text)
		}
	}
	return strings.Join(texts, ", ")
}

// shut lists the ports that an opening would have given if nothing else had failed. A port that an
// earlier opening gave is open all the same.
func (op *opening) shut() string {
	var ports []string
	for _, g := range op.parts {
		if g.port.Number != 0 && g.ended && !g.failed {
			ports = append(ports, g.port.String())
		}
	}
	return strings.Join(ports, ", ")
}

// openingLines describes the openings of an outcome: those that stand, then those that failed.
func (o *outcome) openingLines() []string {
	var lines []string
	if n := o.opens - o.broken; n > 0 {
		op := o.good
		if op == nil {
			op = &opening{} // several were carried out at once, and the one that stands is forgotten
		}
		line := "opened" + times(n, op.at, "first")
		access := op.access()
		if access != "" {
			line += ": " + access
		}
		if o.flaws > 0 {
			line += separator(access) + "failed"
			if o.flaws > 1 || o.flawed != op {
				line += times(o.flaws, o.flawed.at, "last")
			}
			line += ": " + strings.Join(o.flawed.failed, "; ")
		}
		lines = append(lines, line)
	}
	if op := o.bad; op != nil {
		line := "opened" + times(o.broken, op.at, "last") + ", and failed: " + strings.Join(op.failed, "; ")
		if shut := op.shut(); shut != "" {
			line += "; so not open: " + shut
		}
		lines = append(lines, line)
	}
	return lines
}

// separator goes between what an opening gave, which may be nothing, and what failed.
func separator(access string) string {
	if access == "" {
		return ", and "
	}
	return "; "
}

// accessOf describes the access that an effect gave, "" for effects that give none.
func accessOf(e *engine.Event) string {
	switch {
	case e.Effect == engine.EffectAllow && e.Observed:
		return "would have opened " + e.Port.String() + " for " + transcript.Duration(e.TTL)
	case e.Effect == engine.EffectExec && e.Argv != nil && e.Observed:
		return "would have run " + transcript.Command(e.Argv)
	case e.Effect == engine.EffectAllow:
		return e.Port.String() + " for " + transcript.Duration(e.TTL)
	case e.Effect == engine.EffectExec && e.Argv != nil:
		return "ran " + transcript.Command(e.Argv)
	}
	return ""
}
