package engine

import (
	"fmt"
	"net/netip"
)

// This file consumes one-time sequences, and moves their doors to the next one.
//
// A sequence is consumed when its last knock came, whatever its door decides: anybody on the
// network path may have seen it. The use is first written to the journal, before anything is
// given, and then the line in the file is commented out. A crash between two of these steps
// loses nothing: the next start finds the use in one or the other.

// OneTimeChanges counts the one-time sequences that were consumed and the lines that were
// commented out. A caller reads the files of a set and swaps the set in later. If the count
// changed in between, the set may hold a sequence that is consumed, and its files must be read
// again.
func (e *Engine) OneTimeChanges() int { return e.oneTime.count }

// Uses returns the lines that were consumed and are not commented out yet. A set that was loaded
// before that still has them.
func (e *Engine) Uses() []Consumed { return e.oneTime.sorted() }

// unusedOf returns the unused sequences of each door of another set.
func (e *Engine) unusedOf(set *Set) map[string]*oneTime {
	left := make(map[string]*oneTime)
	for _, d := range set.Doors {
		if d.OneTime != nil && !d.Listen {
			left[d.Name] = e.unusedOfDoor(d)
		}
	}
	return left
}

// unusedOfDoor is unusedOf for one door. A line that waits to be commented out is still in the
// file: it is left out as often as it was consumed. So is each use that no file knows of, while
// the door still reads the same file and observes as before.
func (e *Engine) unusedOfDoor(d *Door) *oneTime {
	used, unrecorded := make(map[string]int), []string(nil)
	for use, n := range e.oneTime.pending {
		if use.File == d.OneTime.File {
			used[use.Line] += n
		}
	}
	if was := e.index.door(d.Name); was != nil && was.oneTime != nil && was.OneTime.File == d.OneTime.File && was.Observe == d.Observe {
		unrecorded = was.oneTime.unrecorded
	}
	for _, key := range unrecorded {
		used[key]++
	}
	o := newOneTime(d, used)
	for _, key := range unrecorded {
		if used[key] == 0 { // newOneTime found it, so the set still has it
			o.unrecorded = append(o.unrecorded, key)
		}
	}
	return o
}

// consume notes that the sequence of a door was used, and requests a record of it. The effects
// of the decision must follow in the batch that it returns. It returns nil when there is
// nothing to record: the door has no one-time sequences, only observes, or has them from no
// file.
func (e *Engine) consume(d *door, source netip.Addr) *batch {
	o := d.oneTime
	if o == nil {
		return nil
	}
	line, key := o.unused[0].Line, o.unused[0].key()
	if d.Observe || line == "" {
		// What a door that only observes consumes stays unused for enforced doors.
		o.consume(key)
		o.unrecorded = append(o.unrecorded, key)
		e.oneTime.count++
		e.oneTime.changed = true
		return nil
	}
	use, b := Consumed{d.OneTime.File, line}, &batch{}
	e.noteConsumed(use)
	e.addEffect(b, Event{
		Kind: EventEffect, Effect: EffectConsume, Door: d.Name, Source: single(source),
		File: use.File, Text: use.Line, Persist: &Record{Consumed: &use},
	}, nil, term{})
	return b
}

// noteConsumed notes that a line was consumed. All doors with its file lose it.
func (e *Engine) noteConsumed(use Consumed) {
	e.oneTime.pending[use]++
	e.oneTime.count++
	for _, d := range e.index.doors {
		if d.oneTime != nil && d.OneTime.File == use.File && d.oneTime.consume(use.Line) {
			e.oneTime.changed = true
		}
	}
}

// nextSequences moves the doors whose sequence was consumed in this input to their next one.
// Attempts in them end as misses. source, if it is valid, is who consumed it.
func (e *Engine) nextSequences(source netip.Prefix) {
	if !e.oneTime.changed {
		return
	}
	e.oneTime.changed = false
	e.endRuns(Used, (*door).sequenceConsumed)
	for _, d := range e.index.doors {
		if !d.sequenceConsumed() {
			continue
		}
		d.oneTime.stale = false
		e.index.renewID(d)
		if d.Door = d.oneTime.of(d.Door); len(d.Sequence) == 0 {
			e.emit(Event{
				Kind: EventEffect, Effect: EffectLog, Door: d.Name, Source: source, File: d.OneTime.File,
				Detail: fmt.Sprintf("%s has no sequence left, so door %s cannot be opened: write new ones into it", d.OneTime.File, d.Name),
			})
		}
	}
	e.index.registerAll()
	e.explanation.doorsChanged()
}

// restoreConsumed restores the use of a line that was consumed before a restart, and is not
// commented out yet.
func (e *Engine) restoreConsumed(use Consumed) {
	e.noteConsumed(use)
	door := ""
	for _, d := range e.index.doors {
		if d.oneTime != nil && d.OneTime.File == use.File {
			door = d.Name
			break
		}
	}
	e.commentOut(door, netip.Prefix{}, use)
}

// commentOut requests a line to be commented out.
func (e *Engine) commentOut(door string, source netip.Prefix, use Consumed) {
	e.addEffect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectCommentOut, Door: door, Source: source, File: use.File, Text: use.Line,
	}, nil, term{})
}

// commentedOut notes that a line was commented out, or is gone from the file. The file
// remembers the use from now on, so its record ends.
func (e *Engine) commentedOut(use Consumed) {
	if e.oneTime.pending[use]--; e.oneTime.pending[use] <= 0 {
		delete(e.oneTime.pending, use)
	}
	e.oneTime.count++
	e.persist(Record{Consumed: &use, Ended: true})
}
