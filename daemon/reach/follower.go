package reach

import (
	"maps"
	"slices"
	"time"

	"sesame/daemon/packet"
)

const (
	// maxFollowed bounds the packets and flows that are followed at a time.
	maxFollowed = 256
	// maxPath bounds the chains of one packet that are remembered.
	maxPath = 64
)

// looks is when the connection of a packet is looked at, since the packet came. The kernel needs
// microseconds to answer, a container some milliseconds.
var looks = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second}

const (
	// unansweredAfter is how long a packet may stay without an answer.
	unansweredAfter = time.Second
	// unconfirmedAfter is how long the source of a SYN may take to confirm our answer. It is
	// longer than the way there and back, by satellite too.
	unconfirmedAfter = 3 * time.Second
)

// An Ending is what became of one packet, as far as it is known. Of one packet several may follow
// each other: what was unanswered may be answered later.
type Ending struct {
	Flow    Flow
	Outcome Outcome // never Unused or Rejected: who reads the rule tells it from Dropped
	Closed  bool    // see [Result]
	Blocker *Blocker
	// Unseen says of Unanswered that the packet vanished before our last chain: what dropped it
	// is no chain of nftables.
	Unseen bool
	// Untraced says that no trace of the packet came, as it is wanted: see [Follower.Began].
	Untraced bool
	// Unconfirmed says of Unanswered that an answer was made, and never confirmed: it may have been
	// dropped on its way out.
	Unconfirmed bool
	// Path is the chains that the packet passed since the last base chain began.
	Path []Place
	Came time.Time // when the packet came
}

// A Place is a chain of a table.
type Place struct{ Table, Chain string }

// A Follower turns trace messages, and what connection tracking knows of their flows, into
// endings. It follows packets that our own rule began to trace, and ignores others. It is not
// safe for concurrent use.
type Follower struct {
	names  Names
	traces map[uint32]*followed
	// headers are those of packets in our table that another program traces, too.
	headers map[uint32]Flow
	quiet   uint32 // the last number that a flow without a trace got
	lost    uint64
	missed  uint64
}

// followed is a packet on its way.
type followed struct {
	flow      Flow
	came      time.Time
	untracked bool
	untraced  bool
	reached   bool // our last chain
	path      []Place
	fresh     bool // the base chain has ended: the next message begins another
	looked    int  // index of the next look
	outcome   Outcome
}

// NewFollower returns a Follower for traces that begin and end as names says.
func NewFollower(names Names) *Follower {
	return &Follower{names: names, traces: map[uint32]*followed{}, headers: map[uint32]Flow{}}
}

// Lost says that messages were lost. What was followed is forgotten: a packet of which some
// messages are missing may have been dropped.
func (f *Follower) Lost() {
	f.lost++
	clear(f.traces)
	clear(f.headers)
}

// Losses returns how often messages were lost, and how many packets were not followed, because
// too many were on their way.
func (f *Follower) Losses() (lost, missed uint64) { return f.lost, f.missed }

// Followed returns how many packets are followed.
func (f *Follower) Followed() int { return len(f.traces) }

// Add takes one message. It returns an ending when the packet was dropped, and reports whether the
// message was of a packet that is followed.
func (f *Follower) Add(m Message, now time.Time) (ended *Ending, ours bool) {
	if m.Table == f.names.Table && (m.Chain == f.names.Begin || m.Chain == f.names.Untracked) {
		return nil, f.begin(m, now)
	}
	t := f.traces[m.ID]
	if t == nil {
		f.note(m)
		return nil, false
	}
	if t.fresh {
		t.path, t.fresh = nil, false
	}
	if place := (Place{m.Table, m.Chain}); len(t.path) < maxPath && !slices.Contains(t.path, place) {
		t.path = append(t.path, place)
	}
	t.reached = t.reached || m.Table == f.names.Table && slices.Contains(f.names.Last, m.Chain)
	switch m.Verdict {
	case Continue, Stolen:
	case Accept:
		t.fresh = true
	case Drop:
		delete(f.traces, m.ID)
		ending := t.ending(Dropped)
		ending.Blocker = &Blocker{Table: m.Table, Chain: m.Chain, Handle: m.Handle, Policy: m.Handle == 0}
		return &ending, true
	}
	return nil, true
}

// note remembers the headers of a packet that comes into our table and may begin a trace of ours.
func (f *Follower) note(m Message) {
	if m.Table != f.names.Table || m.Flow == (Flow{}) {
		return
	}
	if len(f.headers) >= maxFollowed {
		clear(f.headers)
	}
	f.headers[m.ID] = m.Flow
}

