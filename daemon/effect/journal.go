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

// recorded is for records, which the journal writes before everything else is done.
var recorded = performer{stage: inJournal}

// consumed performs the record that a one-time sequence was consumed. The journal
// writes it; the step is answered, so that nothing is given for a sequence when its
// record could not be written.
var consumed = performer{stage: inJournal, log: func(r *Runner, s *step, err error) {
	if err != nil {
		r.warn("nothing is given for a one-time sequence: the journal cannot be written", "door", s.Door, "source", s.source(), "file", s.File)
	}
}}

// A journal holds the records that could not be written yet: the latest of each
// grant and of each stored value, and all of one-time sequences.
type journal struct {
	pending map[subject]pending
	retry   time.Time // nothing is written before this
	last    uint64    // number of the latest record
	err     error     // why the last write failed; nil: it did not
}

// retryDelay is how long after a failure nothing is written. What needs a record
// is refused in the meantime.
const retryDelay = 500 * time.Millisecond

// maxPending bounds the pending records. Beyond it the ends of grants are lost,
// the oldest first: after a restart such an undo runs once more, or a line is
// looked for that is commented out already. Both are harmless. Live grants, stored
// values and one-time sequences have lower bounds of their own.
const maxPending = 1 << 18

// A subject is what a record is about. A later record of a subject replaces an
// earlier one.
type subject struct {
	grant       uint64
	script, key string
	source      netip.Addr
	consumed    *engine.Consumed // compared by address, so each record is a subject of its own
}

// A pending record has its place in the order.
type pending struct {
	engine.Record
	number uint64
}

func newJournal() journal { return journal{pending: make(map[subject]pending)} }

func subjectOf(r engine.Record) subject {
	switch {
	case r.Grant != nil:
		return subject{grant: r.Grant.ID}
	case r.Consumed != nil:
		return subject{consumed: r.Consumed}
	}
	return subject{script: r.Script, source: r.Source, key: r.Store.Key}
}

// add makes a record that could not be written pending. A later record of a grant takes
// the place of the earlier one in the order. The end of a grant comes last. So the
// journal may know a grant too early but never too late, and an end too late but never
// too early: whatever part of it gets written, no undo is lost.
func (j *journal) add(record engine.Record) {
	about := subjectOf(record)
	j.last++
	p := pending{record, j.last}
	if before, known := j.pending[about]; known && !record.Ended {
		p.number = before.number
	}
	j.pending[about] = p
	if len(j.pending) > maxPending {
		j.forget()
	}
}

// forget drops the older half of the ends.
func (j *journal) forget() {
	ended := slices.DeleteFunc(j.records(), func(r engine.Record) bool { return !r.Ended })
	for _, r := range ended[:len(ended)/2] {
		delete(j.pending, subjectOf(r))
	}
}

// records returns the pending records, in order.
func (j *journal) records() []engine.Record {
	all := slices.SortedFunc(maps.Values(j.pending), func(a, b pending) int { return cmp.Compare(a.number, b.number) })
	records := make([]engine.Record, len(all))
	for i, p := range all {
		records[i] = p.Record
	}
	return records
}

// writeRecords writes the pending records and then new ones, with one call of
// Persist. When that fails, what needs a new record is refused: a restart would not
// know of it.
func (r *Runner) writeRecords(records []engine.Record, decisions []*decision) {
	j := &r.journal
	all := append(j.records(), records...)
	if len(all) == 0 {
		return
	}
	now := r.cfg.Now()
	mayTry := len(j.pending) == 0 || !now.Before(j.retry)
	if !mayTry && len(records) == 0 {
		return
	}
	if mayTry {
		err := r.cfg.Persist(all)
		if err == nil {
			r.written(len(all))
			return
		}
		if j.err == nil {
			r.cfg.Log.Error("journal not written: nothing is opened until it is", "error", err)
		}
		j.err, j.retry = err, now.Add(retryDelay)
	}
	r.refuse(records, decisions)
}

// written notes that nothing is pending any more.
func (r *Runner) written(records int) {
	j := &r.journal
	if j.err != nil {
		r.cfg.Log.Info("journal written again", "records", records)
	}
	clear(j.pending)
	j.err = nil
}

// refuse gives an error to the steps that need one of these records, and makes records
// pending. A grant of which every record comes with a refused step needs none any more: the
// engine takes it back. One that has another record lives on, as when the engine extended it
// under a wider grant, where the kernel has nothing to do. That a one-time sequence was
// consumed is still to be written, and nothing is given for it.
func (r *Runner) refuse(records []engine.Record, decisions []*decision) {
	needed := make(map[uint64]int) // of each grant, the records less the refused steps
	for _, record := range records {
		if record.Grant != nil && !record.Ended {
			needed[record.Grant.ID]++
		}
	}
	for _, d := range decisions {
		for _, s := range d.steps {
			if s.how == &consumed {
				s.err = fmt.Errorf("recording that the sequence is used: %w", r.journal.err)
			}
			if _, unwritten := needed[s.Grant]; unwritten && gives(&s.Event) && s.Grant != 0 {
				needed[s.Grant]--
				s.err = fmt.Errorf("recording the grant: %w", r.journal.err)
			}
		}
	}
	for _, record := range records {
		if record.Grant == nil || record.Ended || needed[record.Grant.ID] > 0 {
			r.journal.add(record)
		}
	}
}
