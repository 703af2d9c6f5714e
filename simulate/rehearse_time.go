package simulate

import (
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// moreTime returns the smallest limits of time with which the door opens, as "within >= 9.1s", or
// "" when time alone does not help. First it finds out whether it does, without any limit.
func (r *rehearsal) moreTime() string {
	step := r.door.StepTimeout
	endless := func(d *engine.Door) { d.Within = forever }
	if r.opens(change{door: r.changed(endless)}) {
		if within := r.least(r.spans(), r.door.Within, func(d *engine.Door, t time.Duration) { d.Within = t }); within > 0 {
			return "within >= " + transcript.Duration(within)
		}
		return ""
	}
	if step == 0 {
		return ""
	}
	gaps := r.gaps()
	if t := r.least(gaps, step, func(d *engine.Door, t time.Duration) { d.StepTimeout = t }); t > 0 {
		return "step_timeout >= " + transcript.Duration(t)
	}
	gap := r.least(gaps, step, func(d *engine.Door, t time.Duration) { d.Within, d.StepTimeout = forever, t })
	if gap == 0 {
		return ""
	}
	within := r.least(r.spans(), r.door.Within, func(d *engine.Door, t time.Duration) { d.Within, d.StepTimeout = t, gap })
	if within == 0 {
		return ""
	}
	return "step_timeout >= " + transcript.Duration(gap) + " and within >= " + transcript.Duration(within)
}

// least tries values for a limit, the smallest first, and returns the first with which the door
// opens, 0 when there is none. Times are those that a limit must exceed.
func (r *rehearsal) least(times []time.Duration, now time.Duration, set func(*engine.Door, time.Duration)) time.Duration {
	slices.Sort(times)
	var values []time.Duration
	for _, t := range times {
		if v := above(t); v > now {
			values = append(values, v)
		}
	}
	values = slices.Compact(values)
	if len(values) > mostTries {
		values = values[:mostTries]
	}
	for _, v := range values {
		if r.opens(change{door: r.changed(func(d *engine.Door) { set(d, v) })}) {
			return v
		}
	}
	return 0
}

// spans returns the times from packets that can be the first knock to those that can be the last.
func (r *rehearsal) spans() (all []time.Duration) {
	first, last := r.door.Sequence[0], r.door.Sequence[len(r.door.Sequence)-1]
	var begins []time.Time
	for i := range r.packets {
		p := &r.packets[i]
		if p.Port == last.Port {
			// Only the latest few beginnings can be those of this knock.
			for _, begin := range begins[max(0, len(begins)-mostTries):] {
				all = append(all, p.Time.Sub(begin))
			}
		}
		if p.Port == first.Port {
			begins = append(begins, p.Time)
		}
	}
	return all
}

// gaps returns the times between packets that follow each other.
func (r *rehearsal) gaps() (all []time.Duration) {
	for i := 1; i < len(r.packets); i++ {
		all = append(all, r.packets[i].Time.Sub(r.packets[i-1].Time))
	}
	return all
}

// above returns the first round time above t: a knock exactly at a limit is too late. A script
// would name such a time.
func above(t time.Duration) time.Duration {
	unit := 10 * time.Millisecond
	switch {
	case t >= time.Hour:
		unit = time.Minute
	case t >= time.Minute:
		unit = time.Second
	case t >= time.Second:
		unit = 100 * time.Millisecond
	}
	return (t/unit + 1) * unit
}
