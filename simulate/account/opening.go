package account

import (
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// An opening is one time that a source opened a door: what the door gave, and what failed of it.
// Whether it failed is known later, since commands take their time, so the account finds the
// opening again by the number of the effect.
type opening struct {
	record    *record
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

// A result is what came of the openings of a record.
type result struct {
	count  int
	broken int      // openings of which nothing stands, since an effect failed
	flaws  int      // failures that left the rest of their opening as it was
	good   *opening // the first that stands, as far as is known
	newest *opening
	bad    *opening // the latest of which nothing stands
	flawed *opening // the latest of which something failed and the rest stands
	slack  slack    // the least
}

// A slack is how much of its time a completed attempt had left.
type slack struct {
	left, of time.Duration // of is zero when one knock opens the door
	limit    engine.Reason // which limit: StepTimeout or TotalTimeout
}

// left notes how much of its time an attempt had left when it was completed.
func (o *result) left(j *engine.Judgment) {
	s := slack{j.Left, j.Door.Within, j.Limit}
	if j.Limit == engine.StepTimeout {
		s.of = j.Door.StepTimeout
	}
	if j.Left > 0 && j.Reason == "" && (o.slack.of == 0 || s.left < o.slack.left) {
		o.slack = s
	}
}

// begin notes that a source opened a door.
func (b *Book) begin(r *record, at position) {
	b.raise(r, opened)
	r.failed = false
	b.latest = &opening{record: r, at: at}
	o := &r.openings
	o.count++
	o.newest = b.latest
	if o.good == nil {
		o.good = b.latest
	}
	if b.consumed != nil && b.consumed.Door == r.door && (position{b.consumed.Packet, b.consumed.Capture}) == at {
		b.effect(b.consumed)
	}
}

// effect notes what an opening gave. A grant for a network has another source than the knock, so
// the effect is found by its packet and not by its source. What happens to a grant later, such as
// its undo, has no packet, and is found by the grant.
func (b *Book) effect(e *engine.Event) {
	op := b.latest
	if op == nil || e.Door != op.record.door || (position{e.Packet, e.Capture}) != op.at {
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
	if text != "" && e.Source.IsSingleIP() && e.Source.Addr() != op.record.source.addr {
		text += " to " + e.Source.Addr().String() // who completed another door
	}
	if e.Effect == engine.EffectAllow {
		op.record.visitedBefore(e.Port, op.at, e.Time)
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
	o := &op.record.openings
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

// lines describes the openings of a record: those that stand, then those that failed.
func (o *result) lines() []string {
	var lines []string
	if n := o.count - o.broken; n > 0 {
		op := o.good
		if op == nil {
			op = &opening{} // several were carried out at once, and the one that stands is forgotten
		}
		line := "opened" + times(n, op.at, "first") + o.slack.text(n)
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

// text returns ", 7.1s of 8s left", for so many openings.
func (s *slack) text(openings int) string {
	if s.of == 0 {
		return ""
	}
	text := ", "
	if openings > 1 {
		text += "at least "
	}
	text += rounded(s.left) + " of "
	if s.limit == engine.StepTimeout {
		text += "step_timeout "
	}
	return text + transcript.Duration(s.of) + " left"
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
