package page

import (
	"cmp"
	"slices"
)

// ranks is the number of ranks by which attempts make room for others: those with a single knock
// first, and those that opened last.
const ranks = 5

// rank is how much an attempt is worth keeping.
func (a *attempt) rank() int {
	switch {
	case a.Verdict == Opened:
		return 4
	case a.Verdict == Failed:
		return 3
	case a.Verdict == Refused:
		return 2
	case a.Best > 1:
		return 1
	}
	return 0
}

// add keeps a new attempt. When there are too many, the oldest of those that came least far makes
// room.
func (c *Collector) add(a *attempt) {
	for c.kept >= MaxAttempts {
		c.drop()
	}
	a.place = place{0, c.attempts[0].PushBack(a)}
	c.kept++
}

// keep moves an attempt to the others that came as far.
func (c *Collector) keep(a *attempt) {
	rank := a.rank()
	if a.place.element == nil || rank == a.place.rank {
		return
	}
	c.attempts[a.place.rank].Remove(a.place.element)
	a.place = place{rank, c.attempts[rank].PushBack(a)}
}

func (c *Collector) drop() {
	for rank := range c.attempts {
		if first := c.attempts[rank].Front(); first != nil {
			a := c.attempts[rank].Remove(first).(*attempt)
			a.place.element = nil
			if c.tracks[a.track] == a {
				delete(c.tracks, a.track)
			}
			c.kept--
			c.left.Attempts++
			return
		}
	}
}

// all returns the attempts in the order in which they began.
func (c *Collector) all() []*attempt {
	all := make([]*attempt, 0, c.kept)
	for rank := range c.attempts {
		for e := c.attempts[rank].Front(); e != nil; e = e.Next() {
			all = append(all, e.Value.(*attempt))
		}
	}
	slices.SortFunc(all, func(x, y *attempt) int { return cmp.Or(x.Begin.Compare(y.Begin), x.seen-y.seen) })
	return all
}
