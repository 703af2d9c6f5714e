package suite

import "sesame/scripting/source"

// Coverage tells what of a script set the tests have used.
type Coverage struct {
	Doors      []DoorCoverage      // in the order of the set
	Conditions []ConditionCoverage // by door, in the order in which the door lists them
	Files      []FileCoverage      // scripts and modules, by path
}

// DoorCoverage tells what happened at a door, in all tests.
type DoorCoverage struct {
	Name   string
	Place  source.Place
	Stages []int // how often each stage was reached; the last is the whole sequence
	Opened int
	Missed int
	Refuse int
}

// ConditionCoverage counts how often a condition of a door had each outcome.
type ConditionCoverage struct {
	Door, Name               string
	Holds, HoldsNot, Unknown int
}

// FileCoverage counts how often each line of a file ran, that has code of a function or of the
// file itself.
type FileCoverage struct {
	Path  string
	Lines map[int]int // times by line; zero: it has code and never ran
}
