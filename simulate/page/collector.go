package page

import (
	"container/list"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A Collector is a writer of a transcript that collects what a page shows. It works with events
// alone. With judgments ([Collector.Judge]) it also knows which packets did what, and by how much a
// knock was too late. Memory is bounded by [MaxAttempts]. It is not safe for concurrent use.
type Collector struct {
	side     int
	captures []string
	summary  transcript.Summary
	begin    time.Time // of the first event or judgment
	end      time.Time // of the last

	attempts [ranks]list.List // of *attempt, the oldest first
	kept     int
	tracks   map[track]*attempt // the latest attempt of a source at a door
	seen     int                // attempts that there ever were
	left     Left

	judged []engine.Judgment // of the input at hand, at most maxJudged
	done   bool              // its events came
	opened *attempt          // the latest

	grants []*Grant
	live   map[uint64]*Grant
}

// A track is a source at a door.
type track struct {
	source netip.Prefix
	door   string
}

// A position names an input of the engine: a packet, or a time when no packet came.
type position struct {
	packet, capture int
	time            time.Time
}

// NewCollector returns an empty collector. Side is the number of what it collects among
// [Data.Sides]; 0 when nothing is compared.
func NewCollector(side int) *Collector {
	return &Collector{side: side, tracks: map[track]*attempt{}, live: map[uint64]*Grant{}}
}

// Begin notes the names of the captures.
func (c *Collector) Begin(_, captures []string) { c.captures = slices.Clone(captures) }

// Flush does nothing.
func (c *Collector) Flush() error { return nil }

// Summary notes the totals.
func (c *Collector) Summary(s transcript.Summary) error {
	c.summary = s
	return nil
}

// Events notes the events of an input of the engine.
func (c *Collector) Events(events []engine.Event) {
	for i := range events {
		if e := &events[i]; e.Shown() {
			c.reach(e.Time)
			c.event(e)
		}
	}
	c.done = true
}

// reach notes that the report has a time.
func (c *Collector) reach(at time.Time) {
	if c.begin.IsZero() || at.Before(c.begin) {
		c.begin = at
	}
	if at.After(c.end) {
		c.end = at
	}
}

func (c *Collector) event(e *engine.Event) {
	switch e.Kind {
	case engine.EventStage:
		c.stage(e)
	case engine.EventMiss:
		c.miss(e)
	case engine.EventOpen, engine.EventRefuse, engine.EventError:
		c.decided(e)
	case engine.EventEffect:
		c.effect(e)
	case engine.EventClose:
		c.close(e)
	case engine.EventFailed:
		c.failed(e)
	}
}

// Data returns what was collected.
func (c *Collector) Data() *Data {
	d := &Data{Begin: c.begin, End: c.end, Captures: c.captures, Left: c.left, Totals: totals(&c.summary)}
	for _, a := range c.all() {
		d.Attempts = append(d.Attempts, a.Attempt)
	}
	for _, g := range c.grants {
		d.Grants = append(d.Grants, *g)
	}
	return d
}

// totals returns the totals of a summary that people look for.
func totals(s *transcript.Summary) []Total {
	all := []Total{{"packets", s.Packets}, {"knocks", s.Knocks}, {"opens", s.Opens}, {"misses", s.Misses}, {"refusals", s.Refusals}}
	if s.Errors > 0 {
		all = append(all, Total{"errors", s.Errors})
	}
	if s.Failed > 0 {
		all = append(all, Total{"failed effects", s.Failed})
	}
	return all
}
