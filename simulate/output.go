package simulate

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/split"
	"sesame/simulate/account"
)

// An output passes the decisions of an engine on, to the transcript and to the account.
type output struct {
	writer  Writer
	account *account.Book // nil: none is wanted
	live    bool          // the capture arrives while it is replayed: flush after every write
	only    selection
	split   split.Finder // of knocks of two addresses; it gets all packets, selected or not
	failed  int          // effects that failed, of all sources and times
	oneTime int          // the engine's OneTimeChanges when the account took over its doors
}

// newOutput returns the output of a replay through these doors. Live is for captures that arrive
// while they are replayed.
func newOutput(c Config, doors []*engine.Door, live bool) output {
	o := output{writer: c.Writer, live: live, only: selection{source: c.Source.Masked(), since: c.Since}}
	if c.Account {
		o.account = account.New(doors)
		o.split.SetDoors(doors)
	}
	return o
}

// namesOf returns the names of doors, in their order.
func namesOf(doors []*engine.Door) []string {
	names := make([]string, len(doors))
	for i, d := range doors {
		names[i] = d.Name
	}
	return names
}

// A selection defines which events the transcript and the account get. The zero selection is all.
type selection struct {
	source netip.Prefix
	since  time.Time
	chosen []engine.Event // reused by of
}

// all reports whether nothing is left out.
func (s *selection) all() bool { return !s.source.IsValid() && s.since.IsZero() }

// has reports whether an event of a source at a time is selected.
func (s *selection) has(source netip.Prefix, at time.Time) bool {
	return (!s.source.IsValid() || s.source.Overlaps(source)) && !at.Before(s.since)
}

// of returns the selected events. They are valid until the next call.
func (s *selection) of(events []engine.Event) []engine.Event {
	if s.all() || len(events) == 0 {
		return events
	}
	s.chosen = s.chosen[:0]
	for i := range events {
		if s.has(events[i].Source, events[i].Time) {
			s.chosen = append(s.chosen, events[i])
		}
	}
	return s.chosen
}

// packet gives a packet to an engine, reports the decisions and returns all of them.
func (o *output) packet(e *engine.Engine, p *packet.Packet) []engine.Event {
	if o.account == nil {
		events := e.Packet(p)
		o.write(events)
		return events
	}
	// The engine returns no event for a packet that it dropped. Its counters show whether the doors
	// saw the packet.
	before := e.Counts()
	events := e.Packet(p)
	after := e.Counts()
	counted := before.Dropped[packet.NotLocal] == after.Dropped[packet.NotLocal] &&
		before.Dropped[packet.Malformed] == after.Dropped[packet.Malformed] &&
		before.Dropped[packet.Retransmit] == after.Dropped[packet.Retransmit]
	if counted {
		o.split.Packet(p, events, e.Ours)
	}
	chosen := o.only.of(events)
	if o.only.all() || o.only.has(netip.PrefixFrom(p.Source, p.Source.BitLen()), p.Time) {
		o.account.Packet(p, counted, e.Ours(p.Dest), chosen)
	} else {
		o.account.Events(chosen)
	}
	o.updateDoors(e)
	o.write(events)
	return events
}

// splitKnocks returns the knocks of two addresses one of which is selected.
func (o *output) splitKnocks() (all []split.Knock) {
	if o.account == nil {
		return nil
	}
	for _, k := range o.split.Knocks() {
		if slices.ContainsFunc(k.Parts, func(a netip.Addr) bool { return o.only.has(netip.PrefixFrom(a, a.BitLen()), k.At) }) {
			all = append(all, k)
		}
	}
	return all
}

// updateDoors gives the account the engine's doors again when a one-time sequence was consumed: the
// door then expects the next sequence.
func (o *output) updateDoors(e *engine.Engine) {
	if n := e.OneTimeChanges(); o.account != nil && n != o.oneTime {
		o.oneTime = n
		o.setDoors(e, engine.Used)
	}
}

// setDoors gives the account the engine's doors, which have changed.
func (o *output) setDoors(e *engine.Engine, why engine.Reason) {
	if o.account != nil {
		o.account.Swap(e.Doors(), why)
		o.split.SetDoors(e.Doors())
	}
}

// report passes on events that no packet caused.
func (o *output) report(events []engine.Event) {
	if o.account != nil {
		o.account.Events(o.only.of(events))
	}
	o.write(events)
}

// write passes events on to the transcript alone. They are valid until the engine's next input, so
// the writer must not hold on to them.
func (o *output) write(events []engine.Event) {
	for i := range events {
		if events[i].Kind == engine.EventFailed {
			o.failed++
		}
	}
	chosen := o.only.of(events)
	if len(chosen) == 0 {
		return
	}
	o.writer.Events(chosen)
	if o.live {
		o.writer.Flush() // Summary returns its error
	}
}
