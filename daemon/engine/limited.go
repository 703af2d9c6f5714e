package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// This file remembers which doors refuse because of a bound, for people. It decides nothing, and is
// no part of the state.

// A Bound is what made a door refuse.
type Bound string

const (
	boundLimit Bound = "limit"  // the limit of the door
	boundSteps Bound = "steps"  // what its functions may run: see steps.go
	boundRoom  Bound = "bounds" // grants, effects, delays or values of all doors: see [Config]
)

// A Limiting is a door that refused because of a bound. It is forgotten an hour after its latest
// refusal.
type Limiting struct {
	Door   string
	Bound  Bound
	Detail string // of the latest refusal: the limit, or the bound
	// Now means that the door would refuse the next knock too, of whatever source.
	Now         bool
	ByAnyone    bool // strangers can cause the refusals: see [Door.ByAnyone]
	Since, Last time.Time
	Source      netip.Addr // of the latest
	Count       int        // refusals from Since to Last
}

type limitingKey struct {
	door  string
	bound Bound
}

// limitingFor is how long a door is remembered.
const limitingFor = time.Hour

// refuseLimited refuses a knock because of a bound.
func (e *Engine) refuseLimited(d *Door, source netip.Addr, by Bound, detail string, report bool) {
	key, now := limitingKey{d.Name, by}, wire.Time(e.now)
	known := e.limiting[key]
	if known == nil || now.Sub(known.Last) >= limitingFor {
		known = &Limiting{Door: d.Name, Bound: by, Since: now}
		e.limiting[key] = known
	}
	known.Detail, known.Last, known.Source, known.ByAnyone = detail, now, source, d.ByAnyone()
	known.Count++
	e.refuse(d.Name, source, Verdict{Reason: Limited, Detail: detail}, report)
}

// Limiting returns the doors that refused because of a bound in the last hour, by name.
func (e *Engine) Limiting() []Limiting {
	var all []Limiting
	for _, known := range e.limiting {
		if wire.Time(e.now).Sub(known.Last) < limitingFor {
			one := *known
			one.Now = e.refusesNow(one.Door, one.Bound)
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Limiting) int {
		return cmp.Or(cmp.Compare(a.Door, b.Door), cmp.Compare(a.Bound, b.Bound))
	})
	return all
}

// refusesNow reports whether a door would refuse the next knock of anybody because of a bound.
func (e *Engine) refusesNow(name string, by Bound) bool {
	d := e.index.door(name)
	switch {
	case d == nil:
		return false
	case by == boundSteps:
		return !e.steps.left(d.Door, e.now)
	case by == boundLimit && d.Limit != nil && !d.Limit.PerSource:
		a := e.limits.byLimit[limitOf(d.Door)]
		if a == nil {
			return false
		}
		_, room := d.Limit.after(a.shared.full, e.now)
		return !room
	}
	return false
}

// forgetLimiting forgets the doors that are gone.
func (e *Engine) forgetLimiting() {
	for key := range e.limiting {
		if e.index.door(key.door) == nil {
			delete(e.limiting, key)
		}
	}
}
