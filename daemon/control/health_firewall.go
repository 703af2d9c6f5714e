package control

import (
	"strings"

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
		all = append(all, one("to let it through, run:\n"+strings.Join(c.Lines, "\n"),
			"chain %s of table %s drops by default, so what a door opens stays shut", c.Chain, c.Table)...)
	}
	return all
}

func unwatched(s *Status) []finding {
	return because(s.Firewall.Unwatched, "the firewall is not watched, so a change by another program is not noticed")
}

func unseen(s *Status) []finding {
	return because(s.Firewall.Unseen, "the chains of other programs cannot be looked at")
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
