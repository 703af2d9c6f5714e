package simulate

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// A Session is an engine in virtual time whose inputs come one after the other: single frames,
// captures, and time. It decodes and filters as [Run] does, so a test that gives it packets tests
// what the daemon does with them. A Session is not safe for concurrent use.
type Session struct {
	pass    *pass
	capture *capture // that single frames are from
	open    func(string) (*os.File, error)
	kept    *keeper       // of packets since Mark, for accounts; nil: none are wanted
	was     engine.Counts // at Mark
	scratch packet.Packet // of an input of a tape
}

// A SessionConfig says what a Session begins with. It needs Set, Begin and Events.
type SessionConfig struct {
	Set   *engine.Set
	Begin time.Time
	Local []netip.Prefix // the host's addresses; nil: every destination counts
	Facts engine.Facts   // nil: nothing is known
	// Unsynchronised means that the time of day is in doubt: see [engine.Engine.Clock].
	Unsynchronised bool
	// Result returns how an effect ends: nil when it succeeds. Without it all succeed.
	Result func(*engine.Event) error
	// Events gets all events, in order. They are valid only during the call.
	Events func([]engine.Event)
	// Before is called before each packet, or several that no door watches, and before each timer
	// that fires. Its error ends what the session does: captures can be of any length, and scripts
	// can make timers without end. nil: nobody asks.
	Before func(packets, timers int) error
	// Checked gets each condition that is checked, and its outcome; nil: nobody asked.
	Checked func(engine.Condition, engine.Outcome)
	// Open opens a capture by its path; nil: package openfile does, when it is a regular file.
	Open func(path string) (*os.File, error)
	// Explain makes [Session.Accounts] possible. It costs as [Config.Account] does. Judged is
	// [Config.Judged].
	Explain bool
	Judged  func(*engine.Judgment)
	// Alone leaves out of the accounts what other sources sent of the knocks of a source. To look
	// for it costs more than all else when many sources knock at once.
	Alone bool
}

// NewSession returns a session at its begin.
func NewSession(c SessionConfig) *Session {
	config := Config{Set: c.Set, Local: c.Local, Facts: c.Facts, Writer: eventWriter(c.Events), Account: c.Explain, Judged: c.Judged}
	s := &Session{pass: newUnfiltered(config, nil), capture: &capture{}, open: c.Open}
	s.pass.before = c.Before
	r := &s.pass.replay
	r.outcome, r.alone = c.Result, c.Alone
	r.begin(c.Begin, c.Set, c.Local)
	r.engine.Checked(c.Checked)
	if c.Unsynchronised {
		r.prepare(c.Begin, r.engine.Clock(c.Begin, true))
	}
	s.Mark()
	return s
}

// expectFrames makes what frames need and decoded packets do not. A session that gets none is made
// in a third of the time.
func (s *Session) expectFrames() {
	p := s.pass
	if p.config.Account && s.kept == nil {
		s.kept = newKeeper(p.config.Set)
	}
	if p.filter != nil {
		return
	}
	p.addFilter()
	if p.config.Account {
		slips := filter.New(slipped(p.config.Set))
		first := p.wants
		p.wants = func(link packet.LinkType, frame []byte) bool { return first(link, frame) || slips.Match(link, frame) }
		p.seen = func(p *packet.Packet, drop packet.Drop) { s.kept.keep(p, drop) }
	}
}

// An eventWriter is a [Writer] of events alone.
type eventWriter func([]engine.Event)

// Events passes events on. Begin, Flush and Summary do nothing.
func (w eventWriter) Events(events []engine.Event)   { w(events) }
func (eventWriter) Begin(_, _ []string)              {}
func (eventWriter) Flush() error                     { return nil }
func (eventWriter) Summary(transcript.Summary) error { return nil }

// Now returns the time up to which everything has happened.
func (s *Session) Now() time.Time { return s.pass.replay.last }

// Doors returns the doors with what they expect now: one with one-time sequences has the next of
// them alone, or none when all were used.
func (s *Session) Doors() []*engine.Door {
	doors := s.pass.replay.engine.Doors()
	for i, d := range doors {
		if d.OneTime == nil {
			continue
		}
		now, next := *d, engine.OneTime{File: d.OneTime.File}
		if len(d.Sequence) > 0 {
			next.Sequences = []engine.OneTimeSequence{{Knocks: d.Sequence}}
		}
		now.OneTime = &next
		doors[i] = &now
	}
	return doors
}

// Until lets time pass. A time that is over changes nothing. The error is that of
// [SessionConfig.Before].
func (s *Session) Until(at time.Time) error {
	err := s.pass.until(at)
	if err == nil {
		s.pass.replay.reach(at)
	}
	return err
}

