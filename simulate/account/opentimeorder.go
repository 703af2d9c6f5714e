package account

import "cmp"

// spans are accesses that nobody has now. It is a heap: the first was open for the shortest time.
type spans []*span

// Len implements [heap.Interface], as the methods below do.
func (s spans) Len() int { return len(s) }

// Less puts the one that opened later first when both were open for as long.
func (s spans) Less(i, j int) bool { return s[i].compare(s[j]) < 0 }

// compare compares the time first, which nearly always decides: a flood compares often.
func (s *span) compare(other *span) int {
	if s.open != other.open {
		return cmp.Compare(s.open, other.open)
	}
	if n := other.first.Compare(s.first); n != 0 {
		return n
	}
	return s.access.compare(other.access)
}

// Swap exchanges two.
func (s spans) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push adds one at the end.
func (s *spans) Push(x any) {
	one := x.(*span)
	one.index = len(*s)
	*s = append(*s, one)
}

// Pop removes the one at the end.
func (s *spans) Pop() any {
	last := len(*s) - 1
	one := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return one
}

func (a access) compare(other access) int {
	return cmp.Or(a.source.Compare(other.source), cmp.Compare(a.port.Proto, other.port.Proto), cmp.Compare(a.port.Number, other.port.Number))
}

// bySourceTime puts the longest time first.
func bySourceTime(x, y SourceTime) int {
	return cmp.Or(cmp.Compare(y.Open, x.Open), x.First.Compare(y.First), access{x.Source, x.Port}.compare(access{y.Source, y.Port}))
}

// byPortTime puts the longest time first.
func byPortTime(x, y PortTime) int {
	return cmp.Or(cmp.Compare(y.Open, x.Open), access{port: x.Port}.compare(access{port: y.Port}))
}
