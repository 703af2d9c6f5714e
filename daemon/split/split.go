// Package split turns packets, openings and refused sources into what one client probably sent from
// two addresses: a knock of which each address sent a part, and a connection that came from another
// address than the knock before it.
//
// Translation of addresses by a carrier, a VPN and two address families are the usual causes. All
// results are guesses for people, and say so. Nothing is decided by them. Where the packets fit
// more than one pair of addresses, there is no result.
package split

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

const (
	// remembered bounds the packets that a Finder compares. A flood leaves no room for others, so
	// nothing is found in it.
	remembered = 256
	// maxKnocks bounds the results of a Finder. The oldest goes first.
	maxKnocks = 20
	// looksPerSecond bounds the comparisons, each of which looks at all remembered packets.
	looksPerSecond = 50
	// longest is the time between the first and the last knock beyond which packets are not taken
	// for one knock, whatever the door allows.
	longest = 5 * time.Minute
)

// A Knock is a sequence of a door that two addresses knocked together.
type Knock struct {
	Door  string
	Parts []netip.Addr // the source of each knock of the sequence; two different ones
	Came  []Origin     // the packet of each knock, the latest time
	At    time.Time    // of the last knock, the latest time
	// Packet and Capture are those of the last knock, the latest time.
	Packet, Capture int
	Count           int // how often
}

// An Origin names a packet: its number in its capture, and that of the capture.
type Origin struct{ Packet, Capture int }

// A Finder finds knocks of two addresses among the packets that an engine is given. It needs memory
// for twice 256 packets, and 20 results. The zero Finder has no doors.
type Finder struct {
	doors  map[packet.Port][]*engine.Door // by the port of their last knock
	recent [remembered]sighting           // a ring
	seen   int                            // packets ever
	second time.Time                      // when the present second of comparisons began
	looks  int                            // in it
	found  []Knock
	window []sighting // reused by before
}

// A sighting is what is remembered of a packet. One without a source was used for a result.
type sighting struct {
	at           time.Time
	source, dest netip.Addr
	sequence     uint32
	sourcePort   uint16
	port         packet.Port
	flags        packet.Flags
	origin       Origin
}

// SetDoors replaces the doors. Results stay. It must be called again when a one-time sequence was
// consumed, since the next sequence may end at another port.
func (f *Finder) SetDoors(doors []*engine.Door) {
	f.doors = make(map[packet.Port][]*engine.Door)
	for _, d := range doors {
		if n := len(d.Sequence); n > 1 && !d.Listen {
			last := d.Sequence[n-1].Port
			f.doors[last] = append(f.doors[last], d)
		}
	}
}

// Knocks returns the results, the oldest first.
func (f *Finder) Knocks() []Knock { return slices.Clone(f.found) }

// Packet handles a packet and the events that it caused, after the engine did. ours reports whether
// an address is one of this host. Packets must come in the order of their times.
func (f *Finder) Packet(p *packet.Packet, events []engine.Event, ours func(netip.Addr) bool) {
	s := sighting{p.Time, p.Source, p.Dest, p.Sequence, p.SourcePort, p.Port, p.Flags, Origin{p.Number, p.Capture}}
	f.recent[f.seen%remembered] = s
	f.seen++
	for _, d := range f.doors[p.Port] {
		if completed(events, d.Name) || !d.Holds(len(d.Sequence)-1, p) || !d.Accepts(p.Dest, ours(p.Dest)) || !f.mayLook(p.Time) {
			continue
		}
		if k, ok := f.match(d, s, ours); ok {
			k.Packet, k.Capture = p.Number, p.Capture
			f.add(k)
		}
	}
}

// completed reports whether a packet completed the sequence of a door.
func completed(events []engine.Event, door string) bool {
	return slices.ContainsFunc(events, func(e engine.Event) bool {
		return e.Door == door && (e.Kind == engine.EventOpen || e.Kind == engine.EventRefuse || e.Kind == engine.EventError)
	})
}

// mayLook counts a comparison, and reports whether the present second has room for it.
func (f *Finder) mayLook(now time.Time) bool {
	if since := now.Sub(f.second); since < 0 || since >= time.Second {
		f.second, f.looks = now, 0
	}
	f.looks++
	return f.looks <= looksPerSecond
}

