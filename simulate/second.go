package simulate

import (
	"context"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/split"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// This file reads captures a second time, to explain why sources opened nothing. The filter of the
// first pass keeps from the engine what no door watches, such as a knock with ACK, and looking at
// everything would take nearly twice as long. So the second pass is made only when somebody knocked
// and opened nothing, or when nobody knocked at all.

const (
	// maxAgain bounds the sources whose other packets the second pass looks at.
	maxAgain = account.MaxSources
	// maxSuggested bounds the accounts for which rehearsals are made, those that came furthest.
	maxSuggested = 256
)

// A second is the second pass. Its engine gets the packets that the engine of the first pass got,
// in the same order, so it decides the same. What else it is shown only makes judgments.
type second struct {
	*pass
	book    *account.Book
	doors   []*engine.Door
	chosen  map[netip.Addr]bool
	sources *filter.Sources
	wide    *filter.Filter            // what the doors watch, and the numbers of all knocks with any flags
	slips   *filter.Filter            // what asks for a port that resembles a knock
	like    map[uint16][]*engine.Door // for whose knocks a packet to a port may be meant, by its number
	kept    *keeper
	tally   *tally // of all packets, when nothing was a knock; else nil
}

// explain adds to the account what the first pass could not see, and what would have opened the
// doors. A capture that cannot be read again is explained from what the doors watch.
func (p *pass) explain(ctx context.Context, report *Report) {
	book := p.replay.account
	book.Begin(p.replay.began)
	addHalves(book, report.split)
	unopened := book.Unopened(maxAgain)
	nothing := report.Knocks == 0
	if len(unopened) == 0 && !nothing {
		return
	}
	if nothing && book.Empty() {
		report.nothing = transcript.Count(report.Packets, "packet") + ", none of which was a knock: " + dropNames(report.Dropped)
	}
	if ctx.Err() != nil {
		return // a second pass would take as long again
	}
	kept := p.replay.kept
	if p.captures.streamed() {
		report.once = true
	} else if again, err := p.config.open(); err == nil {
		defer again.close()
		s := newSecond(p, again, unopened, nothing)
		s.read(ctx)
		book.EndAgain()
		report.nothing = ""
		if kept = s.kept; nothing && (book.Empty() || s.tally.here == 0) {
			report.nothing = s.tally.diagnosis()
		}
	}
	if kept != nil {
		r := &rehearsals{set: p.config.Set, local: p.config.Local, own: p.replay.own, facts: p.replay.facts, offset: p.replay.offset, left: max(leastRehearsed, p.packets), stopped: ctx.Err}
		r.suggest(book, kept, report.split)
	}
}

// newSecond returns a second pass over captures that were opened again. Unopened are the sources to
// look at.
func newSecond(first *pass, again captures, unopened []netip.Addr, nothing bool) *second {
	c := first.config
	c.Account, c.Writer = false, &firstOpening{}
	c.Local = first.given
	s := &second{
		pass: newPass(c, again), book: first.replay.account, doors: c.Set.Doors, chosen: make(map[netip.Addr]bool, len(unopened)),
		sources: filter.NewSources(unopened).Through(c.Decap), wide: filter.New(anyKnock(c.Set)).Through(c.Decap), kept: newKeeper(c.Set),
	}
	for _, source := range unopened {
		s.chosen[source] = true
	}
	if nothing {
		s.tally = newTally(c.Set, first.config.Local)
	}
	s.book.Again(unopened)
	s.arrange()
	s.wants, s.seen = s.look, s.note
	s.replay.explain = func(j *engine.Judgment) {
		if first.replay.only.judged(j) {
			s.book.Near(j, s.like[j.Came.Number])
		}
	}
	return s
}

// anyKnock returns the interest in all that the doors watch, and in the numbers of all knocks, over
// TCP and UDP. Flags do not matter.
func anyKnock(set *engine.Set) filter.Interest {
	i := filter.Interest(set.Interest())
	i.AnyFlags = true
	for _, d := range set.Doors {
		for k := range d.Knocks() {
			i.TCP, i.UDP = append(i.TCP, k.Port.Number), append(i.UDP, k.Port.Number)
		}
	}
	return i
}

// arrange finds the ports that resemble the knocks of each door.
func (s *second) arrange() {
	var ports []uint16
	s.like = similar(s.doors)
	for number := range s.like {
		ports = append(ports, number)
	}
	s.slips = filter.New(filter.Interest{TCP: ports, UDP: ports}).Through(s.config.Decap)
}

// look reports whether a frame is looked at: what the doors watch, what anybody sent to the number
// of a knock, and what the chosen sources sent to a port that resembles one.
func (s *second) look(link packet.LinkType, frame []byte) bool {
	return s.wide.Match(link, frame) || s.tally != nil || s.slips.Match(link, frame) && s.sources.Match(link, frame)
}

// note notes a packet beside the engine, which judges those that the decoder did not drop. It
// keeps the packet for rehearsals.
func (s *second) note(p *packet.Packet, drop packet.Drop) {
	if drop == packet.Fragment || drop == packet.Truncated || drop == packet.Malformed {
		s.unread(p, drop)
	}
	if s.tally != nil {
		s.tally.add(p, drop)
	}
	if s.chosen[p.Source] || s.kept.count < mostKept/2 && !s.book.Knows(p.Source) {
		s.kept.keep(p, drop)
	}
}

// unread notes a packet that the decoder dropped, if it was for this host.
func (s *second) unread(p *packet.Packet, drop packet.Drop) {
	doors := s.like[p.Port.Number]
	if isLocal(s.config.Local, p.Dest) || slices.ContainsFunc(doors, func(d *engine.Door) bool { return d.Target == p.Dest }) {
		s.book.Unread(p, drop, doors)
	}
}

// addHalves notes in the accounts of two sources that each sent a part of one knock.
func addHalves(book *account.Book, knocks []split.Knock) {
	for _, k := range knocks {
		for _, source := range k.Parts {
			if other, sent, ok := k.Half(source); ok {
				book.Half(source, k.Door, other, sent)
			}
		}
	}
}