// begin begins to follow a packet. The kernel gives numbers of ended packets to new ones.
func (f *Follower) begin(m Message, now time.Time) bool {
	if m.Flow == (Flow{}) {
		m.Flow = f.headers[m.ID]
	}
	delete(f.headers, m.ID)
	if m.Verdict != Accept || m.Flow == (Flow{}) { // headers of another protocol
		return false
	}
	return f.follow(m.ID, &followed{flow: m.Flow, came: now, untracked: m.Chain == f.names.Untracked, fresh: true})
}

// Began takes a flow that began, of which no trace comes. Only connection tracking tells what
// becomes of it.
func (f *Follower) Began(flow Flow, now time.Time) {
	f.quiet--
	f.follow(f.quiet, &followed{flow: flow, came: now, untraced: true})
}

func (f *Follower) follow(id uint32, t *followed) bool {
	delete(f.traces, id)
	if len(f.traces) >= maxFollowed {
		f.missed++
		return false
	}
	f.traces[id] = t
	return true
}

// ending returns what became of a packet.
func (t *followed) ending(o Outcome) Ending {
	return Ending{Flow: t.flow, Outcome: o, Path: t.path, Came: t.came, Untraced: t.untraced}
}

// Next returns when [Follower.Look] has something to do; the zero time: never, until a message
// comes.
func (f *Follower) Next() (next time.Time) {
	for _, t := range f.traces {
		if at := t.came.Add(looks[t.looked]); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// Look looks at the flows that are due, in order of their times. conn returns what connection
// tracking knows of a flow; false: it cannot be told.
func (f *Follower) Look(now time.Time, conn func(Flow) (Conn, bool)) (endings []Ending) {
	for _, id := range slices.SortedFunc(maps.Keys(f.traces), f.earlier) {
		t := f.traces[id]
		age := now.Sub(t.came)
		if age < looks[t.looked] {
			continue
		}
		for t.looked < len(looks) && age >= looks[t.looked] {
			t.looked++
		}
		ended, last := t.look(age, conn)
		if ended != nil && ended.Outcome != t.outcome {
			t.outcome = ended.Outcome
			endings = append(endings, *ended)
		}
		if last || t.looked == len(looks) {
			delete(f.traces, id)
		}
	}
	return endings
}

func (f *Follower) earlier(a, b uint32) int { return f.traces[a].came.Compare(f.traces[b].came) }

// look returns what is known of a packet that nothing has dropped; nil: nothing yet. Last says
// that no more can come.
func (t *followed) look(age time.Duration, conn func(Flow) (Conn, bool)) (ended *Ending, last bool) {
	late := age >= unansweredAfter
	if t.untracked {
		if t.reached {
			return t.is(Passed), true
		}
		return t.vanished(late), late
	}
	state, known := conn(t.flow)
	switch {
	case !known:
		return nil, true
	case state == Established:
		return t.is(Answered), true
	case state == Refused:
		return t.refused(), true
	case state == HalfOpen && age >= unconfirmedAfter:
		unconfirmed := t.is(Unanswered)
		unconfirmed.Unconfirmed = true
		return unconfirmed, false
	case state == Asked && late:
		return t.is(Unanswered), false
	case state == NoConn && !t.reached:
		return t.vanished(late), late
	case state == NoConn:
		return t.forgotten(age)
	}
	return nil, false
}

func (t *followed) is(o Outcome) *Ending {
	e := t.ending(o)
	return &e
}

// vanished is a packet that was not dropped by a chain that is traced, and did not reach our last
// chain.
func (t *followed) vanished(late bool) *Ending {
	if !late {
		return nil
	}
	e := t.is(Unanswered)
	e.Unseen = true
	return e
}

// forgotten is a packet that passed all chains, and whose connection has no entry. Connection
// tracking forgets a TCP connection at once when its first answer is a reset (tcp_packet in
// nf_conntrack_proto_tcp.c). The entry of a UDP flow may have been deleted with its grant.
func (t *followed) forgotten(age time.Duration) (*Ending, bool) {
	if t.flow.Proto != packet.TCP {
		return nil, true
	}
	if age < looks[1] { // the packet may not be through yet
		return nil, false
	}
	return t.refused(), true
}

func (t *followed) refused() *Ending {
	e := t.is(Answered)
	e.Closed = true
	return e
}
