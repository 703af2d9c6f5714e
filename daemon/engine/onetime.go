package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file is one-time sequences: how one is used, and how its door goes on
// with the next.
//
// A sequence is used when its last knock came, whatever its door decides then:
// it was seen on the wire. It is first written to the journal, before anything is
// given for it, and then its line in the file is marked. Whatever happens between
// two of these steps, the next start knows it from one or the other.

// spends are the one-time sequences that were used.
type consumptions struct {
	// owed says how often each line was used without being marked yet. A set
	// whose files were read before it was marked still has it.
	pending map[Consumed]int
	count   int  // see [Engine.OneTimeChanges]
	changed bool // in this input a door's sequence was used
}

func newConsumptions() consumptions { return consumptions{pending: make(map[Consumed]int)} }

// oneTime is what the engine keeps for a door with one-time sequences.
type oneTime struct {
	unused []OneTimeSequence // not used; first that of the door
	stale  bool              // the door's sequence is not the first of left any more
	// used has the sequences that were used since the set's files were read, and
	// kept those of them that neither the journal nor the file will ever know.
	used, unrecorded []string
}

// key returns by what a sequence is known among those of its door. One that is of
// no file is known by its knocks, behind a newline, which is in no line.
func (s *OneTimeSequence) key() string {
	if s.Line != "" {
		return s.Line
	}
	var b strings.Builder
	for _, k := range s.Knocks {
		fmt.Fprintf(&b, "\n%v %d %d", k.Port, k.Flags.Set, k.Flags.Clear)
	}
	return b.String()
}

// newOneTime returns what is left of a door's sequences when those with these
// keys were used, each so often. What it does not have stays in used.
func newOneTime(d *Door, used map[string]int) *oneTime {
	o := &oneTime{}
	for _, s := range d.OneTime.Sequences {
		switch key := s.key(); {
		case len(s.Knocks) == 0:
		case used[key] > 0:
			used[key]--
			o.used = append(o.used, key)
		default:
			o.unused = append(o.unused, s)
		}
	}
	return o
}

// consume takes the first sequence with this key out. False: there is none.
func (o *oneTime) consume(key string) bool {
	i := slices.IndexFunc(o.unused, func(s OneTimeSequence) bool { return s.key() == key })
	switch {
	case i < 0:
		return false
	case i == 0:
		o.unused, o.stale = o.unused[1:], true
	default:
		o.unused = slices.Delete(o.unused, i, i+1)
	}
	o.used = append(o.used, key)
	return true
}

// of returns the door with the first sequence that was not used.
func (o *oneTime) of(d *Door) *Door {
	now := *d
	now.Sequence = nil
	if len(o.unused) > 0 {
		now.Sequence = o.unused[0].Knocks
	}
	return &now
}

// sorted returns the lines that are owed a mark, by file and line.
func (s *consumptions) sorted() []Consumed {
	return slices.SortedFunc(maps.Keys(s.pending), func(a, b Consumed) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Line, b.Line))
	})
}
