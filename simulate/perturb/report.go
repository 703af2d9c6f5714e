package perturb

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sesame/simulate/repeat"
)

// A Report is what many runs found. Chances are the openings that there are without faults, once
// for each run.
type Report struct {
	Seed uint64 // of the first run
	Runs int    // that were made
	// Packets are those that have faults: TCP and UDP that a door watches.
	Packets int
	Doors   []Door
	// Only are doors and sources that open with faults alone: findings.
	Only []Only
	// Failed is in how many runs a script failed, and FirstFailed the seed of the first of them.
	Failed      int
	FirstFailed uint64
}

// FirstShort returns the seed of the first run in which a door opened less often, or else that of
// the first run.
func (r *Report) FirstShort() uint64 {
	first, found := r.Seed, false
	for _, d := range r.Doors {
		if d.Chances.Of < d.Chances.All && (!found || d.First-r.Seed < first-r.Seed) {
			first, found = d.First, true
		}
	}
	return first
}

// A Door is how often one door opens.
type Door struct {
	Name    string
	Chances repeat.Share
	First   uint64 // the seed of the first run that opened less; without one, 0
	Reasons []Counted
	Sources []Source // those that opened least come first
	// Mean and Most are how much later the door opened, for sources that open it once.
	Mean, Most time.Duration
}

// A Counted is a reason, how often it was there, the seed of the first run that had it, and what
// its account said.
type Counted struct {
	Reason
	Count int
	First uint64
	Text  string
}

// A Source is how often one source opens a door.
type Source struct {
	Address string
	Chances repeat.Share
	First   uint64 // as that of a Door
}

// An Only is a door and a source that open in some runs and not without faults.
type Only struct {
	Door, Source string
	Runs         repeat.Share
	First        uint64
}

// A collector makes a report of outcomes.
type collector struct {
	plan    *Plan
	choice  Choice
	done    Report
	missed  []miss // by pair
	reasons []map[Reason]*Counted
	delays  []delay
	only    map[pair]*miss
}

// A miss is how often something happened, and the seed of the first run in which it did.
type miss struct {
	count int
	first uint64
}

func (m *miss) add(n int, seed uint64) {
	if m.count == 0 {
		m.first = seed
	}
	m.count += n
}

func newCollector(p *Plan, runs repeat.Plan, choice Choice) *collector {
	c := &collector{
		plan: p, choice: choice, done: Report{Seed: runs.Seed, Packets: p.route.faulty}, only: map[pair]*miss{},
		missed: make([]miss, len(p.pairs)), reasons: make([]map[Reason]*Counted, len(p.doors)), delays: make([]delay, len(p.doors)),
	}
	for i := range c.reasons {
		c.reasons[i] = map[Reason]*Counted{}
	}
	return c
}

// take takes the outcome of a run.
func (c *collector) take(seed uint64, o outcome) {
	c.done.Runs++
	for _, s := range o.shorts {
		c.missed[s.pair].add(s.by, seed)
	}
	for i := range o.reasons {
		c.because(&o.reasons[i], seed)
	}
	for i, d := range o.delays {
		c.delays[i].opened += d.opened
		c.delays[i].sum += d.sum
		c.delays[i].most = max(c.delays[i].most, d.most)
	}
	for _, p := range o.extras {
		if c.only[p] == nil {
			c.only[p] = &miss{}
		}
		c.only[p].add(1, seed)
	}
	if o.errors > 0 {
		if c.done.Failed++; c.done.Failed == 1 {
			c.done.FirstFailed = seed
		}
	}
}

// because counts the reason of pairs that opened less often.
func (c *collector) because(b *because, seed uint64) {
	one := c.reasons[b.door][b.reason]
	if one == nil {
		one = &Counted{Reason: b.reason, First: seed, Text: b.text}
		c.reasons[b.door][b.reason] = one
	}
	one.Count += b.by
}

// report returns the report of all that was taken.
func (c *collector) report() *Report {
	r := &c.done
	for at, name := range c.plan.doors {
		if d := c.door(at, name); d.Sources != nil {
			r.Doors = append(r.Doors, d)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(c.only), pair.compare) {
		if m := c.only[p]; c.choice.has(p) {
			r.Only = append(r.Only, Only{p.door, p.source.String(), repeat.Share{Of: m.count, All: r.Runs}, m.first})
		}
	}
	return r
}

// door returns what there is to tell of a door.
func (c *collector) door(at int, name string) Door {
	d := Door{Name: name, Most: c.delays[at].most}
	if n := c.delays[at].opened; n > 0 {
		d.Mean = c.delays[at].sum / time.Duration(n)
	}
	var first miss
	for i, p := range c.plan.pairs {
		if c.plan.doorOf[i] != at || !c.choice.has(p) {
			continue
		}
		all, m := c.plan.plain[p].opens*c.done.Runs, c.missed[i]
		d.Sources = append(d.Sources, Source{p.source.String(), repeat.Share{Of: all - m.count, All: all}, m.first})
		d.Chances.All += all
		d.Chances.Of += all - m.count
		if m.count > 0 && (first.count == 0 || m.first-c.done.Seed < first.first-c.done.Seed) {
			first = m
		}
	}
	d.First = first.first
	slices.SortStableFunc(d.Sources, func(a, b Source) int {
		return cmp.Compare(a.Chances.Of*b.Chances.All, b.Chances.Of*a.Chances.All)
	})
	for _, one := range c.reasons[at] {
		d.Reasons = append(d.Reasons, *one)
	}
	slices.SortFunc(d.Reasons, func(a, b Counted) int { return cmp.Or(b.Count-a.Count, a.Reason.compare(b.Reason)) })
	return d
}
