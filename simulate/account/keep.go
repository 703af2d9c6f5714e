package account

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"
)

// MaxSources bounds the sources of which a book keeps accounts. When it is full, a source that only
// tried a guarded port makes room, else the oldest record of the lowest rank does. So a flood of
// first knocks replaces only first knocks.
const MaxSources = 1 << 16

// maxRecords bounds the records of all sources at all doors.
const maxRecords = 4 * MaxSources

// A source is what is known of a source beside its records.
type source struct {
	addr    netip.Addr
	records []*record
	element *list.Element // in the list of visitors; nil: it has records
	resent  sightings     // TCP segments that came again
	copies  sightings     // packets that were captured again
	turned  *visit        // to a guarded port without any grant, the latest; nil: none
}

// A rank is how far a source came at a door.
type rank int

const (
	strayed rank = iota // it knocked, and never began an attempt
	begun               // it began one
	missed              // an attempt of several knocks ended
	refused             // a sequence was complete, and was refused or failed
	opened
	ranks // the number of ranks, for arrays
)

// A subject is a source at a door.
type subject struct {
	source netip.Addr
	door   string
}

// find returns the record of a source at a door, nil when there is none.
func (b *Book) find(addr netip.Addr, door string) *record { return b.byDoor[subject{addr, door}] }

// record returns the record of a source at a door, and makes it if there is none yet.
func (b *Book) record(addr netip.Addr, door string) *record {
	if r := b.find(addr, door); r != nil {
		return r
	}
	for len(b.byDoor) >= maxRecords {
		b.drop()
	}
	s := b.source(addr)
	if s.element != nil {
		b.visitors.Remove(s.element)
		s.element = nil
	}
	r := &record{source: s, door: door, seen: b.seen}
	r.element = b.ranks[strayed].PushBack(r)
	s.records = append(s.records, r)
	b.byDoor[subject{addr, door}] = r
	b.seen++
	return r
}

// source returns what is known of a source, and makes it if there is nothing yet.
func (b *Book) source(addr netip.Addr) *source {
	if s := b.sources[addr]; s != nil {
		return s
	}
	for len(b.sources) >= MaxSources {
		b.drop()
	}
	s := &source{addr: addr}
	s.element = b.visitors.PushBack(s)
	b.sources[addr] = s
	return s
}

// drop removes the oldest source without a record, or else the oldest record of the lowest rank.
func (b *Book) drop() {
	if first := b.visitors.Front(); first != nil {
		delete(b.sources, b.visitors.Remove(first).(*source).addr)
		return
	}
	for r := range b.ranks {
		if first := b.ranks[r].Front(); first != nil {
			b.forget(first.Value.(*record))
			return
		}
	}
}

// forget removes a record, and its source with its last one.
func (b *Book) forget(r *record) {
	b.ranks[r.rank].Remove(r.element)
	r.source.records = slices.DeleteFunc(r.source.records, func(other *record) bool { return other == r })
	if len(r.source.records) == 0 {
		delete(b.sources, r.source.addr)
	}
	delete(b.byDoor, subject{r.source.addr, r.door})
	b.dropped++
}

// raise moves a record up to a rank. A record never moves down.
func (b *Book) raise(r *record, to rank) {
	if to <= r.rank {
		return
	}
	b.ranks[r.rank].Remove(r.element)
	r.rank = to
	r.element = b.ranks[to].PushBack(r)
}

// all returns the records that are listed, the furthest first. Equal ones are in the order
// in which they began.
func (b *Book) all() []*record {
	b.settle()
	all := make([]*record, 0, len(b.byDoor))
	for _, r := range slices.Backward(b.ranks[:]) {
		from := len(all)
		for e := r.Front(); e != nil; e = e.Next() {
			if one := e.Value.(*record); one.listed() {
				all = append(all, one)
			}
		}
		slices.SortFunc(all[from:], func(x, y *record) int {
			if x.rank >= refused {
				return x.seen - y.seen
			}
			return cmp.Or(y.best.furthest()-x.best.furthest(), x.seen-y.seen)
		})
	}
	return all
}

// Unopened returns up to so many sources that knocked and completed no sequence, or failed after
// they did, those that came furthest first.
func (b *Book) Unopened(most int) (all []netip.Addr) {
	known := map[*source]bool{}
	for _, r := range b.all() {
		if len(all) == most {
			break
		}
		complete := slices.ContainsFunc(r.source.records, func(r *record) bool { return r.rank >= refused && !r.failed })
		if !complete && !known[r.source] {
			known[r.source] = true
			all = append(all, r.source.addr)
		}
	}
	return all
}
