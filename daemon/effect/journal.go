package effect

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
)

// This file brings records to the disk, in a goroutine of its own.
//
// All records are one ordered stream. The disk has a beginning of it at any time, and a crash
// loses the rest. So these hold, and the next start depends on them:
//   - A plain grant needs no record: its element opens first, and names the grant. When the
//     record is lost, the grant's id is higher than any on the disk, and the start adopts the
//     element. Nothing may overtake an earlier record, or the start would take the element of a
//     grant with a lower id for one that ended, and cut it.
//   - An element that was removed stays removed, although its end was not written: while the
//     table stands, a grant without an element is over.
//   - What the kernel does not know is on the disk before it happens: the undo of a command,
//     and the use of a one-time sequence. Such a step waits for the stream up to its record.

// ErrNoJournal means that an effect was refused, since it needs a record and none can be
// written now. A text that contains it begins "no_journal".
var ErrNoJournal = errors.New("no_journal: what must survive a restart cannot be recorded")

var errHangs = errors.New("the disk does not answer")

const (
	// journalPatience is how long one write may take. Then the journal counts as unavailable,
	// and what needs it is refused at once until the write ends.
	journalPatience = time.Second
	// A write that failed is tried again after retryDelay, then after twice as long, and so on
	// up to maxRetryDelay. What needs a record is refused in the meantime.
	retryDelay    = 500 * time.Millisecond
	maxRetryDelay = 4 * time.Second
)

// From maxPending pending records on, the ends of grants are lost, the oldest first: after a
// restart such an undo runs once more, or a line is looked for that is commented out already.
// Both are harmless. So are values that are over. What is left, live grants, values and one-time
// sequences, has bounds in the engine, and there are never more than twice as many records.
const maxPending = 1 << 18

// recorded is for records, which need no step.
var recorded = performer{stage: inJournal}

// consumed performs the record that a one-time sequence was consumed. The rest of its decision
// waits until it is on the disk, so that nothing is given for a sequence that can be used again.
var consumed = performer{stage: inJournal, log: func(r *Runner, s *step, err error) {
	if err != nil {
		r.warn("nothing is given for a one-time sequence: its use cannot be recorded", "door", s.Door, "source", s.source(), "file", s.File, "error", err)
	}
}}

// needsRecord reports whether a step must not be performed before its record is on the disk.
func (s *step) needsRecord() bool {
	return s.how == &consumed || s.Effect == engine.EffectExec && s.undo != nil
}

// A journal holds the records that are not on the disk, and the steps that wait for some. Of
// each grant and of each stored value it holds the latest record, and of one-time sequences all.
// It belongs to the worker; only the call of [Config.Persist] runs in another goroutine.
type journal struct {
	last    uint64 // number of the latest record
	pending map[subject]pending
	room    int  // how many may be pending before forget looks again; below maxPending: that
	note    bool // the next write may be without records: see [Runner.WriteJournal]

	writing map[subject]pending // what the write that runs has; nil: none runs
	upTo    uint64              // number of the latest record when it began
	began   time.Time
	written uint64 // all records up to this number are on the disk
	retry   time.Time
	delay   time.Duration // until the next try; zero: the last write succeeded
	err     error         // why the last write failed; nil: it did not
	tried   bool          // a write failed since tryOnceMore
	since   time.Time     // since when nothing can be written; zero: it can
	waiting []*step       // in the order of their records
	callers []caller      // of [Runner.Written]
	work    JournalWork   // so far
}

// A caller waits until all records up to this number are on the disk.
type caller struct {
	upTo uint64
	done chan<- error // capacity 1
}

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

// add makes a record pending.
func (j *journal) add(record engine.Record, now time.Time) {
	j.last++
	put(j.pending, pending{record, j.last})
	if len(j.pending) > max(j.room, maxPending) {
		j.forget(now)
		j.room = 2 * len(j.pending) // so that a record costs the same however many there are
	}
}

