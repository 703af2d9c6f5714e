package simulate

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/split"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// This file replays the packets of one source once more, with a changed door or changed packets,
// and so finds out what would have opened the door. Nothing is suggested that was not tried.
//
// Packets of other sources are left out. So nothing is suggested for a door where others count: by
// a limit that all sources share, a one-time sequence, or what functions of the script keep.

const (
	// Of all rehearsals together as many packets are replayed as the capture has, and at least
	// leastRehearsed. The start of an engine counts as startCost packets.
	leastRehearsed = 50_000
	startCost      = 50
	// mostTries bounds the values that are tried for one limit of time.
	mostTries = 8
	// forever is longer than any capture that is rehearsed needs.
	forever = 366 * 24 * time.Hour
)

// Rehearsals have what all rehearsals share.
type rehearsals struct {
	stopped func() error // returns an error when somebody stopped the program
	set     *engine.Set
	local   []netip.Prefix
	own     []netip.Prefix
	facts   *offlineFacts
	offset  time.Duration // of the wall clock, see [engine.Engine.Step]
	left    int           // packets that may still be replayed
}

// A rehearsal is about one source at one door that it did not open.
type rehearsal struct {
	*rehearsals
	source  netip.Addr
	door    *engine.Door
	packets []keptPacket // of the source, in their order
	clues   []account.Clue
	missed  *account.Account
	other   netip.Addr   // that sent the rest of the knock, if one did
	rest    []keptPacket // its packets
}

// A change is what differs from what happened. A nil door, or nil packets, are unchanged.
type change struct {
	text    string
	door    *engine.Door
	packets []keptPacket
}

// suggest returns the smallest change that would have opened the door, as "within >= 9.1s: opens",
// or "" when none is known.
func (r *rehearsal) suggest() string {
	if len(r.packets) == 0 || r.opens(change{}) {
		return ""
	}
	late := r.missed.Reason == string(engine.TotalTimeout) || r.missed.Reason == string(engine.StepTimeout)
	if late {
		if text := r.moreTime(); text != "" {
			return text + ": opens"
		}
	}
	for _, c := range slices.Concat(r.fromOneAddress(), r.repairs(), r.otherRules(), r.withoutPacket()) {
		if r.opens(c) {
			return c.text + ": opens"
		}
	}
	if !late {
		if text := r.moreTime(); text != "" {
			return text + ": opens"
		}
	}
	return ""
}

// opens reports whether the source opens the door after a change.
func (r *rehearsal) opens(c change) bool {
	_, opened := r.play(c)
	return opened
}

// play replays the packets. The time is that of the opening.
func (r *rehearsal) play(c change) (at time.Time, opened bool) {
	packets, door := c.packets, c.door
	if packets == nil {
		packets = r.packets
	}
	if door == nil {
		door = r.door
	}
	if r.left -= len(packets) + startCost; r.left < 0 || len(packets) == 0 || r.stopped() != nil {
		return time.Time{}, false
	}
	w := &firstOpening{door: door.Name, source: r.source}
	play := replay{output: output{writer: w}, facts: r.facts, own: r.own}
	play.begin(packets[0].Time, r.setWith(door), r.local)
	if r.offset != 0 {
		play.prepare(packets[0].Time, play.engine.Step(packets[0].Time, r.offset))
	}
	for i := range packets {
		if packets[i].drop == packet.NotDropped {
			play.packet(&packets[i].Packet)
		}
		if w.opened {
			return packets[i].Time, true
		}
	}
	return time.Time{}, false
}

// setWith returns the set with a door in the place of the one of its name.
func (r *rehearsal) setWith(d *engine.Door) *engine.Set {
	doors := slices.Clone(r.set.Doors)
	for i := range doors {
		if doors[i].Name == d.Name {
			doors[i] = d
		}
	}
	return &engine.Set{Doors: doors, Timers: r.set.Timers}
}

// firstOpening is a Writer that notes whether a source opened a door.
type firstOpening struct {
	door   string
	source netip.Addr
	opened bool
}

// Events notes an opening.
func (w *firstOpening) Events(events []engine.Event) {
	for i := range events {
		e := &events[i]
		w.opened = w.opened || e.Kind == engine.EventOpen && e.Door == w.door && e.Source.Addr() == w.source
	}
}

