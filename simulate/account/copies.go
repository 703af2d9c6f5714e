package account

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// maxSightings bounds the packets of a source that came again and are named.
const maxSightings = 8

// Sightings are packets that came before: how many, and the latest ones.
type sightings struct {
	count int
	some  []sighting
}

// A sighting is a packet that came again, and the one that it repeats.
type sighting struct {
	at, original position
	port         packet.Port
	number       int // among those of its kind, from 1
}

// again notes a packet that came before. It concerns all doors that have its port.
func (s *source) again(j *engine.Judgment) {
	to := &s.copies
	if j.Why == engine.ResentSegment {
		to = &s.resent
	}
	to.count++
	if len(to.some) == maxSightings {
		to.some = slices.Delete(to.some, 0, 1)
	}
	to.some = append(to.some, sighting{positionOf(j), position{j.Original.Packet, j.Original.Capture}, j.Came, to.count})
}

// at returns those to a port of a door, but for the first ones.
func (s *sightings) at(d *engine.Door, first int) []sighting {
	var all []sighting
	for _, one := range s.some {
		if one.number > first && slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port == one.port }) {
			all = append(all, one)
		}
	}
	return all
}

// againLines names the packets that were no knocks of a door since they came before. After an
// opening a single one is what an honest client sends, so nothing is said of it.
func (r *record) againLines() []string {
	if r.rules == nil {
		return nil
	}
	var lines []string
	resent, copies := r.source.resent.at(r.rules, r.resent), r.source.copies.at(r.rules, r.copies)
	if n := len(resent); n > 1 || n == 1 && r.openings.count == 0 {
		lines = append(lines, pairs(resent, "a retransmit", "retransmits")+" (same source port and sequence number), and no knock; "+
			"a client that knocks again must choose others (scapy: sport=RandShort())")
	}
	if n := len(copies); n > 0 && r.openings.count == 0 {
		lines = append(lines, pairs(copies, "a copy", "copies")+": captured twice, as on a bridge and its port; a copy is no knock")
	}
	return lines
}

// pairs returns "packets 5 and 7 are retransmits of packets 1 and 3".
func pairs(all []sighting, one, several string) string {
	var these, those []position
	for _, s := range all {
		these, those = append(these, s.at), append(those, s.original)
	}
	if len(all) == 1 {
		return positions(these) + " is " + one + " of " + positions(those)
	}
	return positions(these) + " are " + several + " of " + positions(slices.Compact(those))
}