// put adds a record to others. A later record of a grant takes the place of the earlier one in
// the order. The end of a grant comes last. So the journal may know a grant too early but never
// too late, and an end too late but never too early: whatever beginning of it is written, no
// undo is lost, and no grant has a lower id than one that is written and is not written itself.
func put(records map[subject]pending, p pending) {
	about := subjectOf(p.Record)
	if before, known := records[about]; known && !p.Ended {
		p.number = before.number
	}
	records[about] = p
}

// forget drops the older half of the ends, and values that are deleted or expired.
func (j *journal) forget(now time.Time) {
	var ends []uint64
	for about, p := range j.pending {
		switch {
		case p.Ended:
			ends = append(ends, p.number)
		case p.Store != nil && (p.Store.Value == nil || !p.Store.Until.IsZero() && !p.Store.Until.After(now)):
			delete(j.pending, about)
		}
	}
	slices.Sort(ends)
	for about, p := range j.pending {
		if p.Ended && p.number < ends[len(ends)/2] {
			delete(j.pending, about)
		}
	}
}

// inOrder returns records in their order.
func inOrder(of map[subject]pending) []engine.Record {
	all := slices.SortedFunc(maps.Values(of), func(a, b pending) int { return cmp.Compare(a.number, b.number) })
	records := make([]engine.Record, len(all))
	for i, p := range all {
		records[i] = p.Record
	}
	return records
}

// unwritten returns how many records are not on the disk.
func (j *journal) unwritten() int { return len(j.pending) + len(j.writing) }

// tryOnceMore lets the next write begin at once, for a daemon that stops.
func (j *journal) tryOnceMore() { j.retry, j.tried = time.Time{}, false }

// settled reports whether a stop need not wait for the journal: all is written, or the last try
// failed or hangs. The kernel knows of the grants that are not on the disk then. A pending undo is
// there, and runs once more if only its end is not.
func (j *journal) settled(now time.Time) bool {
	switch {
	case j.unwritten() == 0:
		return true
	case j.writing != nil:
		return !now.Before(j.began.Add(journalPatience))
	}
	return j.err != nil && j.tried
}

// mayWrite reports whether a write is to begin.
func (j *journal) mayWrite(now time.Time) bool {
	return j.writing == nil && (len(j.pending) > 0 || j.note) && (j.err == nil || !now.Before(j.retry))
}

// idle returns how long the journal needs nobody.
func (j *journal) idle(now time.Time) time.Duration {
	switch {
	case j.writing != nil && now.Before(j.began.Add(journalPatience)):
		return j.began.Add(journalPatience).Sub(now)
	case j.writing == nil && j.err != nil:
		return j.retry.Sub(now)
	}
	return time.Hour
}

// unavailable returns why nothing can be recorded now; nil: it can.
func (j *journal) unavailable() error {
	if j.since.IsZero() {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNoJournal, j.cause())
}

// cause returns what the disk says; nil: it can be written.
func (j *journal) cause() error {
	if j.since.IsZero() || j.err != nil {
		return j.err
	}
	return errHangs
}

// write begins a write with all pending records, in a goroutine of its own: a disk may hang for
// hours, and nothing else waits for it.
func (r *Runner) write() {
	j, now := &r.journal, r.cfg.Now()
	if !j.mayWrite(now) {
		return
	}
	batch := j.pending // nobody changes it before the write has ended
	j.writing, j.pending, j.note = j.pending, make(map[subject]pending), false
	j.upTo, j.began = j.last, now
	go func() {
		err := r.cfg.Persist(inOrder(batch))
		r.mu.Lock()
		defer r.mu.Unlock()
		r.work.written = &written{err}
		signal(r.wake)
	}()
}

// A written is the result of a write.
type written struct{ err error }

