package suite

import "sesame/scripting/source"

// Coverage tells what of a script set the tests have used, all of them together.
type Coverage struct {
	Doors      []DoorCoverage      // in the order of the set
	Conditions []ConditionCoverage // that the tests asked for, or a door needs, by name
	Files      []FileCoverage      // scripts and modules, by path
}

// DoorCoverage tells what happened at a door.
type DoorCoverage struct {
	Door   string
	Place  source.Place
	Stages []int // how often each stage was reached; the last is the whole sequence

	Opens, Refusals, Misses int
}

// ConditionCoverage counts how often a condition had each outcome.
type ConditionCoverage struct {
	Name             string
	Place            source.Place // of the first door that needs it; zero: only functions ask for it
	Yes, No, Unknown int
	// Certain means that it is never unknown, so that no test can miss that outcome.
	Certain bool
}

// FileCoverage has the lines of a file that have code.
type FileCoverage struct {
	File  string
	Lines []LineCoverage // in order
}

// LineCoverage counts how often a line was come to from another one, 0 when it never ran.
type LineCoverage struct{ Line, Hits int }
