package effect

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Found is what a start finds: the journal, and the elements in the kernel. A crash may have
// lost the latest records, see journal.go, and nobody wrote down what happened without a daemon.
type Found struct {
	Records []engine.Record // of the journal, those of grants by id
	// Damaged means that records of the journal are lost, or that it could not be read.
	Damaged  bool
	Elements []Element
	// Whole is [Firewall.Whole]: no element means no grant.
	Whole bool
	Now   time.Time              // when the elements were read
	Cut   func(door string) bool // whether the door cuts sessions with its grants; nil: none does
}

// adoptTolerance is how far the end of an element may be from that in a record and still be the
// same. The kernel counts in ticks, and a record is some milliseconds older than its element.
const adoptTolerance = time.Second

// A target is what an element gives access to, and for whom. Grants share it.
type target struct {
	source netip.Prefix
	port   packet.Port
}

// Reconcile returns the records for [engine.Engine.Restore], and those of them that the journal
// does not have so. It changes no record of the journal in place.
//
// The kernel is right about ports, since it is changed first:
//   - An element whose grant has no record is a grant all the same. Its id tells: it is higher
//     than all in the journal, or zero, when a person gave it without a daemon. With a lower id
//     it is of a grant whose end was written, and the element is on its way out.
//   - An element that ends later than the records say was extended, and those that end earlier
//     shorten their grants.
//   - While the table stands, a grant without an element is over. Where the table is another, as
//     after a boot, the records alone count. A narrow grant inside a wider one has no element.
//
// Commands, values and one-time sequences are not in the kernel: their records alone count.
func (f Found) Reconcile() (restore, changed []engine.Record) {
	r := reconciliation{Found: f, grants: map[target][]int{}, ids: map[uint64]bool{}}
	for i, record := range f.Records {
		r.restore = append(r.restore, record)
		if record.Grant != nil {
			r.note(i, record)
		}
	}
	r.highest = r.last
	for _, e := range f.Elements {
		r.highest = max(r.highest, e.Grant)
	}
	standing := map[target]bool{}
	elements := slices.Clone(f.Elements)
	slices.SortStableFunc(elements, func(a, b Element) int { return cmpGrant(a.Grant, b.Grant) })
	for _, e := range elements {
		if e.Remaining > 0 {
			standing[target{e.Source, e.Port}] = true
			r.element(e)
		}
	}
	if f.Whole {
		r.endWithout(standing)
	}
	return r.restore, r.changed
}

// cmpGrant orders ids, those of nobody last: they get the ids behind all others.
func cmpGrant(a, b uint64) int {
	switch {
	case a == b:
		return 0
	case a != 0 && (b == 0 || a < b):
		return -1
	}
	return 1
}

// A reconciliation is one call of [Found.Reconcile].
type reconciliation struct {
	Found
	restore, changed []engine.Record
	grants           map[target][]int // indices in restore of the grants that did not end
	ids              map[uint64]bool  // of all grants
	last             uint64           // the highest id in the journal
	highest          uint64           // the highest id of all
}

func (r *reconciliation) note(i int, record engine.Record) {
	g := record.Grant
	r.last, r.ids[g.ID] = max(r.last, g.ID), true
	if !record.Ended && g.Argv == nil && g.Source.IsValid() && !g.Observed { // an observed one gives nothing
		at := target{g.Source, g.Port}
		r.grants[at] = append(r.grants[at], i)
	}
}

// element lets the grants of an element end as it does, or adopts it.
func (r *reconciliation) element(e Element) {
	at, end := target{e.Source, e.Port}, r.Now.Add(e.Remaining)
	named, longest := -1, -1
	for _, i := range r.grants[at] {
		g := r.restore[i].Grant
		if r.Whole && g.End.After(end.Add(adoptTolerance)) {
			r.setEnd(i, end)
		}
		if g.ID == e.Grant {
			named = i
		}
		if longest < 0 || g.End.After(r.restore[longest].Grant.End) {
			longest = i
		}
	}
	switch {
	case longest >= 0 && !r.restore[longest].Grant.End.Before(end.Add(-adoptTolerance)):
	case named >= 0:
		r.setEnd(named, end)
	case e.Grant == 0 || e.Grant > r.last || r.Damaged && longest < 0:
		r.adopt(e, end)
	}
}

func (r *reconciliation) setEnd(i int, end time.Time) {
	g := *r.restore[i].Grant
	g.End, g.TTL = end, max(0, end.Sub(r.Now))
	if !g.WindowEnd.IsZero() {
		g.TTLEnd = end // so that the wall clock does not move it to a later time
	}
	r.restore[i].Grant = &g
	r.changed = append(r.changed, engine.Record{Grant: &g})
}

// adopt makes a grant of an element, with the id that the element names if that is free.
func (r *reconciliation) adopt(e Element, end time.Time) {
	id := e.Grant
	if id <= r.last || r.ids[id] {
		r.highest++
		id = r.highest
	}
	r.ids[id] = true
	g := &engine.Grant{ID: id, Door: e.Door, Source: e.Source, Port: e.Port, TTL: e.Remaining, End: end}
	if e.Door != "" {
		g.By = e.Source.Addr()
		g.Cut = r.Cut != nil && r.Cut(e.Door)
	}
	record := engine.Record{Grant: g}
	r.restore, r.changed = append(r.restore, record), append(r.changed, record)
}

// endWithout ends the grants that have no element.
func (r *reconciliation) endWithout(standing map[target]bool) {
	var over []int
	for at, indices := range r.grants {
		if !standing[at] && !r.covered(at, standing) {
			over = append(over, indices...)
		}
	}
	slices.Sort(over)
	for _, i := range over {
		if r.restore[i].Grant.End.After(r.Now) {
			r.setEnd(i, r.Now)
		}
	}
}

// covered reports whether a grant needs no element, since a wider one is there, or was until it
// ended without a daemon.
func (r *reconciliation) covered(at target, standing map[target]bool) bool {
	for bits := at.source.Bits() - 1; bits >= 0; bits-- {
		wide := target{netip.PrefixFrom(at.source.Addr(), bits).Masked(), at.port}
		if standing[wide] {
			return true
		}
		for _, i := range r.grants[wide] {
			if !r.restore[i].Grant.End.After(r.Now) {
				return true
			}
		}
	}
	return false
}
