package effect

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
)

// A journal holds the records that could not be written yet: the latest of each
// grant and of each stored value, and all of one-time sequences.
type journal struct {
	owed  map[about]owed
	retry time.Time // of all of owed, not before
	last  uint64
	err   error // why
}

// retryDelay is how long after a failure nothing is written, and nothing given
// that needs to be.
const retryDelay = 500 * time.Millisecond

// maxOwed is how many records are owed at most. What is lost beyond it are the
// ends of grants, the oldest first: after a restart such an undo runs once more, or
// a line is looked for that is marked. Live grants, stored values and one-time
// sequences are fewer than that.
const maxOwed = 1 << 18

// An about is what a record is about.
type about struct {
	grant       uint64
	script, key string
	source      netip.Addr
	spent       *engine.Consumed // of which each record has one of its own
}

// An owed is a record with its place in the order.
type owed struct {
	engine.Record
	number uint64
}

func newJournal() journal { return journal{owed: make(map[about]owed)} }

func aboutOf(r engine.Record) about {
	switch {
	case r.Grant != nil:
		return about{grant: r.Grant.ID}
	case r.Consumed != nil:
		return about{spent: r.Consumed}
	}
	return about{script: r.Script, source: r.Source, key: r.Store.Key}
}

// owe keeps a record that could not be written. The journal may then know a grant
// too early but none too late, and an end too late but none too early: whatever
// part of it is written, no undo is lost.
func (j *journal) owe(record engine.Record) {
	p := aboutOf(record)
	j.last++
	o := owed{record, j.last}
	if before, known := j.owed[p]; known && !record.Ended {
		o.number = before.number
	}
	j.owed[p] = o
	if len(j.owed) > maxOwed {
		j.forget()
	}
}

// forget drops the older half of the ends.
func (j *journal) forget() {
	ended := slices.DeleteFunc(j.records(), func(r engine.Record) bool { return !r.Ended })
	for _, r := range ended[:len(ended)/2] {
		delete(j.owed, aboutOf(r))
	}
}

// records returns what is owed, in order.
func (j *journal) records() []engine.Record {
	all := slices.SortedFunc(maps.Values(j.owed), func(a, b owed) int { return cmp.Compare(a.number, b.number) })
	records := make([]engine.Record, len(all))
	for i, o := range all {
		records[i] = o.Record
	}
	return records
}

// remember writes the records among steps, and those that are owed. When that
// fails, the effects that need them are marked as failed: they give what a
// restart would not know of.
func (r *Runner) remember(steps []*step) {
	j := &r.journal
	records := j.records()
	before := len(records)
	for _, s := range steps {
		if s.kind == needsJournal || s.kind == needsSpend {
			records = append(records, *s.Persist)
		}
	}
	if now := r.cfg.Now(); len(records) == 0 || len(records) == before && now.Before(j.retry) {
		return
	} else if before == 0 || !now.Before(j.retry) {
		err := r.cfg.Persist(records)
		if err == nil {
			if j.err != nil {
				r.cfg.Log.Info("journal written again", "records", len(records))
			}
			clear(j.owed)
			j.err = nil
			return
		}
		if j.err == nil {
			r.cfg.Log.Error("journal not written: nothing is opened until it is", "error", err)
		}
		j.err, j.retry = err, now.Add(retryDelay)
	}
	r.refuse(steps)
}

// refuse marks the effects of grants whose records could not be written. Such a
// record need not be written any more: the engine takes the grant back. That a
// one-time sequence was used is still to be written, and nothing is given for it.
func (r *Runner) refuse(steps []*step) {
	unknown := make(map[uint64]bool) // grants; true once an effect is refused for it
	for _, s := range steps {
		switch {
		case s.kind == needsSpend:
			s.err = fmt.Errorf("remembering that the sequence is used: %w", r.journal.err)
			r.journal.owe(*s.Persist)
		case s.kind == needsJournal && s.Persist.Grant != nil && !s.Persist.Ended:
			unknown[s.Persist.Grant.ID] = false
		case gives(&s.Event) && s.Grant != 0:
			if _, is := unknown[s.Grant]; is {
				unknown[s.Grant] = true
				s.err = fmt.Errorf("remembering the grant: %w", r.journal.err)
			}
		}
	}
	for _, s := range steps {
		if s.kind == needsJournal && (s.Persist.Grant == nil || s.Persist.Ended || !unknown[s.Persist.Grant.ID]) {
			r.journal.owe(*s.Persist)
		}
	}
}
