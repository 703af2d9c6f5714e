package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// This file is one-time sequences: how one is used, and how its door goes on
// with the next.
//
// A sequence is used when its last knock came, whatever its door decides then:
// it was seen on the wire. It is first written to the journal, before anything is
// given for it, and then its line in the file is marked. Whatever happens between
// two of these steps, the next start knows it from one or the other.

// spends are the one-time sequences that were used.
type spends struct {
	// owed says how often each line was used without being marked yet. A set
	// whose files were read before it was marked still has it.
	owed    map[Spent]int
	count   int  // see [Engine.Spends]
	changed bool // in this input a door's sequence was used
}

func newSpends() spends { return spends{owed: make(map[Spent]int)} }

// oneTime is what the engine keeps for a door with one-time sequences.
type oneTime struct {
	left []OneTimeSequence // not used; first that of the door
	over bool              // the door's sequence is not the first of left any more
	// used has the sequences that were used since the set's files were read, and
	// kept those of them that neither the journal nor the file will ever know.
	used, kept []string
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
			o.left = append(o.left, s)
		}
	}
	return o
}

// strike takes the first sequence with this key out. False: there is none.
func (o *oneTime) strike(key string) bool {
	i := slices.IndexFunc(o.left, func(s OneTimeSequence) bool { return s.key() == key })
	switch {
	case i < 0:
		return false
	case i == 0:
		o.left, o.over = o.left[1:], true
	default:
		o.left = slices.Delete(o.left, i, i+1)
	}
	o.used = append(o.used, key)
	return true
}

// Spends counts the one-time sequences that were used, and the lines that were
// marked since. Whoever reads the files of a set and swaps it in later finds the
// same count at both times: else the set may have a sequence that is used up, and
// the files must be read again.
func (e *Engine) Spends() int { return e.spends.count }

// arrange returns the index of a set in which each door with one-time sequences is
// at the first that is left.
func arrange(set *Set, old *index, left map[string]*oneTime) *index {
	now := *set
	now.Doors = slices.Clone(set.Doors)
	for i, d := range set.Doors {
		if o := left[d.Name]; o != nil {
			now.Doors[i] = o.of(d)
		}
	}
	x := newIndex(&now, old)
	for name, o := range left {
		x.byName[name].oneTime = o
	}
	return x
}

// of returns the door with the first sequence that was not used.
func (o *oneTime) of(d *Door) *Door {
	now := *d
	now.Sequence = nil
	if len(o.left) > 0 {
		now.Sequence = o.left[0].Knocks
	}
	return &now
}

// left returns what is left of the sequences of each door of another set.
func (e *Engine) left(set *Set) map[string]*oneTime {
	left := make(map[string]*oneTime)
	for _, d := range set.Doors {
		if d.OneTime != nil && !d.Listen {
			left[d.Name] = e.leftOf(d)
		}
	}
	return left
}

// leftOf is left for one door. A line that is owed its mark is left out as often as
// it was used.
func (e *Engine) leftOf(d *Door) *oneTime {
	used, kept := make(map[string]int), []string(nil)
	for use, n := range e.spends.owed {
		if use.File == d.OneTime.File {
			used[use.Line] += n
		}
	}
	if was := e.index.door(d.Name); was != nil && was.oneTime != nil && was.OneTime.File == d.OneTime.File && was.Observe == d.Observe {
		kept = was.oneTime.kept
	}
	for _, key := range kept {
		used[key]++
	}
	o := newOneTime(d, used)
	for _, key := range kept {
		if used[key] == 0 { // else the set does not have it any more
			o.kept = append(o.kept, key)
		}
	}
	return o
}

// sorted returns the lines that are owed a mark, by file and line.
func (s *spends) sorted() []Spent {
	return slices.SortedFunc(maps.Keys(s.owed), func(a, b Spent) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Line, b.Line))
	})
}

// spent reports whether the sequence of a door was used in this very input, by it
// or by another door of the same file.
func (d *door) spent() bool { return d.oneTime != nil && d.oneTime.over }

// spend notes that the sequence of a door was used, if it is one that may be used
// once, and asks for that to be remembered: the effects of the reply belong to
// the batch that it returns, behind that. It returns nil when nothing need be
// remembered.
func (e *Engine) spend(d *door, source netip.Addr) *batch {
	o := d.oneTime
	if o == nil {
		return nil
	}
	line, key := o.left[0].Line, o.left[0].key()
	if d.Observe || line == "" {
		// What is observed decides nothing for a door that is in earnest.
		o.strike(key)
		o.kept = append(o.kept, key)
		e.spends.count++
		e.spends.changed = true
		return nil
	}
	use, b := Spent{d.OneTime.File, line}, &batch{}
	e.use(use)
	e.effect(b, Event{
		Kind: EventEffect, Effect: EffectSpend, Door: d.Name, Source: single(source),
		File: use.File, Text: use.Line, Persist: &Record{Spent: &use},
	}, nil, time.Time{})
	return b
}

// use notes that a line was used: all doors of its file go on without it.
func (e *Engine) use(use Spent) {
	e.spends.owed[use]++
	e.spends.count++
	for _, d := range e.index.doors {
		if d.oneTime != nil && d.OneTime.File == use.File && d.oneTime.strike(use.Line) {
			e.spends.changed = true
		}
	}
}

// goOn lets the doors whose sequence was used in this input go on with the next.
// Attempts in them are over. The source, if any, is who used it.
func (e *Engine) goOn(source netip.Prefix) {
	if !e.spends.changed {
		return
	}
	e.spends.changed = false
	e.endRuns(Used, (*door).spent)
	for _, d := range e.index.doors {
		if !d.spent() {
			continue
		}
		d.oneTime.over = false
		e.index.renew(d)
		if d.Door = d.oneTime.of(d.Door); len(d.Sequence) == 0 {
			e.emit(Event{
				Kind: EventEffect, Effect: EffectLog, Door: d.Name, Source: source, File: d.OneTime.File,
				Detail: fmt.Sprintf("%s has no sequence left, so door %s cannot be opened: write new ones into it", d.OneTime.File, d.Name),
			})
		}
	}
	e.index.relist()
}

// owe takes back a line that was used before a restart, and is not marked yet.
func (e *Engine) owe(use Spent) {
	e.use(use)
	door := ""
	for _, d := range e.index.doors {
		if d.oneTime != nil && d.OneTime.File == use.File {
			door = d.Name
			break
		}
	}
	e.mark(door, netip.Prefix{}, use)
}

// mark asks for a line to be marked.
func (e *Engine) mark(door string, source netip.Prefix, use Spent) {
	e.effect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectMark, Door: door, Source: source, File: use.File, Text: use.Line,
	}, nil, time.Time{})
}

// marked notes that a line was marked, or is not there any more: from now on the
// file remembers.
func (e *Engine) marked(use Spent) {
	if e.spends.owed[use]--; e.spends.owed[use] <= 0 {
		delete(e.spends.owed, use)
	}
	e.spends.count++
	e.persist(Record{Spent: &use, Ended: true})
}
