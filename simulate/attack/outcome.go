package attack

import (
	"slices"
	"time"

	"sesame/daemon/engine"
)

// An Outcome is what a run did to the doors that it did something to, in the order of the set.
type Outcome []DoorOutcome

// A DoorOutcome is what a run did to a door.
type DoorOutcome struct {
	Door string
	// Completed is how often its sequence was completed, whatever followed; that of a listener is
	// how often it opened or refused.
	Completed int
	// Opened is how often it opened.
	Opened int
	// First is the packet of the first opening, where the first packet of the attack is 1. After is
	// when it came.
	First int
	After time.Duration
	// Refused is how often it refused what was completed. Reason is that of the first.
	Refused int
	Reason  string
}

// A tally makes an outcome of events.
type tally struct {
	begin time.Time
	doors []DoorOutcome
	order map[string]int // of the doors
}

func newTally(set *engine.Set) *tally {
	t := &tally{order: map[string]int{}}
	for i, d := range set.Doors {
		t.order[d.Name] = i
	}
	return t
}

// start begins a run whose first packet comes at a time.
func (t *tally) start(begin time.Time) { t.begin, t.doors = begin, nil }

// add counts events.
func (t *tally) add(events []engine.Event) {
	for i := range events {
		e := &events[i]
		if e.Packet == 0 {
			continue // time did it
		}
		// The others do not tell whether a door opened.
		//exhaustive:ignore
		switch e.Kind {
		case engine.EventStage:
			if e.Stage == e.Stages {
				t.of(e.Door).Completed++
			}
		case engine.EventOpen:
			t.open(e)
		case engine.EventRefuse:
			t.refuse(e)
		}
	}
}

// open counts an opening.
func (t *tally) open(e *engine.Event) {
	d := t.of(e.Door)
	if d.Opened++; d.Opened == 1 {
		d.First, d.After = e.Packet, e.Time.Sub(t.begin)
	}
	d.Completed = max(d.Completed, d.Opened+d.Refused)
}

// refuse counts a refusal.
func (t *tally) refuse(e *engine.Event) {
	d := t.of(e.Door)
	if d.Refused++; d.Refused == 1 {
		if d.Reason = string(e.Reason); e.Condition != "" {
			d.Reason += ": " + e.Condition
		}
	}
	d.Completed = max(d.Completed, d.Opened+d.Refused)
}

// of returns what was counted of a door.
func (t *tally) of(name string) *DoorOutcome {
	i := slices.IndexFunc(t.doors, func(d DoorOutcome) bool { return d.Door == name })
	if i < 0 {
		i = len(t.doors)
		t.doors = append(t.doors, DoorOutcome{Door: name})
	}
	return &t.doors[i]
}

// outcome returns what was counted.
func (t *tally) outcome() Outcome {
	slices.SortFunc(t.doors, func(a, b DoorOutcome) int { return t.order[a.Door] - t.order[b.Door] })
	return t.doors
}
