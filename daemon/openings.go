package daemon

import (
	"net/netip"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
	"sesame/daemon/split"
)

// maxOpenings bounds the grants that refused sources are compared with.
const maxOpenings = 128

// openings are the latest grants that doors gave, and knocks that came from two addresses. The loop
// owns them.
type openings struct {
	latest  [maxOpenings]split.Opening // a ring
	given   int                        // ever
	knocks  split.Finder
	oneTime int // the engine's OneTimeChanges when knocks took over its doors
}

// packet looks at a packet, after the engine did. It costs less than 0.1 µs.
func (o *openings) packet(p *packet.Packet, events []engine.Event, e *engine.Engine) {
	if n := e.OneTimeChanges(); n != o.oneTime {
		o.oneTime = n
		o.knocks.SetDoors(e.Doors())
	}
	o.knocks.Packet(p, events, e.Ours)
}

// events notes which grants doors gave.
func (o *openings) events(events []engine.Event) {
	var by netip.Addr
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == engine.EventOpen:
			by = e.Source.Addr()
		case e.Kind == engine.EventEffect && e.Effect == engine.EffectAllow && e.Door != "" && !e.Observed:
			who := by
			if e.Source.IsSingleIP() || !by.IsValid() {
				who = e.Source.Addr() // a door may give access to somebody else
			}
			o.latest[o.given%maxOpenings] = split.Opening{Source: who, Access: e.Source, Door: e.Door, Port: e.Port, At: e.Time}
			o.given++
		}
	}
}

// list returns the grants, the oldest first.
func (o *openings) list() []split.Opening {
	var all []split.Opening
	for i := max(0, o.given-maxOpenings); i < o.given; i++ {
		all = append(all, o.latest[i%maxOpenings])
	}
	return all
}

// turnedAway joins grants with refused sources. All times are engine time; those that are returned
// are of the wall clock.
func turnedAway(given []split.Opening, results []reach.Result, refused []firewall.Stopped, now time.Time, offset time.Duration) (all []control.TurnedAway) {
	for i := range given {
		g := &given[i]
		g.Used = reach.Of(results, g.Access, g.Port, g.At).Outcome != reach.Unused
	}
	var sources []split.Refused
	for _, r := range refused {
		sources = append(sources, split.Refused{Source: r.Source, Port: r.Port, Packets: r.Packets, Last: now.Add(-r.Ago)})
	}
	for _, c := range split.Connections(given, sources) {
		all = append(all, control.TurnedAway{
			Knocked: c.Opening.Source, Connected: c.Refused.Source, Door: c.Opening.Door, Port: control.Port{Port: c.Opening.Port},
			Opened: c.Opening.At.Add(offset).UTC(), Refused: c.Refused.Last.Add(offset).UTC(), Text: c.String(),
		})
	}
	return all
}

// splitKnocks returns the knocks of two addresses, the latest first.
func splitKnocks(knocks []split.Knock, offset time.Duration) (all []control.SplitKnock) {
	for i := range knocks {
		k := &knocks[len(knocks)-1-i]
		all = append(all, control.SplitKnock{Door: k.Door, Sources: k.Parts, Last: k.At.Add(offset).UTC(), Count: k.Count, Text: k.String()})
	}
	return all
}
