package account

import (
	"iter"
	"net/netip"
	"time"

	"sesame/daemon/transcript"
)

// An Account is what became of one source at one door. Lines are for people, and the other fields
// for programs. Both are made of the same facts.
type Account struct {
	Door   string
	Source netip.Addr
	Result Result
	// Best is how many knocks the furthest attempt had, of how many.
	Best, Stages int

	// Of the furthest attempt that ended, unless a sequence was completed:
	Awaited string        // the knock that it waited for, such as "tcp/2904"
	Came    string        // what came instead of it, or too late
	Packet  int           // its number; 0: no packet ended the attempt
	Capture int           // of that packet; 0: there is only one
	Late    time.Duration // how much too late the awaited knock came

	Reason     string        // why it went no further: that of a miss or of a refusal
	Detail     string        // of the refusal
	Until      time.Time     // when the limit admits the next knock; zero: another reason
	Slack      time.Duration // the least time that a completed attempt had left; 0: not known
	Suggestion string        // a change that would have opened the door, as a replay has shown

	Opens, Refusals, Misses int // how often each happened
	Lines                   []string
}

// A Result is how far a source came at a door.
type Result string

const (
	ResultOpened     Result = "opened"
	ResultRefused    Result = "refused" // or the script failed
	ResultWaiting    Result = "waiting" // an attempt goes on, in a recording
	ResultStopped    Result = "stopped"
	ResultNeverBegan Result = "never_began"
)

// Pairs returns the keys of the account as docs/transcript.md has them.
func (a *Account) Pairs() []transcript.Pair {
	return []transcript.Pair{
		{Key: "event", Value: "account"},
		{Key: "door", Value: a.Door},
		{Key: "source", Value: a.Source.String()},
		{Key: "result", Value: string(a.Result)},
		{Key: "stage", Value: a.Best},
		{Key: "stages", Value: a.Stages},
		{Key: "awaited", Value: a.Awaited},
		{Key: "came", Value: a.Came},
		{Key: "packet", Value: a.Packet},
		{Key: "capture", Value: a.Capture},
		{Key: "reason", Value: a.Reason},
		{Key: "detail", Value: a.Detail},
		{Key: "until", Value: a.Until},
		{Key: "late", Value: a.Late},
		{Key: "slack", Value: a.Slack},
		{Key: "suggestion", Value: a.Suggestion},
		{Key: "opens", Value: a.Opens},
		{Key: "refusals", Value: a.Refusals},
		{Key: "misses", Value: a.Misses},
		{Key: "text", Value: a.Lines},
	}
}

// All returns the accounts, those that came furthest first.
func (b *Book) All() iter.Seq[*Account] {
	return func(yield func(*Account) bool) {
		for _, r := range b.all() {
			if !yield(b.account(r)) {
				return
			}
		}
	}
}

// Of returns the account of a source at a door; nil when there is none.
func (b *Book) Of(source netip.Addr, door string) *Account {
	b.settle()
	r := b.find(source, door)
	if r == nil || !r.listed() {
		return nil
	}
	return b.account(r)
}

// account returns the account of a record.
func (b *Book) account(r *record) *Account {
	a := &Account{
		Door: r.door, Source: r.source.addr, Slack: r.openings.slack.left, Suggestion: r.suggestion,
		Opens: r.openings.count, Refusals: r.refusal.count, Misses: r.misses, Lines: b.lines(r),
	}
	if r.rules != nil {
		a.Stages = len(r.rules.Sequence)
	}
	waiting, waits := b.waiting(r)
	switch m, _ := b.furthest(r); {
	case r.rank == opened:
		a.Result, a.Best = ResultOpened, a.Stages
	case r.rank == refused:
		a.Result, a.Best = ResultRefused, a.Stages
		a.Reason, a.Detail, a.Until = string(r.refusal.reason), r.refusal.detail, r.refusal.until
		a.Packet, a.Capture = r.refusal.latest.packet, r.refusal.latest.capture
		if a.Reason == "" && r.barren.count > 0 {
			a.Reason, a.Packet, a.Capture = string(GaveNothing), r.barren.latest.packet, r.barren.latest.capture
		}
	case waits:
		a.Result, a.Best, a.Awaited = ResultWaiting, waiting.stage, waiting.awaited().Port.String()
	case m != nil:
		a.stopped(m)
		a.nearly(r, m)
	default:
		a.Result = ResultNeverBegan
		a.neverBegan(r)
	}
	return a
}

// stopped fills the fields of an attempt that ended.
func (a *Account) stopped(m *miss) {
	a.Result, a.Best, a.Stages, a.Reason = ResultStopped, m.stage, len(m.door.Sequence), string(m.reason)
	a.Awaited, a.Late = m.awaited.Port.String(), m.late
	if a.Packet, a.Capture = m.at.packet, m.at.capture; m.at.packet > 0 {
		a.Came = m.came.String()
	}
}

// neverBegan names the first knock of a source that had no attempt, and what came in its place.
func (a *Account) neverBegan(r *record) {
	c := r.near.unbegun(0)
	if c == nil {
		return
	}
	a.Awaited, a.Reason = r.near.steps[0].Port.String(), string(Missing)
	if s := &c[0]; s.knock == 0 {
		a.Came, a.Packet, a.Capture, a.Reason = s.came.String(), s.at.packet, s.at.capture, string(s.why)
	}
}

// nearly names the packet that was nearly the knock that a miss waited for, if there is one.
func (a *Account) nearly(r *record, m *miss) {
	if s := r.nearly(m); s != nil {
		a.Came, a.Packet, a.Capture, a.Reason = s.came.String(), s.at.packet, s.at.capture, string(s.why)
	}
}
