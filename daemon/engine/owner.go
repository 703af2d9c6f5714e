package engine

import (
	"cmp"
	"slices"

	"sesame/daemon/wire"
)

// This file is about the names under which scripts keep values and delays.

// A Script is a file of a set, with the name under which its values and delays are kept.
type Script struct {
	Path  string // below the directory of the scripts
	Owner string // the name; Path when the file has no other
}

// owner returns the name under which the script of a door keeps what lasts.
func (d *Door) owner() string { return cmp.Or(d.Owner, d.Script) }

// owner is that of the script of a timer.
func (t *Timer) owner() string { return cmp.Or(t.Owner, t.Script) }

// owners returns the names of all scripts of a set.
func (s *Set) owners() map[string]bool {
	all := make(map[string]bool, len(s.Scripts))
	for _, script := range s.Scripts {
		all[script.Owner] = true
	}
	for _, d := range s.Doors {
		all[d.owner()] = true
	}
	for _, t := range s.Timers {
		all[t.owner()] = true
	}
	return all
}

// named returns the names of those scripts that have one, by their path. What was kept under the
// path belongs to the name: the script had none then. A path that is itself the name of a script is
// left out.
func (s *Set) named(owners map[string]bool) map[string]string {
	var names map[string]string
	for _, script := range s.Scripts {
		if script.Owner != script.Path && !owners[script.Path] {
			if names == nil {
				names = make(map[string]string)
			}
			names[script.Path] = script.Owner
		}
	}
	return names
}

// adopt gives the values and delays that are kept under the path of a script to its name, when the
// script has got one. A value that the name has already stays. The new record of a value comes
// before the end of the old one, so a crash between them loses nothing.
func (e *Engine) adopt() {
	if len(e.index.named) == 0 {
		return
	}
	for _, t := range e.timers {
		if name, moved := e.index.named[t.ownerOfDelay()]; moved {
			e.countDelay(t.delayed, -1)
			t.delayed.owner = name
			e.countDelay(t.delayed, 1)
		}
	}
	for _, key := range e.store.sorted(Selection{}) {
		if name, moved := e.index.named[key.script]; moved {
			e.adoptValue(key, name)
		}
	}
}

// ownerOfDelay returns the name under which a delay is kept, "" for another timer.
func (t *timer) ownerOfDelay() string {
	if t.kind != scriptTimer {
		return ""
	}
	return t.delayed.owner
}

func (e *Engine) adoptValue(old storeKey, name string) {
	value := e.store.values[old]
	key := old
	key.script = name
	if _, known := e.store.values[key]; !known && value.until > e.now {
		e.store.set(key, value)
		e.persistValue(key, value)
	}
	e.store.remove(old)
	e.persistValue(old, stored{})
}

// persistValue requests the record of a value, or of its end when v has none.
func (e *Engine) persistValue(key storeKey, v stored) {
	put := Put{PerSource: key.source.IsValid(), Key: key.key, Value: v.value}
	if v.value != nil && v.until != wire.Forever {
		put.Until = wire.Time(v.until)
	}
	e.persist(Record{Store: &put, Script: key.script, Source: key.source})
}

// An Unread is what is kept under a name that no script of the set has.
type Unread struct {
	Owner          string
	Values, Delays int
}

// Unread returns what no script of the set reads, in the order of the names. Values that have
// expired do not count.
func (e *Engine) Unread() []Unread {
	byOwner := map[string]*Unread{}
	of := func(owner string) *Unread {
		if byOwner[owner] == nil {
			byOwner[owner] = &Unread{Owner: owner}
		}
		return byOwner[owner]
	}
	for key, v := range e.store.values {
		if !e.index.owners[key.script] && v.until > e.now {
			of(key.script).Values++
		}
	}
	for _, t := range e.timers {
		if owner := t.ownerOfDelay(); owner != "" && !e.index.owners[owner] {
			of(owner).Delays++
		}
	}
	var all []Unread
	for _, one := range byOwner {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b Unread) int { return cmp.Compare(a.Owner, b.Owner) })
	return all
}
