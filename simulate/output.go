package simulate

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A teller hands on what an engine decides, to the transcript and the account.
type teller struct {
	out     Writer
	account *account // nil: nobody asked
	live    bool     // somebody may watch: hand lines on at once
	only    selection
	spends  int // of the engine, when the account took over its doors
}

func newTeller(c Config, doors []*engine.Door, live bool) teller {
	t := teller{out: c.Writer, live: live, only: selection{source: c.Source.Masked(), since: c.Since}}
	if c.Account {
		t.account = newAccount(doors)
	}
	return t
}

// namesOf returns the names of doors, in their order.
func namesOf(doors []*engine.Door) []string {
	names := make([]string, len(doors))
	for i, d := range doors {
		names[i] = d.Name
	}
	return names
}

// A selection is what somebody wants to be told of. The zero one is everything.
type selection struct {
	source netip.Prefix
	since  time.Time
	chosen []engine.Event // reused
}

// all reports whether nothing is left out.
func (s *selection) all() bool { return !s.source.IsValid() && s.since.IsZero() }

// has reports whether something that a source did at a time is chosen.
func (s *selection) has(source netip.Prefix, at time.Time) bool {
	return (!s.source.IsValid() || s.source.Overlaps(source)) && !at.Before(s.since)
}

// of returns those of the events that are chosen, valid until the next call.
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

// packet gives an engine a packet, and tells what it decides.
func (t *teller) packet(e *engine.Engine, p *packet.Packet) []engine.Event {
	if t.account == nil {
		events := e.Packet(p)
		t.write(events)
		return events
	}
	t.account.ours = e.Ours(p.Dest)
	before := e.Counts()
	events := e.Packet(p)
	after := e.Counts()
	counted := before.Dropped[packet.NotLocal] == after.Dropped[packet.NotLocal] &&
		before.Dropped[packet.Retransmit] == after.Dropped[packet.Retransmit]
	chosen := t.only.of(events)
	if t.only.all() || t.only.has(netip.PrefixFrom(p.Source, p.Source.BitLen()), p.Time) {
		t.account.packet(p, counted, chosen)
	} else {
		t.account.after(chosen)
	}
	t.follow(e)
	t.write(events)
	return events
}

// follow lets the account go on with the sequences that doors go on with.
func (t *teller) follow(e *engine.Engine) {
	if n := e.OneTimeChanges(); t.account != nil && n != t.spends {
		t.spends = n
		t.account.swap(e.Doors(), engine.Used)
	}
}

// tell tells what no packet caused.
func (t *teller) tell(events []engine.Event) {
	if t.account != nil {
		t.account.after(t.only.of(events))
	}
	t.write(events)
}

// write writes events before the next input makes them invalid.
func (t *teller) write(events []engine.Event) {
	chosen := t.only.of(events)
	if len(chosen) == 0 {
		return
	}
	t.out.Events(chosen)
	if t.live {
		t.out.Flush() // its error comes back from Summary
	}
}
