package simulate

import (
	"net/netip"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/simulate/account"
)

// similar returns, by its number, for whose knocks a packet to a port may be meant.
func similar(doors []*engine.Door) map[uint16][]*engine.Door {
	like := map[uint16][]*engine.Door{}
	for _, d := range doors {
		for k := range d.Knocks() {
			for _, number := range resembling(k.Port.Number) {
				if there := like[number]; len(there) == 0 || there[len(there)-1] != d {
					like[number] = append(there, d)
				}
			}
		}
	}
	return like
}

// slipped returns the interest in what asks for a port that resembles a knock, and in the numbers
// of all knocks, over TCP and UDP, with any flags.
func slipped(set *engine.Set) filter.Interest {
	i := anyKnock(set)
	for number := range similar(set.Doors) {
		i.TCP, i.UDP = append(i.TCP, number), append(i.UDP, number)
	}
	return i
}

// nearly finds in kept packets what was nearly a knock, for sources that opened nothing. It does
// for a [Session] what a second pass does for captures.
func (r *rehearsals) nearly(book *account.Book, kept *keeper) {
	var sources []netip.Addr
	for source := range kept.sources {
		if !book.Knows(source) {
			sources = append(sources, source)
		}
	}
	sources = append(book.Unopened(maxSuggested), sources[:min(len(sources), maxSuggested)]...)
	if len(sources) == 0 {
		return
	}
	book.Again(sources)
	like := similar(r.set.Doors)
	for _, source := range sources {
		r.nearlyOf(source, book, kept, like)
	}
	book.EndAgain()
}

func (r *rehearsals) nearlyOf(source netip.Addr, book *account.Book, kept *keeper, like map[uint16][]*engine.Door) {
	packets := kept.sources[source]
	if r.left -= len(packets) + startCost; r.left < 0 || len(packets) == 0 {
		return
	}
	play := replay{output: output{writer: &firstOpening{}}, facts: r.facts, own: r.own}
	play.explain = func(j *engine.Judgment) { book.Near(j, like[j.Came.Number]) }
	play.begin(packets[0].Time, r.set, r.local)
	for i := range packets {
		p := &packets[i].Packet
		switch drop := packets[i].drop; {
		case drop == packet.Fragment || drop == packet.Truncated || drop == packet.Malformed:
			book.Unread(p, drop, like[p.Port.Number])
		case drop == packet.NotDropped:
			play.packet(p)
		}
	}
}
