package account

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/split"
)

// maxStrangers bounds the sources and doors of a second pass that the first pass saw nothing of.
const maxStrangers = 4096

// Again begins a second pass, which looks at all packets of these sources. What the first pass
// found to be nearly a knock of theirs is found once more.
func (b *Book) Again(sources []netip.Addr) {
	b.strangers = map[subject]*near{}
	for _, source := range sources {
		if s := b.sources[source]; s != nil {
			for _, r := range s.records {
				r.near = near{}
			}
		}
	}
}

// Near notes a judgment of a second pass. Doors are those that a packet to a port that no door has
// may concern: it does when it resembles the first knock.
func (b *Book) Near(j *engine.Judgment, doors []*engine.Door) {
	switch {
	case j.Door != nil:
		if n := b.nearOf(j.Source, j.Door); n != nil {
			n.judge(j)
		}
	case j.Ruling == engine.Ignored && (j.Why == engine.OtherPort || j.Why == engine.OtherDestination || j.Why == engine.ImpossiblePacket):
		one := *j
		for _, d := range doors {
			one.Door = d
			like := resembles(&one)
			if !like && !astray(&one) {
				continue
			}
			switch n := b.nearOf(j.Source, d); {
			case n == nil:
			case like:
				n.judge(&one)
			default:
				n.astray(&one)
			}
		}
	}
}

// resembles reports whether a packet that concerns no door may have been meant for the one of the
// judgment: to another destination as a knock of it, else as its first knock.
func resembles(j *engine.Judgment) bool {
	for i, k := range j.Door.Sequence {
		if j.Why == engine.OtherDestination && k.Port == j.Came && !j.Door.Target.IsValid() || j.Why == engine.ImpossiblePacket && k.Port == j.Came {
			return true
		}
		if j.Why == engine.OtherPort && (i == 0 || j.Door.Listen) && k.Port.Proto == j.Came.Proto && oneSlip(k.Port.Number, j.Came.Number) {
			return true
		}
	}
	return false
}

// astray reports whether a packet with two faults is to a port of the door of the judgment, and one
// fault is that it went to another address than the target of the door.
func astray(j *engine.Judgment) bool {
	return j.Door.Target.IsValid() && j.Door.Target != j.Dest && asks(j.Door, j.Came)
}

// asks reports whether the sequence of a door has a port.
func asks(d *engine.Door, port packet.Port) bool {
	return slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port == port })
}

// Unread notes a packet of a second pass that the decoder dropped.
func (b *Book) Unread(p *packet.Packet, drop packet.Drop, doors []*engine.Door) {
	why := Fragment
	// The others need nothing.
	//exhaustive:ignore
	switch drop {
	case packet.Truncated:
		why = Truncated
	case packet.Malformed:
		why = Malformed
	}
	for _, d := range doors {
		if d.Target.IsValid() && d.Target != p.Dest || !asks(d, p.Port) {
			continue
		}
		// Flags are zero when they could not be read. Other flags are another fault.
		fits := func(k engine.Knock) bool { return k.Port == p.Port && k.Flags.Holds(p.Flags) }
		twice := p.Flags != 0 && why != Malformed && !slices.ContainsFunc(d.Sequence, fits)
		if n := b.nearOf(p.Source, d); n != nil {
			n.unread(d, p, why, twice)
		}
	}
}

// nearOf returns what is collected of a source at a door. It is nil when there is no room for
// another source.
func (b *Book) nearOf(source netip.Addr, d *engine.Door) *near {
	if r := b.find(source, d.Name); r != nil {
		return &r.near
	}
	key := subject{source, d.Name}
	if n := b.strangers[key]; n != nil || len(b.strangers) == maxStrangers {
		return n
	}
	n := &near{}
	b.strangers[key] = n
	return n
}

// EndAgain ends a second pass. A source that the first pass saw nothing of has an account if it
// sent at least two packets that belong to one sequence, or all of it.
func (b *Book) EndAgain() {
	for key, n := range b.strangers {
		if n.unbegun(0) != nil {
			r := b.record(key.source, key.door)
			r.near, r.rules = *n, n.door
			r.alone++
		}
	}
	b.strangers = nil
}

// Begin notes when the input began, which is not known of the input of a daemon that runs.
func (b *Book) Begin(at time.Time) { b.began = at }

// Half notes that another source sent the rest of a knock: these packets.
func (b *Book) Half(source netip.Addr, door string, other netip.Addr, sent []split.Origin) {
	r := b.find(source, door)
	if r == nil {
		return
	}
	r.half = &half{other: other}
	for _, o := range sent {
		r.half.sent = append(r.half.sent, position{o.Packet, o.Capture})
	}
}

// Empty reports whether there is no account.
func (b *Book) Empty() bool {
	for range b.All() {
		return false
	}
	return true
}

// Knows reports whether a source knocked.
func (b *Book) Knows(source netip.Addr) bool { return b.sources[source] != nil }

// Others reports whether a source other than this one knocked.
func (b *Book) Others(source netip.Addr) bool {
	return len(b.sources) > 1 || len(b.sources) == 1 && b.sources[source] == nil
}

// Clues returns the packets of a source that were knocks of a door, or nearly.
func (b *Book) Clues(source netip.Addr, door string) []Clue {
	if r := b.find(source, door); r != nil {
		return r.near.clues()
	}
	return nil
}
