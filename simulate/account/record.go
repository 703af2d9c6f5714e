package account

import (
	"container/list"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A record is what is known of one source at one door.
type record struct {
	source  *source
	door    string
	rules   *engine.Door // the door as of the latest judgment; nil: there was none
	seen    int          // its number among all records, from 0
	rank    rank
	element *list.Element // of this record in the list of its rank

	openings result
	refusal  refusal
	errors   int
	fault    string // of the latest error
	misfit   misfit
	barren   barren
	misses   int
	best     *miss // the furthest; of equals, the latest
	expired  *miss // the latest that time ended, since the awaited knock may still come
	failed   bool  // an attempt ended after the latest opening
	alone    int   // knocks of the door that began and advanced nothing, at no other door either
	attempt  attempt
	near     near
	// Packets of the source that came again before it completed a sequence here for the last time.
	resent, copies int
	half           *half   // what another source sent of a knock of this one; nil: nothing
	visits         *visits // nil: none
	// suggestion is a change that would have opened the door.
	suggestion string
}

// An attempt is one that has not ended. The zero attempt is none.
type attempt struct {
	door     *engine.Door // its rules
	stage    int          // knocks done
	deadline time.Time    // when time ends it
	limit    engine.Reason
}

// A miss is an attempt that ended unfinished.
type miss struct {
	door    *engine.Door // its rules at that time
	stage   int          // knocks done
	reason  engine.Reason
	awaited engine.Knock
	at      position // of the packet that ended it, or came too late; zero: none did
	came    packet.Port
	flags   packet.Flags
	late    time.Duration
	over    time.Time // when its time was over, if nothing that came has shown that
}

// A misfit is a packet that was no knock because of its payload.
type misfit struct {
	count  int
	latest position
	why    string
}

// A barren counts the knocks of a listener for which its function gave nothing.
type barren struct {
	count  int
	latest position
}

// A position names a packet: its number, and that of its capture.
type position struct{ packet, capture int }

func positionOf(j *engine.Judgment) position { return position{j.Packet, j.Capture} }

// listed reports whether the account of a record is worth a line. It is not when the door only
// shares ports with another one that the source knocked.
func (r *record) listed() bool {
	return r.rank > strayed || r.misfit.count > 0 || r.alone > 0
}

// judge notes a judgment about the source at the door.
func (r *record) judge(b *Book, j *engine.Judgment) {
	r.near.judge(j)
	if r.rules = j.Door; j.Late > 0 || j.Ruling == engine.TooLate {
		r.tooLate(j)
	}
	switch j.Ruling {
	case engine.Ignored:
		if j.Why == engine.OtherBytes {
			r.misfit = misfit{r.misfit.count + 1, positionOf(j), j.Detail}
		}
	case engine.Began, engine.Advanced, engine.Repeated:
		b.raise(r, begun)
		r.advance(j)
		r.refused(b, j)
	case engine.Finished:
		r.openings.left(j)
		r.resent, r.copies = r.source.resent.count, r.source.copies.count
		r.attempt = attempt{}
		r.refused(b, j)
		if j.Why == engine.GaveNothing {
			b.raise(r, refused)
			r.barren = barren{r.barren.count + 1, positionOf(j)}
		}
	case engine.Disturbed, engine.Ended:
		r.end(b, j)
	case engine.TooLate, engine.LetIn, engine.KeptOut: // noted already
	}
}

// advance notes the attempt that the source has after a packet.
func (r *record) advance(j *engine.Judgment) {
	r.expired = nil
	r.attempt = attempt{j.Door, j.Stage, j.Deadline, j.Limit}
}

// refused notes a refusal: of a complete sequence, or by a script at a stage before.
func (r *record) refused(b *Book, j *engine.Judgment) {
	// The others need nothing.
	//exhaustive:ignore
	switch j.Reason {
	case "":
		return
	case engine.Used, engine.TotalTimeout: // the latter of a door of knockd that leaves no time
		r.end(b, j)
		return
	}
	b.raise(r, refused)
	r.attempt = attempt{}
	r.refusal.judge(j)
}

// end notes that an attempt ended, or that it fell back to a lower stage.
func (r *record) end(b *Book, j *engine.Judgment) {
	m := &miss{door: j.Door, stage: j.Before, reason: j.Reason, awaited: j.Awaited, at: positionOf(j), came: j.Came, flags: j.Flags}
	if m.stage >= 2 {
		b.raise(r, missed)
	} else {
		b.raise(r, begun)
	}
	// What a longer run left behind is no attempt of its own when nothing came after it.
	if r.best == nil || j.Reason != engine.EndOfCapture || m.stage >= r.best.stage {
		r.misses++
	}
	r.keep(m)
	r.failed = r.failed || m.worthALine(r)
	r.attempt, r.expired = attempt{}, nil
	switch {
	case j.Stage > 0:
		r.advance(j)
	case j.Reason == engine.StepTimeout || j.Reason == engine.TotalTimeout:
		m.at, m.came = position{}, packet.Port{} // what showed that the time was over need not be a knock
		r.expired = m
	}
}

// worthALine reports whether a miss has a line of its own. One knock more behind an opening is no
// attempt that anybody asks about.
func (m *miss) worthALine(r *record) bool {
	return m.stage > 1 || m.reason != engine.EndOfCapture || r.rank < refused
}

// keep keeps a miss if it is the furthest so far.
func (r *record) keep(m *miss) {
	if r.best == nil || m.stage >= r.best.stage {
		r.best = m
	}
}

// tooLate notes by how much the knock was too late that an attempt awaited when time ended it. The
// end of the attempt had a judgment of its own.
func (r *record) tooLate(j *engine.Judgment) {
	if m := r.expired; m != nil {
		m.late, m.at, m.came, m.flags = j.Late, positionOf(j), j.Came, j.Flags
		r.expired = nil
	}
}

// furthest is how many knocks the attempt had, 0 when there is none.
func (m *miss) furthest() int {
	if m == nil {
		return 0
	}
	return m.stage
}

// waiting returns the attempt that may still be completed when the input has ended; false when
// there is none. An attempt of a capture ends with the capture.
func (b *Book) waiting(r *record) (attempt, bool) {
	a := r.attempt
	return a, a.stage > 0 && !b.ended.IsZero() && !a.over(b.ended)
}

// over reports whether the time of an attempt is over. Without a known end it is not.
func (a *attempt) over(now time.Time) bool { return !a.deadline.IsZero() && !a.deadline.After(now) }

// furthest returns the miss to describe, and how many there were; nil for none. An attempt that
// nothing has ended is a miss too, when its time was over before a recording ended, or when it was
// in a capture.
func (b *Book) furthest(r *record) (*miss, int) {
	a := r.attempt
	open := a.stage > 0 && (b.ended.IsZero() || a.over(b.ended))
	switch {
	case !open:
		return r.best, r.misses
	case r.best != nil && a.stage < r.best.stage:
		return r.best, r.misses + 1
	}
	m := &miss{door: a.door, stage: a.stage, awaited: a.awaited(), reason: engine.EndOfCapture}
	if !b.ended.IsZero() {
		m.reason, m.over = a.limit, a.deadline
	}
	return m, r.misses + 1
}

// awaited returns the knock that an attempt waits for.
func (a *attempt) awaited() engine.Knock {
	if a.stage < len(a.door.Sequence) {
		return a.door.Sequence[a.stage]
	}
	return engine.Knock{}
}