// match looks for the one other source whose packets, together with those of the source of last,
// are the sequence of a door.
func (f *Finder) match(d *engine.Door, last sighting, ours func(netip.Addr) bool) (found Knock, ok bool) {
	window := f.before(d, last, ours)
	var tried []netip.Addr
	for i := range window {
		other := window[i].source
		if other == last.source || slices.Contains(tried, other) {
			continue
		}
		tried = append(tried, other)
		parts, came := partsOf(d, window, other, last.source)
		if parts == nil || len(parts) == 2 && !Near(other, last.source) {
			continue
		}
		if ok {
			return Knock{}, false // two pairs fit, so neither is probable
		}
		found, ok = Knock{Door: d.Name, Parts: parts, Came: came, At: last.at, Count: 1}, true
	}
	if ok {
		f.use(found, last)
	}
	return found, ok
}

// before returns the packets that may belong to one knock, which ends with last, the oldest first.
// They went to the same destination, or over the other address family to another address that the
// door accepts. What the kernel of a client sent again is left out. They are valid until the next
// call.
func (f *Finder) before(d *engine.Door, last sighting, ours func(netip.Addr) bool) []sighting {
	within := d.Within
	if within <= 0 || within > longest {
		within = longest
	}
	all := f.window[:0]
	for i := max(0, f.seen-remembered); i < f.seen; i++ {
		s := &f.recent[i%remembered]
		if !s.source.IsValid() || last.at.Sub(s.at) >= within {
			continue
		}
		if s.dest != last.dest && !(otherFamily(s.dest, last.dest) && d.Accepts(s.dest, ours(s.dest))) {
			continue
		}
		if s.port.Proto != packet.TCP || !s.isAmong(all) {
			all = append(all, *s)
		}
	}
	f.window = all
	return all
}

// isAmong reports whether one of all is the same segment.
func (s *sighting) isAmong(all []sighting) bool {
	for i := range all { // a range of values would copy each
		o := &all[i]
		if o.sequence == s.sequence && o.sourcePort == s.sourcePort && o.port == s.port && o.source == s.source {
			return true
		}
	}
	return false
}

// partsOf returns the sources of the knocks and their packets when the packets of two sources are
// exactly the sequence of a door, and both sent some; else nil. Repeats of the latest knock from
// its source are forgiven. Any other packet, such as one to a tripwire, is what a scan sends.
func partsOf(d *engine.Door, window []sighting, a, b netip.Addr) (parts []netip.Addr, came []Origin) {
	for i := range window {
		s := &window[i]
		if s.source != a && s.source != b {
			continue
		}
		p := packet.Packet{Port: s.port, Flags: s.flags}
		done := len(parts)
		switch {
		case done < len(d.Sequence) && d.Holds(done, &p):
			parts, came = append(parts, s.source), append(came, s.origin)
		case done > 0 && parts[done-1] == s.source && d.Holds(done-1, &p):
		default:
			return nil, nil
		}
	}
	if len(parts) != len(d.Sequence) || !slices.Contains(parts, a) || !slices.Contains(parts, b) {
		return nil, nil
	}
	return parts, came
}

// use forgets the packets of a result, so that the next try of the same client is found too.
func (f *Finder) use(k Knock, last sighting) {
	for i := range f.recent {
		if s := &f.recent[i]; slices.Contains(k.Parts, s.source) && last.at.Sub(s.at) <= longest {
			*s = sighting{}
		}
	}
}

// add stores a result. The same pair at the same door is one result, whoever sent which part.
func (f *Finder) add(k Knock) {
	first, second := k.pair()
	at := slices.IndexFunc(f.found, func(o Knock) bool {
		a, b := o.pair()
		return o.Door == k.Door && (a == first && b == second || a == second && b == first)
	})
	switch {
	case at >= 0:
		k.Count += f.found[at].Count
		f.found = slices.Delete(f.found, at, at+1)
	case len(f.found) == maxKnocks:
		f.found = slices.Delete(f.found, 0, 1)
	}
	f.found = append(f.found, k)
}

// pair returns the source of the first knock, and the other one.
func (k *Knock) pair() (first, second netip.Addr) {
	first = k.Parts[0]
	for _, part := range k.Parts {
		if part != first {
			return first, part
		}
	}
	return first, first
}