// endWrite takes the result of the write. Records that were not written are pending again, before
// those that came since.
func (r *Runner) endWrite(w written) {
	j := &r.journal
	j.count(w.err, r.cfg.Now())
	if w.err == nil {
		if !j.since.IsZero() {
			r.cfg.Log.Info("the journal is written again", "records", len(j.writing))
		}
		j.written, j.writing = j.upTo, nil
		j.err, j.delay, j.since = nil, 0, time.Time{}
		return
	}
	newer := slices.SortedFunc(maps.Values(j.pending), func(a, b pending) int { return cmp.Compare(a.number, b.number) })
	j.pending, j.writing, j.note = j.writing, nil, true
	for _, p := range newer {
		put(j.pending, p)
	}
	j.delay = min(max(retryDelay, 2*j.delay), maxRetryDelay)
	j.retry = r.cfg.Now().Add(j.delay)
	j.err, j.tried = w.err, true
	r.noteUnavailable()
}

// watchWrite notices that a write takes too long.
func (r *Runner) watchWrite() {
	if j := &r.journal; j.writing != nil && j.since.IsZero() && !r.cfg.Now().Before(j.began.Add(journalPatience)) {
		r.noteUnavailable()
	}
}

func (r *Runner) noteUnavailable() {
	j := &r.journal
	if !j.since.IsZero() {
		return
	}
	j.since = r.cfg.Now()
	r.cfg.Log.Error("the journal cannot be written: ports open and close all the same, but commands with an undo and one-time sequences are refused",
		"error", j.cause())
}

// await makes a step wait until its record is on the disk, or is refused.
func (j *journal) await(s *step) {
	s.awaits = true
	j.waiting = append(j.waiting, s)
}

// answerWaiting lets the steps go on whose records are on the disk, and refuses the others when
// nothing can be recorded. It returns the decisions that go on.
func (r *Runner) answerWaiting() (ready []*decision) {
	j := &r.journal
	refused := j.unavailable()
	if r.stopped {
		refused = ErrStopped
	}
	j.waiting = slices.DeleteFunc(j.waiting, func(s *step) bool {
		var err error
		switch {
		case s.record <= j.written:
		case refused != nil:
			err = refused
		default:
			return false
		}
		s.awaits = false
		switch {
		case s.how.stage == inBackground && err == nil:
			r.jobs.unblock(s)
		case s.how.stage == inBackground:
			if d := r.finish(finished{step: s, err: err}); d != nil {
				ready = append(ready, d)
			}
		default:
			r.answer(s, err)
			ready = append(ready, s.decision)
		}
		return true
	})
	return ready
}

// A JournalState is whether records can be written.
type JournalState struct {
	Err     error     // why they cannot; nil: they can
	Since   time.Time // since when they cannot, in engine time
	Pending int       // records that are not on the disk
}

// Journal returns the state of the journal. Any goroutine may call it.
func (r *Runner) Journal() JournalState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journalState
}

// Record writes records to the journal that no event requests. It never blocks.
func (r *Runner) Record(records []engine.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addRecords(records...)
	signal(r.wake)
}

// Written answers when all records of the calls before are on the disk, or with the reason why they
// cannot be written now: then they are written later, unless the daemon ends before. The channel
// has capacity 1, and receives nothing when Run returns before.
func (r *Runner) Written() <-chan error {
	done := make(chan error, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.callers = append(r.work.callers, caller{r.numbers, done})
	signal(r.wake)
	return done
}

// answerCallers answers those whose records are on the disk, and all when nothing can be recorded.
func (r *Runner) answerCallers() {
	j := &r.journal
	refused := j.unavailable()
	if r.stopped {
		refused = ErrStopped
	}
	j.callers = slices.DeleteFunc(j.callers, func(c caller) bool {
		switch {
		case c.upTo <= j.written:
			c.done <- nil
		case refused != nil:
			c.done <- refused
		default:
			return false
		}
		return true
	})
}

// WriteJournal makes the journal call [Config.Persist], also when there is no record: the offset of
// the wall clock may have changed, or somebody deleted the journal. It never blocks.
func (r *Runner) WriteJournal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.note = true
	signal(r.wake)
}
