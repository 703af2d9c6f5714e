package suite

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// sets loads script sets for workers. A set has Lua states, which one goroutine at a time may use,
// so each worker has its own sets.
type sets struct {
	files   *source.Files
	options scripting.Options
	covered *covered // nil: nobody asked for coverage

	one sync.Mutex // clones of the files share what they refer to
}

// load loads the set with the options of a test. Lines gets the lines that it runs, now and later,
// if somebody asked for coverage.
func (s *sets) load(test *spec.Test, lines map[source.Place]int) (*scripting.Set, error) {
	s.one.Lock()
	defer s.one.Unlock()
	opt := s.options
	opt.Print = nil
	opt.Values, opt.Lists, opt.Given = maps.Clone(opt.Values), maps.Clone(opt.Lists), maps.Clone(opt.Given)
	for name, value := range test.Options {
		if opt.Values == nil {
			opt.Values = map[string]string{}
		}
		if opt.Lists == nil {
			opt.Lists = map[string]bool{}
		}
		if opt.Given == nil {
			opt.Given = map[string]string{}
		}
		opt.Values[name], opt.Lists[name], opt.Given[name] = value, test.Lists[name], test.Place.String()
	}
	if s.covered != nil {
		opt.Ran = func(file string, line int) { lines[source.Place{File: file, Line: line}]++ }
	}
	set, err := scripting.Load(s.files.Clone(), opt)
	s.covered.know(set)
	return set, err
}

// A worker runs tests, one after the other.
type worker struct {
	config *Config
	sets   *sets
	loaded map[string]*loaded // by the options of a test
}

// loaded is a set, or why there is none.
type loaded struct {
	set   *scripting.Set
	err   error
	lines map[source.Place]int // that it ran, for coverage
}

// mostLoaded bounds the sets that a worker keeps. Tests of one file mostly have the same options.
const mostLoaded = 4

// set returns the set for a test. It is the worker's, and may be closed by the next call.
func (w *worker) set(test *spec.Test) (*scripting.Set, error) {
	key := optionsKey(test)
	if one := w.loaded[key]; one != nil {
		return one.set, one.err
	}
	if len(w.loaded) == mostLoaded {
		w.close()
	}
	one := &loaded{lines: map[source.Place]int{}}
	one.set, one.err = w.sets.load(test, one.lines)
	w.loaded[key] = one
	return one.set, one.err
}

// optionsKey is the same for tests whose sets are the same.
func optionsKey(test *spec.Test) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(test.Options)) {
		fmt.Fprintf(&b, "%q %q %v\n", name, test.Options[name], test.Lists[name])
	}
	return b.String()
}

func (w *worker) close() {
	for key, one := range w.loaded {
		if one.set != nil {
			one.set.Close()
			w.sets.covered.ran(one.lines)
		}
		delete(w.loaded, key)
	}
}
