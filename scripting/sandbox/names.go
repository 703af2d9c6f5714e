package sandbox

import (
	"maps"
	"slices"
)

// Names returns the names of the global functions and values that every script has, and of the
// fields of each library. The names of the globals are sorted.
func Names() (globals []string, libraries map[string][]string) {
	s := &State{}
	globals = append(slices.Collect(maps.Keys(s.base())), "_VERSION")
	slices.Sort(globals)
	return globals, map[string][]string{
		"string": slices.Collect(maps.Keys(s.strings())),
		"table":  slices.Collect(maps.Keys(s.tables())),
		"math":   append(slices.Collect(maps.Keys(s.maths())), "huge", "pi"),
	}
}
