package engine

import (
	"fmt"
	"net/netip"
	"time"
)

// OneTimeChanges counts the one-time sequences that were used, and the lines that were
// marked since. Whoever reads the files of a set and swaps it in later finds the
// same count at both times: else the set may have a sequence that is used up, and
// the files must be read again.
func (e *Engine) OneTimeChanges() int { return e.oneTime.count }

// unusedOf returns what is left of the sequences of each door of another set.
func (e *Engine) unusedOf(set *Set) map[string]*oneTime {
	left := make(map[string]*oneTime)
	for _, d := range set.Doors {
		if d.OneTime != nil && !d.Listen {
			left[d.Name] = e.unusedOfDoor(d)
		}
	}
	return left
}

// unusedOfDoor is left for one door. A line that is owed its mark is left out as often as
// it was used.
func (e *Engine) unusedOfDoor(d *Door) *oneTime {
	used, kept := make(map[string]int), []string(nil)
	for use, n := range e.oneTime.pending {
		if use.File == d.OneTime.File {
			used[use.Line] += n
		}
	}
	if was := e.index.door(d.Name); was != nil && was.oneTime != nil && was.OneTime.File == d.OneTime.File && was.Observe == d.Observe {
		kept = was.oneTime.unrecorded
	}
	for _, key := range kept {
		used[key]++
	}
	o := newOneTime(d, used)
	for _, key := range kept {
		if used[key] == 0 { // else the set does not have it any more
			o.unrecorded = append(o.unrecorded, key)
		}
	}
	return o
}

// consume notes that the sequence of a door was used, if it is one that may be used
// once, and asks for that to be remembered: the effects of the reply belong to
// the batch that it returns, behind that. It returns nil when nothing need be
// remembered.
func (e *Engine) consume(d *door, source netip.Addr) *batch {
	o := d.oneTime
	if o == nil {
		return nil
	}
	line, key := o.unused[0].Line, o.unused[0].key()
	if d.Observe || line == "" {
		// What is observed decides nothing for a door that is in earnest.
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
	}, nil, time.Time{})
	return b
}

// noteConsumed notes that a line was used: all doors of its file go on without it.
func (e *Engine) noteConsumed(use Consumed) {
	e.oneTime.pending[use]++
	e.oneTime.count++
	for _, d := range e.index.doors {
		if d.oneTime != nil && d.OneTime.File == use.File && d.oneTime.consume(use.Line) {
			e.oneTime.changed = true
		}
	}
}

// nextSequences lets the doors whose sequence was used in this input go on with the next.
// Attempts in them are over. The source, if any, is who used it.
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
}

// restoreConsumed takes back a line that was used before a restart, and is not marked yet.
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

// commentOut asks for a line to be marked.
func (e *Engine) commentOut(door string, source netip.Prefix, use Consumed) {
	e.addEffect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectCommentOut, Door: door, Source: source, File: use.File, Text: use.Line,
	}, nil, time.Time{})
}

// commentedOut notes that a line was marked, or is not there any more: from now on the
// file remembers.
func (e *Engine) commentedOut(use Consumed) {
	if e.oneTime.pending[use]--; e.oneTime.pending[use] <= 0 {
		delete(e.oneTime.pending, use)
	}
	e.oneTime.count++
	e.persist(Record{Consumed: &use, Ended: true})
}
