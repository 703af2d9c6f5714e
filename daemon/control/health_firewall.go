package control

import (
	"slices"
	"strings"
	"time"

	"sesame/daemon/reach"
	"sesame/daemon/transcript"
)

func firewallBroken(s *Status) []finding {
	if s.Firewall.State == "ok" || s.Firewall.State == "" {
		return nil
	}
	return one("", "firewall: %s", s.Firewall.State)
}

func firewallBlocks(s *Status) (all []finding) {
	for _, c := range s.Firewall.Conflicts {
		if m := c.Seen; m != nil {
			next := remedy("to let it through", c.Lines)
			if next != "" {
				next += "\n# then connect again: this is over when the port answers, or after an hour"
			}
			all = append(all, one(next, "a grant lets %s in at %s; the %s at %s was %s by %s",
				m.Source, m.Port, m.what(), transcript.Clock(m.Last), m.Outcome, m.Place())...)
		}
	}
	return all
}

func setFull(s *Status) (all []finding) {
	for _, f := range s.Firewall.FullSets {
		next := "raise its size in the file that makes it"
		if f.Raise != "" {
			next += ", and now run:\n" + f.Raise
		}
		all = append(all, one(next, "set %s of table %s is full (%s, size %d), so grants fail",
			transcript.Safe(f.Set), transcript.Safe(f.Table), transcript.Count(f.Elements, "element"), f.Size)...)
	}
	return all
}

func firewallMayBlock(s *Status) (all []finding) {
	for _, c := range s.Firewall.Conflicts {
		if c.Seen == nil {
			all = append(all, one(remedy("if a door opens and its port stays shut", c.Lines), "chain %s drops by default, and has no rule for granted packets",
				transcript.Safe(c.Table+" "+c.Chain))...)
		}
	}
	return all
}

// remedy returns the next step of lines to run; "" for none.
func remedy(what string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return what + ", run:\n" + strings.Join(lines, "\n")
}

func rulesUnread(s *Status) []finding {
	return because(s.Firewall.RulesUnread, "rules are named by their numbers alone")
}

func unmeasured(s *Status) []finding {
	return because(s.Firewall.Unmeasured, "what becomes of granted packets is not measured")
}

// nobodyAnswers has the ports at which a granted connection was not answered in the last hour,
// each with its latest source.
func nobodyAnswers(s *Status) (all []finding) {
	var ports []Port
	for _, m := range s.Reached {
		silent := m.Outcome == reach.Unanswered || m.Closed
		if silent && s.Now.Sub(m.Last) <= time.Hour && !slices.Contains(ports, m.Port) {
			ports = append(ports, m.Port)
			all = append(all, one("", "a grant lets %s in at %s%s", m.Source, m.Port, m.String())...)
		}
	}
	return all
}

func turnedAway(s *Status) (all []finding) {
	for _, t := range s.TurnedAway {
		all = append(all, one("", "%s", t.Text)...)
	}
	return all
}

func splitKnock(s *Status) (all []finding) {
	for _, k := range s.SplitKnocks {
		if s.Now.Sub(k.Last) <= time.Hour {
			all = append(all, one("", "at %s %s", transcript.Clock(k.Last), k.Text)...)
		}
	}
	return all
}

func unwatched(s *Status) []finding {
	return because(s.Firewall.Unwatched, "the firewall is not watched, so a change by another program is not noticed")
}

func unseen(s *Status) []finding {
	return because(s.Firewall.Unseen, "the kernel's rules cannot be looked at, so nothing is known of chains of other programs")
}

// fullShare is the share of the room for flows, in percent, from which on it counts as used up. The
// kernel then begins to drop flows that are not answered yet, and packets of new ones.
const fullShare = 95

func conntrackFull(s *Status) []finding {
	c := s.Firewall.Conntrack
	if c.Room == 0 || c.Flows*100 < c.Room*fullShare {
		return nil
	}
	return one("", "the kernel tracks %s flows and has room for %s, so packets of new flows are dropped", transcript.Number(c.Flows), transcript.Number(c.Room))
}

// because returns a finding when there is an error.
func because(err, what string) []finding {
	if err == "" {
		return nil
	}
	return one("", "%s: %s", what, err)
}

func tableChanged(s *Status) []finding {
	if s.Firewall.Repairs == 0 {
		return nil
	}
	return one("", "somebody else changed the table of sesame; it was repaired %s, last at %s", times(s.Firewall.Repairs), transcript.Clock(s.Firewall.Repaired))
}

func noInterface(s *Status) []finding {
	if len(s.Capture.Interfaces) > 0 {
		return nil
	}
	return one("", "no interface is captured: nobody can knock")
}

func missing(s *Status) (all []finding) {
	for _, name := range s.Capture.Missing {
		all = append(all, one("", "interface %s: knocks on it are not captured", name)...)
	}
	return all
}

func lost(s *Status) []finding {
	if s.Capture.Lost == 0 {
		return nil
	}
	return one("", "the kernel had no room for %s: a knock may have been among them", transcript.Count(int(s.Capture.Lost), "packet"))
}

func coarse(s *Status) []finding {
	if !s.Capture.Coarse {
		return nil
	}
	return one("", "the scripts have too many ports for the kernel's filter, so Sesame looks at every packet of their protocols itself")
}

func blind(s *Status) []finding {
	if !s.Recorder.Blind {
		return nil
	}
	return one("", "the recorder cannot keep up: a recording would end some time ago")
}
