package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// This file counts what each door did, for people. It decides nothing, and is no part of the state:
// an engine begins with zeros.

// These attempts end without an event, so the transcript has no reason for them. [DoorTotals] has.
const (
	FirstStage   Reason = "first_stage" // only one knock came, and its time is over
	EvictedFirst Reason = "evicted"     // only one knock came, and it made room for others
)

// RefusalReasons are all reasons for which a door refuses.
func RefusalReasons() []Reason { return refusalReasons[:] }

// MissReasons are all reasons for which an attempt of a running daemon ends without opening.
func MissReasons() []Reason { return missReasons[:] }

var (
	refusalReasons = [...]Reason{When, NoData, ClockDoubt, Limited, ScriptError, ScriptTimeout}
	missReasons    = [...]Reason{FirstStage, EvictedFirst, WrongPort, Tripwire, OutOfOrder, StepTimeout, TotalTimeout, Reloaded, Used}
)

// DoorTotals are what a door did since it came, or since the engine was made. A reload changes no
// total of a door that stays. Those without a door are of grants that persons gave, and of delayed
// functions.
type DoorTotals struct {
	Door     string
	Gone     bool // the set has it no more, and a grant of it is live
	Observed bool

	Attempts int // in progress
	Grants   int // live

	Stages    int // knocks that were right, in their turn
	Opens     int
	Errors    int           // functions that failed
	Given     int           // grants, and extensions of them
	Early     int           // refusals of knocks before the last one
	Refusals  []int         // of whole sequences, for each of [RefusalReasons]
	Misses    []int         // for each of [MissReasons]
	Granted   time.Duration // for how long its grants lived, each by itself
	Functions time.Duration // for how long its functions ran: see [Engine.Stopwatch]
}

// doorTotals are the numbers of a door.
type doorTotals struct {
	stages, opens, errors, given, early int
	refusals                            [len(refusalReasons)]int
	misses                              [len(missReasons)]int
	functions                           time.Duration

	// granted has the lives of grants up to the time settled; live ones go on from there.
	live    int
	granted time.Duration
	settled int64
}

// totals finds the numbers of each door by its name.
type totals map[string]*doorTotals

func (t totals) of(door string) *doorTotals {
	d := t[door]
	if d == nil {
		d = &doorTotals{}
		t[door] = d
	}
	return d
}

// countRefusal counts those before the last knock apart: who sees one knows that a knock was right.
func (e *Engine) countRefusal(door string, reason Reason) {
	d := e.totals.of(door)
	if e.early {
		d.early++
		return
	}
	if i := slices.Index(refusalReasons[:], reason); i >= 0 {
		d.refusals[i]++
	}
}

// miss may be called without a door: that of an attempt may be gone.
func (d *doorTotals) miss(reason Reason) {
	if i := slices.Index(missReasons[:], reason); i >= 0 && d != nil {
		d.misses[i]++
	}
}

// grantedAt returns for how long grants lived until now.
func (d *doorTotals) grantedAt(now int64) time.Duration {
	return d.granted + time.Duration(d.live)*time.Duration(now-d.settled)
}

// countGrants adds to the number of live grants of a door.
func (e *Engine) countGrants(door string, by int) {
	d := e.totals.of(door)
	d.granted, d.settled = d.grantedAt(e.now), e.now
	if d.live += by; d.live == 0 && e.index.door(door) == nil && door != "" {
		delete(e.totals, door)
	}
}

// joinTotals gives the doors of a new set their numbers, and forgets doors that are gone.
func (e *Engine) joinTotals() {
	maps.DeleteFunc(e.totals, func(name string, d *doorTotals) bool {
		return d.live == 0 && name != "" && e.index.door(name) == nil
	})
	for _, d := range e.index.doors {
		d.totals = e.totals.of(d.Name)
	}
}

// Stopwatch makes the engine add up for how long functions run, by a clock of the host. No decision
// depends on it.
func (e *Engine) Stopwatch(now func() time.Duration) { e.stopwatch = now }

// countOpen counts the openings, 0 or 1, of a completed sequence.
func (e *Engine) countOpen(d *door, opens int) {
	e.counts.Opens += opens
	d.totals.opens += opens
}

// timed runs a function of a script.
func (e *Engine) timed(c *Call, run func() (int64, error)) (int64, error) {
	if e.stopwatch == nil {
		return run()
	}
	began, door := e.stopwatch(), ""
	if c.Door != nil {
		door = c.Door.Name
	}
	steps, err := run()
	e.totals.of(door).functions += e.stopwatch() - began
	return steps, err
}

// Totals returns what each door did until now, by name.
func (e *Engine) Totals(now time.Time) []DoorTotals {
	at := max(wire.Nanoseconds(now), e.now)
	overdue := make(map[*door]int)
	e.eachOverdue(at, func(d *door) { overdue[d]++ })
	all := make([]DoorTotals, 0, len(e.totals))
	for name, t := range e.totals {
		d := e.index.door(name)
		if d == nil && name != "" && t.live == 0 {
			continue // a function for a door that is gone
		}
		one := DoorTotals{
			Door: name, Gone: d == nil && name != "", Grants: t.live,
			Stages: t.stages, Opens: t.opens, Errors: t.errors, Given: t.given, Early: t.early,
			Refusals: slices.Clone(t.refusals[:]), Misses: slices.Clone(t.misses[:]),
			Granted: t.grantedAt(at), Functions: t.functions,
		}
		if d != nil {
			one.Observed, one.Attempts = d.Observe, d.live-overdue[d]
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b DoorTotals) int { return cmp.Compare(a.Door, b.Door) })
	return all
}
