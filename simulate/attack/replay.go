package attack

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Replay sends the knocks of an opening again, changed in one way.
type Replay struct {
	Opening *Opening
	Name    string // what is changed, for people and programs
	// Again means that the knocks were made before, and come once more. Else they come in place of
	// those.
	Again  bool
	change func([]packet.Packet) []packet.Packet
}

// How long after an opening its knocks come again.
const (
	atOnce    = time.Second
	soon      = time.Minute
	later     = time.Hour
	nextDay   = 24 * time.Hour
	elsewhere = "elsewhere"
)

// Replays returns what an attacker who saw an opening can do, and what a person may do wrong.
// Other is the address of the attacker. In place of one of the other family a stranger sends.
func Replays(o *Opening, other netip.Addr) []Replay {
	if other.Is4() != o.Source.Is4() {
		other = StrangerFor(o.Source)
	}
	all := []Replay{
		{o, "again", true, shifted(atOnce, netip.Addr{})},
		{o, "fresh", true, fresh},
		{o, "hour_later", true, shifted(later, netip.Addr{})},
		{o, "day_later", true, shifted(nextDay, netip.Addr{})},
		{o, elsewhere, true, shifted(soon, other)},
	}
	if len(o.Packets) < 2 {
		return all
	}
	if !isPalindrome(o.Packets) {
		all = append(all, Replay{o, "reversed", false, reversed})
	}
	return append(all,
		Replay{o, "without_last", false, func(p []packet.Packet) []packet.Packet { return p[:len(p)-1] }},
		Replay{o, "without_first", false, func(p []packet.Packet) []packet.Packet { return p[1:] }})
}

// shifted returns a change: the first packet comes some time after the last one was sent. A valid
// source sends them.
func shifted(by time.Duration, source netip.Addr) func([]packet.Packet) []packet.Packet {
	return func(packets []packet.Packet) []packet.Packet {
		by := by + packets[len(packets)-1].Time.Sub(packets[0].Time)
		for i := range packets {
			p := &packets[i]
			p.Time = p.Time.Add(by)
			if source.IsValid() {
				p.Source, p.Digest = source, 0 // it is another packet, and the digest would be another
			}
		}
		return packets
	}
}

// fresh returns the packets of a client that knocks anew at once. Those that are sent with the same
// bytes are forgiven then, as retransmits.
func fresh(packets []packet.Packet) []packet.Packet {
	packets = shifted(atOnce, netip.Addr{})(packets)
	for i := range packets {
		p := &packets[i]
		p.Digest, p.SourcePort = 0, max(p.SourcePort^1, 1)
		if p.Port.Proto == packet.TCP {
			p.Sequence ^= 1 << 31
		}
	}
	return packets
}

// reversed exchanges the packets at the times that they had.
func reversed(packets []packet.Packet) []packet.Packet {
	times := make([]time.Time, len(packets))
	for i := range packets {
		times[i] = packets[i].Time
	}
	slices.Reverse(packets)
	for i := range packets {
		packets[i].Time = times[i]
	}
	return packets
}

func isPalindrome(packets []packet.Packet) bool {
	for i := range packets {
		a, b := &packets[i], &packets[len(packets)-1-i]
		if a.Port != b.Port || a.Flags != b.Flags || string(a.Payload) != string(b.Payload) {
			return false
		}
	}
	return true
}

// Run returns what a replay does to the doors.
func (r *Replay) Run(t Target) Outcome {
	o := r.Opening
	before := slices.Clone(o.before)
	if r.Again {
		before = append(before, o.Packets...)
	} else if i := slices.IndexFunc(t.Set.Doors, func(d *engine.Door) bool { return d.Name == o.Door }); i >= 0 {
		before = slices.DeleteFunc(before, func(p packet.Packet) bool { return o.standsIn(t.Set.Doors[i], &p) })
	}
	return t.play(before, r.change(slices.Clone(o.Packets)))
}

// standsIn reports whether a packet could take the place of a knock that is left out: the source
// made a knock of the door twice, or in an attempt shortly before.
func (o *Opening) standsIn(d *engine.Door, p *packet.Packet) bool {
	if p.Source != o.Source || p.Time.Before(o.Packets[0].Time.Add(-d.Within)) {
		return false
	}
	for k := range d.Knocks() {
		if k.Port == p.Port {
			return true
		}
	}
	return false
}

// play replays packets, and returns what the second ones of them did. Both are sent in the order of
// their times.
func (t *Target) play(before, sent []packet.Packet) Outcome {
	type numbered struct {
		packet.Packet
		attack bool
	}
	var all []numbered
	for _, p := range before {
		all = append(all, numbered{p, false})
	}
	for _, p := range sent {
		all = append(all, numbered{p, true})
	}
	slices.SortStableFunc(all, func(a, b numbered) int { return a.Time.Compare(b.Time) })
	counts, ours := newTally(t.Set), false
	counts.start(sent[0].Time)
	session := t.session(all[0].Packet, func(events []engine.Event) {
		if ours {
			counts.add(events)
		}
	})
	mine, others := 0, len(sent) // numbers of packets
	for i := range all {
		if ours = all[i].attack; ours {
			mine++
			give(session, all[i].Packet, mine)
		} else {
			others++
			give(session, all[i].Packet, others)
		}
	}
	return counts.outcome()
}

// Sender returns who sends the knocks again.
func (r *Replay) Sender() netip.Addr { return r.change(slices.Clone(r.Opening.Packets))[0].Source }

// ByDesign reports whether it is in the nature of knocking that a replay opens a door: its knocks
// opened it before, and are not used up by that. It is never in its nature that fewer knocks, or
// others, open the door whose knocks they were.
func (r *Replay) ByDesign(set *engine.Set, door string) bool {
	if !slices.Contains(r.Opening.doors, door) {
		return false
	}
	if !r.Again {
		return door != r.Opening.Door
	}
	return !slices.ContainsFunc(set.Doors, func(d *engine.Door) bool { return d.Name == door && d.OneTime != nil })
}
