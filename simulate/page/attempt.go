package page

import (
	"container/list"
	"fmt"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// An attempt is an [Attempt] that is being collected.
type attempt struct {
	Attempt
	track track
	seen  int      // its number, from 0
	over  bool     // it has ended
	at    position // of the event that ended it
	// ended is the judgment that ended it, while the awaited knock may still come; told means that
	// an event will say the same.
	ended *engine.Judgment
	told  bool
	extra int // marks beside the knocks
	place place
}

// stage notes that an attempt made progress. An attempt with one knock ends without an event, so
// another first knock begins another attempt.
func (c *Collector) stage(e *engine.Event) {
	a := c.tracks[trackOf(e)]
	if a == nil || a.over || e.Stage <= a.Best {
		a = c.start(e)
	}
	a.Best, a.Stages, a.End = e.Stage, e.Stages, e.Time
	c.keep(a)
	a.mark(c.markOf(e, MarkKnock, fmt.Sprintf("knock %d of %d", e.Stage, e.Stages)))
}

// miss notes that an attempt ended unfinished.
func (c *Collector) miss(e *engine.Event) {
	a := c.tracks[trackOf(e)]
	if a != nil && a.told {
		a.told = false
		return
	}
	if a == nil || a.over {
		a = c.start(e)
	}
	a.Best, a.Stages = max(a.Best, e.Stage), e.Stages
	c.finish(a, e, Stopped)
	a.Text = transcript.Describe(e)
	a.mark(c.markOf(e, MarkEnd, a.Text))
}

// decided notes what was decided about a complete sequence, or about a knock of a listener. An
// error of a script comes before the refusal that it causes.
func (c *Collector) decided(e *engine.Event) {
	if e.Door == "" || !e.Source.IsValid() {
		return // a person asked for access
	}
	a := c.tracks[trackOf(e)]
	if a == nil || a.over && (a.at != positionOf(e) || e.Packet == 0) {
		a = c.start(e)
		a.mark(c.markOf(e, MarkKnock, "knock"))
	}
	verdict, text := Opened, ""
	// The others are no decisions.
	//exhaustive:ignore
	switch e.Kind {
	case engine.EventRefuse:
		verdict, text = Refused, transcript.Because(e.Reason, e.Detail)
	case engine.EventError:
		verdict, text = Failed, transcript.Fault(e)
	}
	if a.over && a.Verdict == Failed {
		return // the error says more than the refusal
	}
	a.Text = text
	if j := c.judgment(e); j != nil && j.Door != nil {
		a.Best, a.Stages = max(a.Best, j.Stage), max(a.Stages, len(j.Door.Sequence))
	}
	if a.Stages == 0 {
		a.Best, a.Stages = 1, 1
	}
	c.finish(a, e, verdict)
	if verdict == Opened {
		c.opened = a
	}
}

// failed notes that an effect failed. When its decision was taken back, nothing of it stands.
func (c *Collector) failed(e *engine.Event) {
	a := c.tracks[trackOf(e)]
	if a == nil || !a.over {
		return
	}
	text := transcript.Describe(e)
	if e.TakenBack && a.Verdict == Opened {
		a.Verdict, a.Text = Failed, text
		c.keep(a)
	}
	a.gave(text)
}

// start begins an attempt.
func (c *Collector) start(e *engine.Event) *attempt {
	t := trackOf(e)
	a := &attempt{track: t, seen: c.seen}
	a.Source, a.Door, a.Side = transcript.Source(e.Source), e.Door, c.side
	a.Begin, a.End = e.Time, e.Time
	c.seen++
	c.add(a)
	c.tracks[t] = a
	return a
}

// finish ends an attempt with a verdict.
func (c *Collector) finish(a *attempt, e *engine.Event, v Verdict) {
	a.over, a.at, a.Verdict = true, positionOf(e), v
	a.until(e.Time)
	c.keep(a)
}

// mark adds a mark. Of those that are no knocks of the sequence an attempt keeps the first.
func (a *attempt) mark(m Mark) {
	if m.Kind == MarkRepeat || m.Kind == MarkIgnored {
		if a.extra++; a.extra > maxMarks {
			return
		}
	}
	a.Marks = append(a.Marks, m)
}

// gave adds what a door did, a bounded number of times.
func (a *attempt) gave(text string) {
	if len(a.Gave) < maxMarks && !slices.Contains(a.Gave, text) {
		a.Gave = append(a.Gave, text)
	}
}

// markOf returns a mark for an event. The judgment of its packet says which port it was to.
func (c *Collector) markOf(e *engine.Event, kind MarkKind, text string) Mark {
	if j := c.judgment(e); j != nil && j.Came.Number != 0 && kind == MarkKnock {
		text = j.Came.String()
	}
	return Mark{Kind: kind, Time: e.Time, Packet: e.Packet, Capture: e.Capture, Text: text}
}

func positionOf(e *engine.Event) position { return position{e.Packet, e.Capture, e.Time} }

func trackOf(e *engine.Event) track { return track{e.Source, e.Door} }

// clone copies a judgment, which is valid only during a call.
func clone(j *engine.Judgment) *engine.Judgment {
	one := *j
	return &one
}

// A place is where the collector keeps an attempt. One without an element is kept no more.
type place struct {
	rank    int
	element *list.Element
}