// Begin, Flush and Summary do nothing.
func (w *firstOpening) Begin(_, _ []string)              {}
func (w *firstOpening) Flush() error                     { return nil }
func (w *firstOpening) Summary(transcript.Summary) error { return nil }

// changed returns a copy of the door with a change.
func (r *rehearsal) changed(change func(*engine.Door)) *engine.Door {
	d := *r.door
	change(&d)
	return &d
}

// otherRules returns the doors with one option that is more forgiving.
func (r *rehearsal) otherRules() (all []change) {
	d := r.door
	if d.Policy == engine.PolicyKnockd {
		return nil // these options do not apply to it
	}
	if d.Duplicates == engine.DuplicatesWrong {
		all = append(all, change{text: `duplicates = "ignore"`, door: r.changed(func(d *engine.Door) { d.Duplicates = engine.DuplicatesIgnored })})
	} else {
		all = append(all, change{text: `duplicates = "wrong"`, door: r.changed(func(d *engine.Door) { d.Duplicates = engine.DuplicatesWrong })})
	}
	if d.OnWrong == engine.WrongResets {
		all = append(all, change{text: `on_wrong = "ignore"`, door: r.changed(func(d *engine.Door) { d.OnWrong = engine.WrongIgnored })})
	}
	if d.Strict {
		all = append(all, change{text: "strict = false", door: r.changed(func(d *engine.Door) { d.Strict = false })})
	}
	return all
}

// withoutPacket leaves out the packet that ended the furthest attempt.
func (r *rehearsal) withoutPacket() []change {
	at := r.index(r.missed.Packet, r.missed.Capture)
	if at < 0 {
		return nil
	}
	p := &r.packets[at]
	return []change{{text: "without " + p.Port.String() + " (" + packetName(p.Number, p.Capture) + ")", packets: slices.Delete(slices.Clone(r.packets), at, at+1)}}
}

// index returns where a packet is among those of the source, -1 if it is not.
func (r *rehearsal) index(number, capture int) int {
	return slices.IndexFunc(r.packets, func(p keptPacket) bool { return number > 0 && p.Number == number && p.Capture == capture })
}

// suggest rehearses the accounts of sources that opened nothing, the furthest first, and notes in
// the book what would have opened the doors.
func (r *rehearsals) suggest(book *account.Book, kept *keeper, halves []split.Knock) {
	byName := map[string]*engine.Door{}
	for _, d := range r.set.Doors {
		byName[d.Name] = d
	}
	tried := 0
	for a := range book.All() {
		d := byName[a.Door]
		packets := kept.sources[a.Source]
		if d == nil || d.Listen || len(d.Sequence) == 0 || len(packets) == 0 || a.Result != account.ResultStopped && a.Result != account.ResultNeverBegan {
			continue
		}
		if tried++; tried > maxSuggested || r.left <= 0 || r.stopped() != nil {
			return
		}
		if shared(d) && book.Others(a.Source) {
			continue
		}
		one := rehearsal{rehearsals: r, source: a.Source, door: d, packets: packets, clues: book.Clues(a.Source, a.Door), missed: a}
		for i := range halves {
			if other, _, ok := halves[i].Half(a.Source); ok && halves[i].Door == a.Door {
				one.other, one.rest = other, kept.sources[other]
			}
		}
		if text := one.suggest(); text != "" {
			book.Suggest(a.Source, a.Door, text)
		}
	}
}

// shared reports whether what other sources do may change what a door does for one.
func shared(d *engine.Door) bool {
	return d.Limit != nil || d.OneTime != nil || d.Handler != nil || len(d.When) > 0
}

// fromOneAddress returns the packets of the source together with those of the other address that
// sent the rest of the knock.
func (r *rehearsal) fromOneAddress() []change {
	if len(r.rest) == 0 {
		return nil
	}
	all := slices.Clone(r.packets)
	for _, p := range r.rest {
		// The packets of the other address family went to another address of this host.
		p.Source = r.source
		if p.Dest.Is4() != r.packets[0].Dest.Is4() {
			p.Dest = r.packets[0].Dest
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b keptPacket) int { return a.Time.Compare(b.Time) })
	return []change{{text: "all knocks from one address", packets: all}}
}
