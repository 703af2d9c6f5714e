//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// maxRefused bounds the refused sources that explain lists.
const maxRefused = 10

// maxOpened bounds the grants of which explain says what became of them. The latest stay.
const maxOpened = 100

// An opened is a grant that a replayed recording gave.
type opened struct {
	source netip.Prefix
	port   packet.Port
	door   string
	at     time.Time // engine time, the latest time
}

// openedList collects grants from events, each source and port once.
type openedList []opened

func (l *openedList) add(events []engine.Event) {
	for i := range events {
		e := &events[i]
		gives := e.Kind == engine.EventEffect && e.Effect == engine.EffectAllow
		if e.Observed || !gives && !(e.Kind == engine.EventClose && e.Reason == engine.NotDone) {
			continue
		}
		*l = slices.DeleteFunc(*l, func(o opened) bool { return o.source == e.Source && o.port == e.Port })
		if !gives {
			continue // the firewall never had it
		}
		if len(*l) == maxOpened {
			*l = slices.Delete(*l, 0, 1)
		}
		*l = append(*l, opened{e.Source, e.Port, e.Door, e.Time})
	}
}

// measured returns lines about what became of the packets that the recorded grants let in, and
// about who was refused. A daemon that does not measure has nothing to say.
func measured(s *control.Status, source control.Source, last time.Duration, grants openedList) (lines []string) {
	selected := func(a netip.Addr, at time.Time) bool {
		return (!source.IsValid() || source.Contains(a)) && (last == 0 || !at.Before(s.Now.Add(-last)))
	}
	for i := range grants {
		if line := became(s, &grants[i]); line != "" {
			lines = append(lines, line)
		}
	}
	for _, one := range s.TurnedAway {
		if selected(one.Knocked, one.Opened) || selected(one.Connected, one.Refused) {
			lines = append(lines, one.Text)
		}
	}
	shown, more := 0, 0
	for _, one := range s.Refused {
		switch {
		case !selected(one.Source.Addr(), one.Last):
		case shown == maxRefused:
			more++
		default:
			shown++
			lines = append(lines, fmt.Sprintf("%-15s  refused at %s: %s, last at %s", one.Source, one.Port,
				transcript.Count(int(one.Packets), "packet"), one.Last.UTC().Format(time.TimeOnly)))
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %s refused: sesame status --json", transcript.Count(more, "more source")))
	}
	return lines
}

// became returns what became of a grant, "" when that is not known.
func became(s *control.Status, g *opened) string {
	if !s.Firewall.Measured || g.at.After(s.Now.Add(-time.Duration(s.Offset))) {
		return ""
	}
	result := (&control.Measured{}).String()
	at := slices.IndexFunc(s.Reached, func(m control.Measured) bool {
		return m.Port.Port == g.port && g.source.Contains(m.Source) && !m.Last.Before(g.at.Add(time.Duration(s.Offset)))
	})
	switch {
	case at >= 0:
		result = s.Reached[at].String()
	case len(s.Reached) >= control.MaxReached: // the result may be one that is left out
		return ""
	}
	who := transcript.Source(g.source)
	if at >= 0 {
		who = s.Reached[at].Source.String()
	}
	by := ""
	if g.door != "" {
		by = transcript.Safe(g.door) + "  "
	}
	return fmt.Sprintf("%-15s  %sopened %s%s", who, by, g.port, indented(result))
}
