package account

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// OpenTimes say for how long ports were open, and to whom. A grant counts from its decision to its
// close, so a port is never open for longer than they say.
type OpenTimes struct {
	Grants   int       // that were given; those for commands with an undo are among them
	Extended int       // times that one of them was prolonged
	Most     int       // of these at once
	MostAt   time.Time // when there were so many first
	Sources  []SourceTime
	Ports    []PortTime
	// Unlisted counts what Sources has no room for, and UnlistedOpen is the time of all of it.
	Unlisted     int
	UnlistedOpen time.Duration
}

// A SourceTime is how long a port was open to a source. Grants at the same time count once.
type SourceTime struct {
	Source  netip.Prefix // a single address, unless a grant was for a network
	Port    packet.Port
	Open    time.Duration
	Periods int       // without a gap
	Grants  int       // prolonged ones count once
	First   time.Time // when it opened
	Last    time.Time // when it closed for the last time; zero: it was still open at the end
}

// A PortTime is how long a port was open to anybody.
type PortTime struct {
	Port    packet.Port
	Open    time.Duration
	Periods int
	Sources int       // one that [OpenTimes.Unlisted] counts may be counted again
	Most    int       // of them at once
	MostAt  time.Time // when there were so many first
	Live    bool      // it was still open at the end
}

// A TimeBook collects [OpenTimes] from the events of an engine. Grants of doors that only observe
// are collected apart. It is not safe for concurrent use.
type TimeBook struct {
	given, observed ledger
	end             time.Time // zero: no grant was live at the end
}

// NewTimeBook returns an empty book.
func NewTimeBook() *TimeBook { return &TimeBook{given: newLedger(), observed: newLedger()} }

// Hold notes grants that are live though no event gave them. They count from now on.
func (b *TimeBook) Hold(now time.Time, grants []engine.Grant) {
	for i := range grants {
		g := &grants[i]
		e := engine.Event{Time: now, Grant: g.ID, Source: g.Source, Port: g.Port, Observed: g.Observed}
		b.of(&e).give(&e)
	}
}

// Events handles the events of an input.
func (b *TimeBook) Events(events []engine.Event) {
	for i := range events {
		switch e := &events[i]; {
		case e.Grant == 0:
		case e.Kind == engine.EventEffect && (e.Effect == engine.EffectAllow || e.Effect == engine.EffectExec):
			b.of(e).give(e)
		case e.Kind == engine.EventFailed && e.Effect == engine.EffectAllow:
			b.of(e).fail(e)
		case e.Kind == engine.EventClose:
			b.of(e).take(e)
		}
	}
}

// End ends the time of grants that are live at the end of a recording.
func (b *TimeBook) End(at time.Time) { b.end = at }

// Given returns the times of what was open, and Observed of what would have been open, had its
// doors not only observed.
func (b *TimeBook) Given() OpenTimes { return b.given.times(b.end) }

// Observed is described at [TimeBook.Given].
func (b *TimeBook) Observed() OpenTimes { return b.observed.times(b.end) }

// of returns the ledger of the grant of an event.
func (b *TimeBook) of(e *engine.Event) *ledger {
	if e.Observed {
		return &b.observed
	}
	return &b.given
}

// A ledger has the times of one kind of grants. Memory is bounded by the grants that the engine
// allows to be live, and beside those by [MaxSources].
type ledger struct {
	grants   int
	extended int
	most     peak
	live     map[uint64]*held
	access   map[access]*span
	closed   spans // of access that nobody has now, the shortest first
	ports    map[packet.Port]*portSpan
	forgot   int
	forgone  time.Duration
}

func newLedger() ledger {
	return ledger{live: map[uint64]*held{}, access: map[access]*span{}, ports: map[packet.Port]*portSpan{}}
}

// An access is what a grant gives: a port to a source.
type access struct {
	source netip.Prefix
	port   packet.Port
}

// A held grant is live.
type held struct {
	access
	extended bool
	failed   bool // its access could not be given, so it never was open
}

// A span is the time of one access.
type span struct {
	access
	period
	grants int
	last   time.Time // when it closed
	index  int       // in the heap
}

// A portSpan is the time of a port, to anybody.
type portSpan struct {
	period
	sources int
	most    peak
}

