package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file holds the state of one-time sequences: which were used. consume.go uses one.

// consumptions are the one-time sequences that were consumed.
type consumptions struct {
	// pending counts, for each line, the uses that are not commented out yet. A set whose
	// files were read before that still has the line.
	pending map[Consumed]int
	count   int  // see [Engine.OneTimeChanges]
	changed bool // the sequence of a door was consumed in this input
}

func newConsumptions() consumptions { return consumptions{pending: make(map[Consumed]int)} }

// oneTime is the state of a door with one-time sequences.
type oneTime struct {
	unused []OneTimeSequence // the first is that of the door
	stale  bool              // the door still has a sequence that was consumed
	// used has the keys of the sequences that were used since the set's files were read.
	// unrecorded has those of them that are never written down, since the door only observes or
	// the sequence is from no file.
	used, unrecorded []string
}

// key returns what identifies a sequence among those of its door: its line in the file. A
// sequence of no file is identified by its knocks, after a newline, which no line contains.
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

// newOneTime returns the state of a door. used counts the uses of each key. Uses that the door
// has a sequence for are subtracted from it; the others stay in the map.
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

// consume removes the first unused sequence with this key. False: there is none.
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

// of returns the door with the first unused sequence.
func (o *oneTime) of(d *Door) *Door {
	now := *d
	now.Sequence = nil
	if len(o.unused) > 0 {
		now.Sequence = o.unused[0].Knocks
	}
	return &now
}

// sorted returns the lines that wait to be commented out, by file and line.
func (s *consumptions) sorted() []Consumed {
	return slices.SortedFunc(maps.Keys(s.pending), func(a, b Consumed) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Line, b.Line))
	})
}
