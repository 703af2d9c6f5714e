package report

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// coverage adds up the coverage of all runs; nil when none has any. Doors and conditions are the
// same when their names and places are: their counts are added.
func coverage(runs []Run) *suite.Coverage {
	var sum *suite.Coverage
	for i := range runs {
		if runs[i].Report == nil || runs[i].Report.Coverage == nil {
			continue
		}
		if sum == nil {
			sum = &suite.Coverage{}
		}
		add(sum, runs[i].Report.Coverage, func(at source.Place) source.Place { return runs[i].place(at) })
	}
	return sum
}

func add(sum, more *suite.Coverage, place func(source.Place) source.Place) {
	for _, d := range more.Doors {
		d.Place = place(d.Place)
		addDoor(sum, d)
	}
	for _, c := range more.Conditions {
		c.Place = place(c.Place)
		same := func(o suite.ConditionCoverage) bool { return o.Name == c.Name && o.Place == c.Place }
		if k := slices.IndexFunc(sum.Conditions, same); k >= 0 {
			known := &sum.Conditions[k]
			known.Certain = known.Certain && c.Certain
			known.Yes, known.No, known.Unknown = known.Yes+c.Yes, known.No+c.No, known.Unknown+c.Unknown
			continue
		}
		sum.Conditions = append(sum.Conditions, c)
	}
	for _, f := range more.Files {
		f.File = place(source.Place{File: f.File}).File
		k := slices.IndexFunc(sum.Files, func(o suite.FileCoverage) bool { return o.File == f.File })
		if k < 0 {
			f.Lines = slices.Clone(f.Lines)
			sum.Files = append(sum.Files, f)
			continue
		}
		addLines(&sum.Files[k], f.Lines)
	}
}

// addLines keeps the lines in order. Gateways read the same files, but a file that was edited
// meanwhile can have other lines.
func addLines(sum *suite.FileCoverage, more []suite.LineCoverage) {
	for _, line := range more {
		k, known := slices.BinarySearchFunc(sum.Lines, line.Line, func(o suite.LineCoverage, n int) int { return o.Line - n })
		if !known {
			sum.Lines = slices.Insert(sum.Lines, k, suite.LineCoverage{Line: line.Line})
		}
		sum.Lines[k].Hits += line.Hits
	}
}

func addDoor(sum *suite.Coverage, d suite.DoorCoverage) {
	same := func(o suite.DoorCoverage) bool { return o.Door == d.Door && o.Place == d.Place }
	k := slices.IndexFunc(sum.Doors, same)
	if k < 0 {
		d.Stages = slices.Clone(d.Stages)
		sum.Doors = append(sum.Doors, d)
		return
	}
	known := &sum.Doors[k]
	known.Opens, known.Refusals, known.Misses = known.Opens+d.Opens, known.Refusals+d.Refusals, known.Misses+d.Misses
	for i, n := range d.Stages {
		if i == len(known.Stages) { // gateways may have sequences of different lengths
			known.Stages = append(known.Stages, 0)
		}
		known.Stages[i] += n
	}
}

// A share is how many of some things were used.
type share struct{ used, all int }

func (s *share) count(times int) {
	s.all++
	if times > 0 {
		s.used++
	}
}

// writeCoverage writes totals and, below them, what no test has used.
func writeCoverage(b *strings.Builder, runs []Run) {
	c := coverage(runs)
	if c == nil {
		return
	}
	var doors, stages, outcomes, lines share
	var missing []string
	for _, d := range c.Doors {
		doors.count(d.Opens)
		for _, n := range d.Stages {
			stages.count(n)
		}
		if d.Opens == 0 {
			missing = append(missing, fmt.Sprintf("%s: %s: never opened; %s", d.Place, d.Door, furthest(d.Stages)))
		}
	}
	for _, one := range c.Conditions {
		outcomes.count(one.Yes)
		outcomes.count(one.No)
		if !one.Certain {
			outcomes.count(one.Unknown)
		}
		if text := neverWas(one); text != "" {
			where := ""
			if one.Place != (source.Place{}) {
				where = one.Place.String() + ": "
			}
			missing = append(missing, where+one.Name+": "+text)
		}
	}
	for _, f := range c.Files {
		for _, n := range f.Lines {
			lines.count(n.Hits)
		}
		if text := neverRan(f.Lines); text != "" {
			missing = append(missing, fmt.Sprintf("%s: never ran: %s", f.File, text))
		}
	}
	fmt.Fprintf(b, "coverage: %d of %s opened, %d of %s, %d of %s of conditions, %d of %s\n",
		doors.used, transcript.Count(doors.all, "door"), stages.used, transcript.Count(stages.all, "stage"),
		outcomes.used, transcript.Count(outcomes.all, "outcome"), lines.used, transcript.Count(lines.all, "line"))
	for _, text := range missing {
		fmt.Fprintf(b, "    %s\n", text)
	}
}

// furthest says how far knocks came at a door that did not open.
func furthest(stages []int) string {
	for i, n := range slices.Backward(stages) {
		if n > 0 {
			return fmt.Sprintf("stage %d of %d was reached", i+1, len(stages))
		}
	}
	return "no test knocks there"
}

func neverWas(c suite.ConditionCoverage) string {
	var never []string
	for _, one := range []struct {
		times int
		name  string
	}{{c.Yes, "true"}, {c.No, "false"}, {c.Unknown, "unknown"}} {
		if one.times == 0 && !(c.Certain && one.name == "unknown") {
			never = append(never, one.name)
		}
	}
	if never == nil {
		return ""
	}
	return "never " + strings.Join(never, ", never ")
}

// neverRan returns the lines with code that did not run, as "line 3, lines 7-9". A range may have
// lines without code in it.
func neverRan(lines []suite.LineCoverage) string {
	var ranges []string
	for i := 0; i < len(lines); i++ {
		if lines[i].Hits > 0 {
			continue
		}
		first := i
		for i+1 < len(lines) && lines[i+1].Hits == 0 {
			i++
		}
		if first == i {
			ranges = append(ranges, fmt.Sprintf("line %d", lines[i].Line))
		} else {
			ranges = append(ranges, fmt.Sprintf("lines %d-%d", lines[first].Line, lines[i].Line))
		}
	}
	return strings.Join(ranges, ", ")
}
