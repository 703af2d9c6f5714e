package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// A Scanned is a scan that somebody else runs: one packet to each port from From to To, both
// included, of some protocols, in random order. All of its TCP packets have the same flags.
type Scanned struct {
	Protocols []packet.Proto
	Flags     packet.Flags
	From, To  uint16
}

// GuessOf returns a function that computes what scans achieve at the doors of a set. It reports
// false for a door that no single such scan opens, and for one that has no sequence.
func GuessOf(set *scripting.Set) func(door string, s Scanned) (Scan, bool) {
	c := newChecker(set)
	return func(door string, scanned Scanned) (Scan, bool) {
		d := c.byName[door]
		s := scanned.scan()
		if d == nil || d.Listen || len(d.Sequence) == 0 || d.Payload != nil || !s.holds(d) {
			return Scan{}, false
		}
		result := c.scanned(d, s)
		return result, result.Scans != ""
	}
}

// scan returns the scan as the figures need it.
func (s *Scanned) scan() scan {
	protocols := slices.Clone(s.Protocols)
	slices.Sort(protocols)
	return scan{protocols: protocols, flags: engine.FlagTest{Set: s.Flags, Clear: ^s.Flags}, from: int(s.From), to: int(s.To)}
}

// holds reports whether each knock of a door is among the packets of a scan.
func (s scan) holds(d *engine.Door) bool {
	return !slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool {
		return !slices.Contains(s.protocols, k.Port.Proto) || !s.has(int(k.Port.Number)) ||
			k.Port.Proto == packet.TCP && !k.Flags.Holds(s.flags.Set)
	})
}