// Frame gives a frame as it arrives, at a time that is not over. Number is that of the packet in
// the transcript. The error is that of [SessionConfig.Before].
func (s *Session) Frame(at time.Time, number int, link packet.LinkType, data []byte) error {
	if err := s.pass.admit(at); err != nil {
		return err
	}
	s.expectFrames()
	s.pass.replay.reach(at)
	s.pass.packets++
	f := record.Frame{Link: link, Data: data, Wire: len(data), Number: number}
	if s.pass.wants(link, data) {
		s.pass.decode(s.capture, &f, at)
	} else {
		s.pass.dropped[packet.NotWatched]++
	}
	return nil
}

// Packet gives a decoded packet that a door may watch. Its Time is not over, and its Number is that
// in the transcript. It does what Frame does with its frame, but keeps nothing for suggestions: see
// [Session.Accounts]. The error is that of [SessionConfig.Before].
func (s *Session) Packet(p *packet.Packet) error {
	if err := s.pass.admit(p.Time); err != nil {
		return err
	}
	s.pass.replay.reach(p.Time)
	s.pass.packets++
	s.pass.replay.packet(p)
	return nil
}

// Unwatched counts packets that no door watches, the last of which comes at a time. It does what
// Frame does with the frame of each of them, for all of them at once. Accounts do not have them.
func (s *Session) Unwatched(count int, last time.Time) error {
	if count == 0 {
		return nil
	}
	if before := s.pass.before; before != nil {
		if err := s.pass.until(last); err != nil {
			return err
		}
		if err := before(count, 0); err != nil {
			return err
		}
	}
	s.pass.replay.reach(last)
	s.pass.packets += count
	s.pass.dropped[packet.NotWatched] += count
	return nil
}

// End ends the attempts, as the end of a capture does, and runs time on until the last grant has
// ended. Timers of scripts fire until that long after the last packet. The session gets nothing
// after it.
func (s *Session) End(until time.Duration) { s.pass.replay.end(until) }

// Replay replays a capture so that its first packet comes at a time that is not over. The error
// means that it cannot be opened, or not be read to its end: the packets before were replayed. When
// ctx ends, it is the error of ctx, and else it can be that of [SessionConfig.Before].
func (s *Session) Replay(ctx context.Context, path string, at time.Time) error {
	opened, err := openBy(s.open, path)
	if err != nil {
		return err
	}
	defer opened.close()
	s.expectFrames()
	p := s.pass
	p.captures, p.incomplete, p.config.At = opened, nil, at
	p.read(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(p.incomplete) > 0:
		return p.incomplete[0]
	}
	return opened[0].unjudged.unread(path, opened[0].reader.Frames())
}

// Mark begins a part of the session: [Session.Summary] and [Session.Accounts] are about what comes
// after it.
func (s *Session) Mark() {
	p := s.pass
	s.was, p.packets, p.dropped = p.replay.engine.Counts(), 0, [packet.Drops]int{}
	if p.config.Account {
		p.replay.account, s.kept = account.New(), nil
		p.replay.account.Begin(p.replay.last)
	}
}

// Summary returns the totals since [Session.Mark].
func (s *Session) Summary() transcript.Summary {
	p := s.pass
	sum := summary(p.packets, p.replay.engine.Counts(), s.was)
	for d := range packet.Drops {
		sum.Dropped[d] += p.dropped[d]
	}
	return sum
}

// Accounts returns what became of each source at each door since [Session.Mark], those that came
// furthest first. When frames came since then, it has the smallest change that would have opened
// the door. It needs [SessionConfig.Explain]. It is shorter when stopped returns an error.
func (s *Session) Accounts(stopped func() error) []*account.Account {
	p := s.pass
	book := p.replay.account
	halves := p.replay.splitKnocks()
	addHalves(book, halves)
	if s.kept != nil {
		r := &rehearsals{set: p.config.Set, local: p.config.Local, own: p.replay.own, facts: p.replay.facts, left: leastRehearsed, stopped: stopped}
		r.nearly(book, s.kept)
		r.suggest(book, s.kept, halves)
	}
	return slices.Collect(book.All())
}

// Hints returns a line for each kind of fact that scripts asked for and nobody gave.
func (s *Session) Hints() string { return s.pass.replay.facts.hints() }

// AccountOf returns what became of one source at one door since [Session.Mark], without a change
// that would have opened it; nil when there is nothing to tell. It needs [SessionConfig.Explain].
func (s *Session) AccountOf(source netip.Addr, door string) *account.Account {
	return s.pass.replay.account.Of(source, door)
}

// Begins returns the time stamp of the first packet of a capture. The error means that it cannot be
// opened, or that it has none. Open is that of [SessionConfig].
func Begins(open func(path string) (*os.File, error), path string) (time.Time, error) {
	opened, err := openBy(open, path)
	if err != nil {
		return time.Time{}, err
	}
	defer opened.close()
	first, err := opened[0].reader.Next()
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: reading its first packet: %w", path, err)
	}
	return first.Time(), nil
}
