package suite

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// covered collects coverage from all workers. A nil covered collects nothing.
type covered struct {
	mutex      sync.Mutex
	doors      map[string]*DoorCoverage
	order      []string // of doors, as sets have them
	conditions map[string]*ConditionCoverage
	lines      map[source.Place]int // without a column
	code       map[source.Place]bool
}

func newCovered() *covered {
	return &covered{
		doors: map[string]*DoorCoverage{}, conditions: map[string]*ConditionCoverage{},
		lines: map[source.Place]int{}, code: map[source.Place]bool{},
	}
}

// know adds the doors and conditions of a set, so that those appear that nothing used.
func (c *covered) know(set *scripting.Set) {
	if c == nil || set == nil {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, d := range set.Engine.Doors {
		place := source.Place{File: d.File, Line: d.Line}
		if c.doors[d.Name] == nil {
			c.doors[d.Name] = &DoorCoverage{Door: d.Name, Place: place, Stages: make([]int, stagesOf(d))}
			c.order = append(c.order, d.Name)
		}
		condition.Walk(d.When, func(one engine.Condition) { c.condition(one, place) })
	}
	for _, line := range set.Lines() {
		c.code[line] = true
	}
}

func stagesOf(d *engine.Door) int {
	switch {
	case d.Listen:
		return 1
	case d.OneTime != nil && len(d.OneTime.Sequences) > 0:
		return len(d.OneTime.Sequences[0].Knocks)
	}
	return len(d.Sequence)
}

func (c *covered) condition(is engine.Condition, place source.Place) *ConditionCoverage {
	name := is.Name()
	one := c.conditions[name]
	if one == nil {
		one = &ConditionCoverage{Name: name, Certain: true}
		c.conditions[name] = one
	}
	one.Certain = one.Certain && condition.Certain(is) // another script may have one of this name
	if one.Place == (source.Place{}) {
		one.Place = place
	}
	return one
}

// checked returns what an engine calls for each condition that it checks; nil: nothing.
func (c *covered) checked() func(engine.Condition, engine.Outcome) {
	if c == nil {
		return nil
	}
	return func(one engine.Condition, outcome engine.Outcome) {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		switch counts := c.condition(one, source.Place{}); outcome {
		case engine.Yes:
			counts.Yes++
		case engine.No:
			counts.No++
		case engine.Unknown:
			counts.Unknown++
		}
	}
}

// events counts events by their doors.
func (c *covered) events(events []engine.Event) {
	if c == nil || len(events) == 0 {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for i := range events {
		e := &events[i]
		d := c.doors[e.Door]
		if d == nil {
			continue
		}
		// The others need nothing.
		//exhaustive:ignore
		switch e.Kind {
		case engine.EventStage:
			if e.Stage > 0 && e.Stage < len(d.Stages) {
				d.Stages[e.Stage-1]++
			}
			continue
		case engine.EventOpen:
			d.Opens++
		case engine.EventRefuse:
			d.Refusals++
		case engine.EventMiss:
			d.Misses++
			continue
		default:
			continue
		}
		if last := len(d.Stages) - 1; last >= 0 {
			d.Stages[last]++
		}
	}
}

// ran adds the lines that a set of a worker ran.
func (c *covered) ran(lines map[source.Place]int) {
	if c == nil {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for place, n := range lines {
		c.lines[place] += n
	}
}

// report returns what was collected.
func (c *covered) report() *Coverage {
	r := &Coverage{}
	for _, name := range c.order {
		r.Doors = append(r.Doors, *c.doors[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.conditions)) {
		r.Conditions = append(r.Conditions, *c.conditions[name])
	}
	places := slices.SortedFunc(maps.Keys(c.code), func(a, b source.Place) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for _, place := range places {
		if last := len(r.Files) - 1; last < 0 || r.Files[last].File != place.File {
			r.Files = append(r.Files, FileCoverage{File: place.File})
		}
		file := &r.Files[len(r.Files)-1]
		file.Lines = append(file.Lines, LineCoverage{place.Line, c.lines[place]})
	}
	return r
}
