package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// A Completion names the source that completed the sequence of a door last, when that was less
// than Within ago. The zero Completion names nobody.
//
// A completion counts when the door's limit and its conditions agreed. It counts also when a
// function then refused: two doors can wait for each other in that way. If the conditions did not
// matter, an [Allow] for the other source would be a way around them.
type Completion struct {
	Door   string
	Within time.Duration // above zero
}

// A completion is the latest one of a door. The engine has one for each door of the set that has
// NoteCompletions, so their number is bounded. They outlive a clean stop: see [Engine.Carry].
type completion struct {
	source   netip.Addr
	at       int64
	observed bool // the door only observed
}

// noteCompletion notes that a source completed a door. It comes after the door's functions, so
// that a door which asks for its own completion gets the one before.
func (e *Engine) noteCompletion(d *Door, source netip.Addr) {
	if d.NoteCompletions {
		e.completions[d.Name] = completion{source, e.now, d.Observe}
	}
}

// completer returns the source that a Completion names, the zero Addr for nobody. What was only
// observed counts for observers alone.
func (e *Engine) completer(of Completion, observes bool) netip.Addr {
	c, known := e.completions[of.Door]
	if !known || c.observed && !observes || e.now >= wire.Add(c.at, of.Within) {
		return netip.Addr{}
	}
	return c.source
}

// forgetCompletions drops the completions that the present doors do not note.
func (e *Engine) forgetCompletions() {
	for name := range e.completions {
		if d := e.index.door(name); d == nil || !d.NoteCompletions {
			delete(e.completions, name)
		}
	}
}

// completionStates returns the completions by the names of their doors.
func (e *Engine) completionStates() []CompletionState {
	var all []CompletionState
	for door, c := range e.completions {
		all = append(all, CompletionState{wire.Text(door), c.source, c.at, c.observed})
	}
	slices.SortFunc(all, func(a, b CompletionState) int { return cmp.Compare(a.Door, b.Door) })
	return all
}

func (e *Engine) resumeCompletions(s *State) error {
	for _, was := range s.Completions {
		name := string(was.Door)
		_, twice := e.completions[name]
		if d := e.index.door(name); d == nil || !d.NoteCompletions || twice || !was.Source.IsValid() || was.At > s.Now {
			return fmt.Errorf("a completion of door %q, which cannot be", name)
		}
		e.completions[name] = completion{was.Source, was.At, was.Observed}
	}
	return nil
}
