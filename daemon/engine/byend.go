package engine

import (
	"cmp"
	"container/heap"
	"slices"
)

// This file is how grants are found that have something in common.

// A listKind says what the grants of a list have in common.
type listKind uint8

const (
	sameKey listKind = iota
	sameAsker
	sameGiver
	sameHolder
	listKinds
)

// byEnd is a heap of grants, the one that ends last on top; of equals, the one that was inserted
// first. A network may have as many grants as there may be at all, and each knock asks for the
// latest of them. So nothing here looks at all grants of a list, but for [byEnd.inOrder].
type byEnd struct {
	kind   listKind
	grants []*grant
	work   *int // comparisons so far, of all lists
}

// Len implements heap.Interface, for package heap alone. So do the others.
func (l *byEnd) Len() int { return len(l.grants) }

func (l *byEnd) Less(i, j int) bool {
	*l.work++
	a, b := l.grants[i], l.grants[j]
	return cmp.Or(b.End.Compare(a.End), cmp.Compare(a.order, b.order)) < 0
}

func (l *byEnd) Swap(i, j int) {
	g := l.grants
	g[i], g[j] = g[j], g[i]
	g[i].places[l.kind], g[j].places[l.kind] = i, j
}

func (l *byEnd) Push(x any) {
	g := x.(*grant)
	g.places[l.kind] = len(l.grants)
	l.grants = append(l.grants, g)
}

func (l *byEnd) Pop() any {
	last := len(l.grants) - 1
	g := l.grants[last]
	l.grants[last], l.grants = nil, l.grants[:last]
	return g
}

// inOrder returns the grants of a list in the order in which they were inserted. It is a copy.
// l may be nil.
func (l *byEnd) inOrder() []*grant {
	if l == nil {
		return nil
	}
	*l.work += len(l.grants)
	return slices.SortedFunc(slices.Values(l.grants), byInsertion)
}

func byInsertion(a, b *grant) int { return cmp.Compare(a.order, b.order) }

// lists has a list for each key that some grant has.
type lists[K comparable] struct {
	kind listKind
	of   map[K]*byEnd
	work *int
}

func newLists[K comparable](kind listKind, work *int) lists[K] {
	return lists[K]{kind, make(map[K]*byEnd), work}
}

// insert adds g, and reports whether it is the first of its key.
func (m lists[K]) insert(key K, g *grant) (first bool) {
	l := m.of[key]
	if first = l == nil; first {
		l = &byEnd{kind: m.kind, work: m.work}
		m.of[key] = l
	}
	heap.Push(l, g)
	return first
}

// remove takes g out, and reports whether it was the last of its key.
func (m lists[K]) remove(key K, g *grant) (last bool) {
	l := m.of[key]
	heap.Remove(l, g.places[m.kind])
	if last = len(l.grants) == 0; last {
		delete(m.of, key)
	}
	return last
}

// moved puts g, whose end has changed, where it belongs.
func (m lists[K]) moved(key K, g *grant) { heap.Fix(m.of[key], g.places[m.kind]) }

// latest returns the grant that ends last, or nil.
func (m lists[K]) latest(key K) *grant {
	if l := m.of[key]; l != nil {
		return l.grants[0]
	}
	return nil
}

// count returns how many grants have a key.
func (m lists[K]) count(key K) int {
	if l := m.of[key]; l != nil {
		return len(l.grants)
	}
	return 0
}