// A peak is the highest that a number ever was.
type peak struct {
	most int
	at   time.Time
}

func (p *peak) reach(n int, now time.Time) {
	if n > p.most {
		p.most, p.at = n, now
	}
}

// A period is a time during which at least one of several things is live.
type period struct {
	live  int
	since time.Time
	real  bool      // one of them was really given
	first time.Time // when it was live first
	open  time.Duration
	count int
}

// enter notes that one more is live.
func (p *period) enter(now time.Time) {
	if p.live++; p.live == 1 {
		p.since, p.real = now, false
	}
}

// leave notes that one is over. It returns true when nothing is live any more.
func (p *period) leave(now time.Time, really bool) bool {
	p.live--
	p.real = p.real || really
	if p.live > 0 {
		return false
	}
	if p.real {
		if p.count == 0 {
			p.first = p.since
		}
		p.open += now.Sub(p.since)
		p.count++
	}
	return true
}

// give notes that a grant was given, or prolonged.
func (l *ledger) give(e *engine.Event) {
	if g := l.live[e.Grant]; g != nil {
		g.extended = true
		l.extended++
		return
	}
	g := &held{access: access{e.Source, e.Port}}
	l.live[e.Grant] = g
	l.grants++
	l.most.reach(len(l.live), e.Time)
	if e.Port.Number == 0 {
		return // of a command
	}
	s := l.access[g.access]
	switch {
	case s == nil:
		s = &span{access: g.access}
		l.access[g.access] = s
		l.port(e.Port).sources++
	case s.live == 0:
		heap.Remove(&l.closed, s.index)
	}
	s.grants++
	if s.enter(e.Time); s.live == 1 {
		l.port(e.Port).enter(e.Time)
		l.port(e.Port).most.reach(l.port(e.Port).live, e.Time)
	}
}

// port returns the time of a port.
func (l *ledger) port(port packet.Port) *portSpan {
	if l.ports[port] == nil {
		l.ports[port] = &portSpan{}
	}
	return l.ports[port]
}

// fail notes that the access of a grant could not be given. One that was prolonged had it before.
func (l *ledger) fail(e *engine.Event) {
	if g := l.live[e.Grant]; g != nil && !g.extended {
		g.failed = true
	}
}

// take notes that a grant is over.
func (l *ledger) take(e *engine.Event) {
	g := l.live[e.Grant]
	if g == nil {
		return // it was given before the first event
	}
	delete(l.live, e.Grant)
	if s := l.access[g.access]; s != nil && s.leave(e.Time, !g.failed) {
		l.port(g.port).leave(e.Time, s.real)
		l.close(s, e.Time)
	}
}

// close keeps an access that its source has no more. One that never was real is left out, and the
// one that was open for the shortest time when there are too many.
func (l *ledger) close(s *span, now time.Time) {
	if s.real {
		s.last = now
	}
	if s.count == 0 {
		delete(l.access, s.access)
		l.port(s.port).sources--
		return
	}
	heap.Push(&l.closed, s)
	if len(l.closed) > MaxSources {
		shortest := heap.Pop(&l.closed).(*span)
		delete(l.access, shortest.access)
		l.forgot++
		l.forgone += shortest.open
	}
}

// times returns what was collected. What is live ends at end.
func (l *ledger) times(end time.Time) OpenTimes {
	t := OpenTimes{Grants: l.grants, Extended: l.extended, Most: l.most.most, MostAt: l.most.at, Unlisted: l.forgot, UnlistedOpen: l.forgone}
	for _, s := range l.access {
		p, last := s.until(end), s.last
		if s.live > 0 {
			last = time.Time{}
		}
		t.Sources = append(t.Sources, SourceTime{s.source, s.port, p.open, p.count, s.grants, p.first, last})
	}
	for port, s := range l.ports {
		if p := s.until(end); p.count > 0 {
			t.Ports = append(t.Ports, PortTime{port, p.open, p.count, s.sources, s.most.most, s.most.at, s.live > 0})
		}
	}
	slices.SortFunc(t.Sources, bySourceTime)
	slices.SortFunc(t.Ports, byPortTime)
	return t
}

// until returns a period as it is when what is live ends at a time.
func (p period) until(end time.Time) period {
	if p.live > 0 {
		p.live = 1
		p.leave(end, true)
	}
	return p
}
