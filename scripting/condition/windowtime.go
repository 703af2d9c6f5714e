package condition

import (
	"reflect"
	"slices"
	"time"

	"sesame/daemon/engine"
)

// This file finds the times at which windows begin and end. It walks along the
// local clock, from one point to the next at which a window can change: its from
// and to, midnight, and the transitions of the zone. Between two of them nothing
// changes. So a time that the local clock leaves out, or shows twice, is handled
// like any other.

// NextPoint returns the first time after t at which [MayHold] may change for one
// of the conditions. False: it never does.
func NextPoint(conditions []engine.Condition, t time.Time) (time.Time, bool) {
	var first time.Time
	Walk(conditions, func(c engine.Condition) {
		if w, ok := c.(*window); ok {
			if next, some := w.nextPoint(t); some && (first.IsZero() || next.Before(first)) {
				first = next
			}
		}
	})
	return first, !first.IsZero()
}

// maxPoints bounds one search. Four points a day make it about 25 years; days on
// which no window begins cost nothing.
const maxPoints = 36_500

// change returns the first time after t and before limit at which the condition
// changes between holding and not holding; a zero limit is none. False: it does
// not, as far as the time that is returned.
func change(c engine.Condition, t, limit time.Time) (time.Time, bool) {
	was, one := MayHold(c, t), []engine.Condition{c}
	for range maxPoints {
		next, some := NextPoint(one, t)
		if !some || !limit.IsZero() && !next.Before(limit) {
			return limit, false
		}
		if t = next; MayHold(c, t) != was {
			return t, true
		}
	}
	return t, false
}

// AsPeriod returns a condition with which a grant can end: a window, or one of
// several windows. False: it is none.
func AsPeriod(c engine.Condition) (engine.Period, bool) {
	switch c := c.(type) {
	case *window:
		return c, true
	case *anyOf:
		for _, one := range c.members {
			if _, ok := AsPeriod(one); !ok {
				return nil, false
			}
		}
		return c, true
	}
	return nil, false
}

// Until implements [engine.Period].
func (w *window) Until(wall, limit time.Time) time.Time { return until(w, wall, limit) }

// Until implements [engine.Period]. It is for windows alone: see [AsPeriod].
func (a *anyOf) Until(wall, limit time.Time) time.Time { return until(a, wall, limit) }

// until returns when a condition stops to hold that holds at a time, limit when
// it holds until then, and the zero time when it does not hold. When the bound of
// one search is reached, the result is too early and never too late.
func until(c engine.Condition, wall, limit time.Time) time.Time {
	if !MayHold(c, wall) {
		return time.Time{}
	}
	if end, _ := change(c, wall, limit); end.Before(limit) {
		return end
	}
	return limit
}

// MayHold reports whether a time is in the window.
func (w *window) MayHold(t time.Time) bool {
	t = t.In(w.zone)
	minute, today := t.Hour()*60+t.Minute(), dayOf(t)
	if w.from < w.to {
		return w.from <= minute && minute < w.to && w.begins(today)
	}
	return w.from <= minute && w.begins(today) || minute < w.to && w.begins(today-1)
}

// begins reports whether the window begins on a day.
func (w *window) begins(d day) bool {
	return w.days.on[d.weekday()] && (w.only == nil || w.only.has(d)) && (w.except == nil || !w.except.has(d))
}

// nextPoint is [NextPoint] of a window.
func (w *window) nextPoint(t time.Time) (time.Time, bool) {
	local := t.In(w.zone)
	next := w.nextDay(dayOf(local))
	if next == never {
		return time.Time{}, false
	}
	// A zone is at most 26 hours from UTC. Two days before, no clock shows the day yet.
	if early := (next - 2).midnight(); early.After(t) {
		return early, true
	}
	second := local.Hour()*3600 + local.Minute()*60 + local.Second()
	point := midnight
	for _, minute := range []int{w.from, w.to} {
		if minute*60 > second {
			point = min(point, minute)
		}
	}
	at := t.Add(time.Duration(point*60-second)*time.Second - time.Duration(local.Nanosecond()))
	if _, end := local.ZoneBounds(); end.After(t) && end.Before(at) {
		return end, true
	}
	return at, true
}

const (
	// never is later than every day on which a window begins, also where int has 32 bits.
	never = day(1 << 30)
	// horizon is how many days ahead a window is looked for. February 29 comes back
	// to a weekday after at most 40 years.
	horizon = 41 * 366
)

// nextDay returns the first day on which the window begins, from two days before
// a day on: a window that began the day before may still hold, and a clock can
// be set back by a day, as that of Kwajalein was.
func (w *window) nextDay(from day) day {
	for d := from - 2; d <= from+horizon; d++ {
		if w.begins(d) {
			return d
		}
		if w.only != nil && !w.only.always && (len(w.only.spans) == 0 || d > w.only.spans[len(w.only.spans)-1].last) {
			break
		}
	}
	return never
}

// HaveDates reports whether a window among the conditions, or among those that
// they are made of, depends on the date.
func HaveDates(conditions []engine.Condition) (found bool) {
	Walk(conditions, func(c engine.Condition) {
		if w, ok := c.(*window); ok {
			found = found || w.only != nil || w.except != nil
		}
	})
	return found
}

// Over reports whether a condition is a window that neither holds at a time nor
// begins again.
func Over(c engine.Condition, at time.Time) bool {
	w, ok := c.(*window)
	return ok && w.nextDay(dayOf(at.In(w.zone))) == never
}

// Demand reports whether a period holds whenever all conditions do. False: it may
// do so, and that cannot be told from the conditions.
func Demand(conditions []engine.Condition, p engine.Condition) bool {
	return slices.ContainsFunc(conditions, func(c engine.Condition) bool { return implies(c, p) })
}

// implies reports whether p holds whenever c does.
func implies(c, p engine.Condition) bool {
	switch c := c.(type) {
	case *anyOf:
		return !slices.ContainsFunc(c.members, func(one engine.Condition) bool { return !implies(one, p) })
	case *allOf:
		return Demand(c.members, p)
	}
	if either, ok := p.(*anyOf); ok {
		return slices.ContainsFunc(either.members, func(one engine.Condition) bool { return implies(c, one) })
	}
	return sameWindow(c, p)
}

// sameWindow reports whether two windows hold at the same times.
func sameWindow(a, b engine.Condition) bool {
	first, ok := a.(*window)
	second, both := b.(*window)
	if !ok || !both {
		return false
	}
	renamed := *first
	renamed.name = second.name
	return reflect.DeepEqual(&renamed, second)
}
