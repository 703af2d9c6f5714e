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
	account *account.Book          // nil: none is wanted, see explained
	times   *account.TimeBook      // nil: none are wanted
	judged  func(*engine.Judgment) // gets what the account gets; nil: nobody asked
	live    bool                   // the capture arrives while it is replayed: flush after every write
	only    selection
	kept    *keeper      // of packets for rehearsals; nil: a second pass keeps them, or nobody
	split   split.Finder // of knocks of two addresses; it gets all packets, selected or not
	alone   bool         // knocks of two addresses are not looked for
	refused bool         // the engine's judgment of the packet at hand: it is no packet of its own
	failed  int          // effects that failed, of all sources and times
	oneTime int          // the engine's OneTimeChanges when split got its doors
}

// newOutput returns the output of a replay; its doors are those of lookAt. Live is for captures
// that arrive while they are replayed.
func newOutput(c Config, live bool) output {
	o := output{writer: c.Writer, judged: c.Judged, live: live, only: selection{sources: c.Sources, doors: c.Doors, since: c.Since}}
	if c.Account {
		o.account, o.times = account.New(), account.NewTimeBook()
	}
	return o
}

// lookAt looks for knocks of two addresses at these doors from now on, if an account is wanted.
func (o *output) lookAt(doors []*engine.Door) {
	if o.account != nil && !o.alone {
		o.split.SetDoors(doors)
	}
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
	sources []netip.Prefix // nil: all
	doors   []string       // nil: all
	since   time.Time
	chosen  []engine.Event // reused by of
}

// all reports whether nothing is left out.
func (s *selection) all() bool { return s.sources == nil && s.doors == nil && s.since.IsZero() }

// has reports whether what concerns a source at a time is selected.
func (s *selection) has(source netip.Prefix, at time.Time) bool {
	return !at.Before(s.since) && (s.sources == nil || slices.ContainsFunc(s.sources, source.Overlaps))
}

// hasDoor reports whether a door is selected. What concerns no door in particular is.
func (s *selection) hasDoor(name string) bool {
	return s.doors == nil || name == "" || slices.Contains(s.doors, name)
}

// judged reports whether a judgment is selected.
func (s *selection) judged(j *engine.Judgment) bool {
	return s.all() || (j.Door == nil || s.hasDoor(j.Door.Name)) && s.has(netip.PrefixFrom(j.Source, j.Source.BitLen()), j.Time)
}

// of returns the selected events. They are valid until the next call.
func (s *selection) of(events []engine.Event) []engine.Event {
	if s.all() || len(events) == 0 {
		return events
	}
	s.chosen = s.chosen[:0]
	for i := range events {
		if s.has(events[i].Source, events[i].Time) && s.hasDoor(events[i].Door) {
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
	if o.kept != nil {
		o.kept.keep(p, packet.NotDropped)
	}
	o.refused = false
	events := e.Packet(p)
	if !o.refused {
		o.split.Packet(p, events, e.Ours)
	}
	o.account.Events(o.only.of(events))
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

// explained makes an engine report its judgments to the account, if one is wanted.
func (o *output) explained(e *engine.Engine) {
	if o.account != nil {
		e.Explain(func(j *engine.Judgment) {
			// The others need nothing.
			//exhaustive:ignore
			switch j.Why {
			case engine.CopyOfPacket, engine.ResentSegment, engine.ImpossiblePacket:
				o.refused = true
			}
			if !o.only.judged(j) {
				return
			}
			o.account.Judge(j)
			if o.judged != nil {
				o.judged(j)
			}
		})
	}
}

// updateDoors looks for knocks of two addresses at other doors when a one-time sequence was
// consumed: the door then expects the next sequence.
func (o *output) updateDoors(e *engine.Engine) {
	if n := e.OneTimeChanges(); n != o.oneTime {
		o.oneTime = n
		o.lookAt(e.Doors())
	}
}

// hold notes grants that were live before the recording began, or that a start restored. No event
// gives them.
func (o *output) hold(e *engine.Engine) {
	if o.times == nil {
		return
	}
	now := e.Now()
	grants := slices.DeleteFunc(e.Grants(), func(g engine.Grant) bool { return !o.only.has(g.Source, now) || !o.only.hasDoor(g.Door) })
	o.times.Hold(now, grants)
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
	if o.times != nil {
		o.times.Events(chosen)
	}
	o.writer.Events(chosen)
	if o.live {
		o.writer.Flush() // Summary returns its error
	}
}
