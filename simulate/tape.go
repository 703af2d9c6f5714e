package simulate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A tape keeps at most so many packets that a door watches, and bytes of their payloads. Each run
// of a perturbation holds an order of them beside it.
const (
	mostTaped        = 100_000
	mostTapedPayload = 64 << 20
)

// A Tape is what captures give to an engine: read, filtered and decoded once, so that it can be
// replayed many times, as it was or changed. Several goroutines may read it.
type Tape struct {
	Inputs []Input  // in their order, the times too
	Names  []string // of several captures, as [Writer] gets them
	// Report has what there is to tell of the captures: what could not be read, and clocks that
	// were set back. Its totals are without what the engine counts.
	Report *Report

	begin, end time.Time
	config     Config
	payloads   bool // some door reads them
	bytes      int  // of payloads
	clamped    int
	most       tapeRoom
	full       error
}

// A tapeRoom is what a tape has room for.
type tapeRoom struct{ packets, payload int }

// An Input is a packet that a door watches, or what else a recording tells of its time, such as a
// change of the host's addresses. The zero time of a Packet is not looked at: At counts.
type Input struct {
	At     time.Time
	Packet *packet.Packet // nil: the input is no packet
	change func(r *replay, at time.Time)
}

// ReadTape reads the captures of a Config, which needs its Set. What follows the packets is that of
// the sessions that get the tape: Writer, Account and the like count for nothing. It fails when a
// capture cannot be opened, and when there is more than a tape keeps. When ctx ends, the report has
// incomplete captures.
func ReadTape(ctx context.Context, c Config) (*Tape, error) {
	return readTape(ctx, c, tapeRoom{mostTaped, mostTapedPayload})
}

func readTape(ctx context.Context, c Config, room tapeRoom) (*Tape, error) {
	captures, err := c.open()
	if err != nil {
		return nil, err
	}
	defer captures.close()
	c.Writer, c.Account, c.Lines, c.Trace = &firstOpening{}, false, nil, nil
	t := &Tape{Names: captures.names(), config: c, payloads: readsPayloads(c.Set.Doors), most: room}
	p := newPass(c, captures)
	p.replay.tape = t
	p.before = func(int, int) error { return t.full }
	p.read(ctx)
	if t.full != nil {
		return nil, t.full
	}
	t.Report = p.report()
	if path := c.recordedAlone(captures); path != "" {
		t.Report.Used = usedUp(ctx, path, c.Set, t.Report)
	}
	t.Report.Clamped = t.clamped
	t.begin, t.end = p.replay.began, p.replay.last
	return t, nil
}

// readsPayloads reports whether some door reads the payload of a packet.
func readsPayloads(doors []*engine.Door) bool {
	return slices.ContainsFunc(doors, func(d *engine.Door) bool { return d.Payload != nil || d.Handler != nil })
}

// add keeps a packet.
func (t *Tape) add(p *packet.Packet) {
	if len(t.Inputs) >= t.most.packets || t.payloads && t.bytes+len(p.Payload) > t.most.payload {
		t.full = fmt.Errorf("the captures have more packets that a door watches than are kept: %s, with %s. Take a shorter part of them, such as one hour, by editcap -A and -B",
			transcript.Count(t.most.packets, "packet"), transcript.Count(t.most.payload, "byte"))
		return
	}
	one := *p
	one.Payload = nil
	if t.payloads {
		one.Payload = slices.Clone(p.Payload)
		t.bytes += len(p.Payload)
	}
	if n := len(t.Inputs); n > 0 && one.Time.Before(t.Inputs[n-1].At) {
		one.Time = t.Inputs[n-1].At // as the engine takes it
		t.clamped++
	}
	t.Inputs = append(t.Inputs, Input{At: one.Time, Packet: &one})
}

// Length returns how long the tape lasts.
func (t *Tape) Length() time.Duration { return t.end.Sub(t.begin) }

// Session returns a session that can get the inputs of the tape. Its config needs no Begin and no
// Local: those of the tape count.
func (t *Tape) Session(c SessionConfig) *Session {
	c.Begin, c.Local = t.begin, t.config.Local
	return NewSession(c)
}

// Arrive gives an input of a tape at a time that is not over, with another source than on the tape
// if one is given. The error is that of [SessionConfig.Before].
func (s *Session) Arrive(in *Input, at time.Time, source netip.Addr) error {
	if in.Packet == nil {
		in.change(&s.pass.replay, at)
		return nil
	}
	s.scratch = *in.Packet
	if s.scratch.Time = at; source.IsValid() {
		s.scratch.Source = source
	}
	return s.Packet(&s.scratch)
}

// EndOf ends the session as the captures of a tape end, or later when it is later already, and
// returns its totals, with the packets that are not on the tape.
func (s *Session) EndOf(t *Tape) transcript.Summary {
	s.pass.replay.reach(t.end)
	s.End(t.config.Until)
	sum, rest := s.Summary(), t.Report
	sum.Packets += rest.Packets - t.packets()
	for d := range packet.Drops {
		sum.Dropped[d] += rest.Dropped[d]
	}
	sum.Unreadable = rest.Summary.Unreadable
	return sum
}

// packets returns how many packets are on the tape.
func (t *Tape) packets() (n int) {
	for i := range t.Inputs {
		if t.Inputs[i].Packet != nil {
			n++
		}
	}
	return n
}

// Doors returns the names of the doors, as [Writer] gets them.
func (t *Tape) Doors() []string { return namesOf(t.config.Set.Doors) }

// tell changes what an engine knows beside the packets, now and when the tape is replayed.
func (r *replay) tell(now time.Time, change func(r *replay, at time.Time)) {
	if r.tape != nil {
		r.tape.Inputs = append(r.tape.Inputs, Input{At: now, change: change})
	}
	change(r, now)
}
