package sandbox

import "strings"

// A matcher matches a pattern at places of a subject. It backtracks, so its work may grow with a
// power of the subject's length. Therefore every loop here counts its rounds, and every eighth
// round calls step, which charges an instruction and stops the matcher with a Lua error. Eight
// rounds take about as long as one instruction of the machine.
//
// The recursion is bounded by the number of quantifiers in a pattern, which is below maxPattern.
type matcher struct {
	*pattern
	subject string
	step    func()
	steps   int // rounds so far

	from, to [maxCaptures]int // of the captures; to is -1 for a position
}

// find returns the first match at or after a place, as two offsets.
func (m *matcher) find(at int) (from, to int, ok bool) {
	for ; at <= len(m.subject); at++ {
		if to := m.match(at, 0); to >= 0 {
			return at, to, true
		}
		if m.anchored {
			break
		}
	}
	return 0, 0, false
}

// count counts a round.
func (m *matcher) count() {
	if m.steps++; m.steps%8 == 0 {
		m.step()
	}
}

// match matches the items from i on at a place, and returns where the match ends, or -1. When it
// fails it leaves captures as they are: another try sets them again before anything reads them.
func (m *matcher) match(at, i int) int {
	for ; i < len(m.items); i++ {
		m.count()
		item := &m.items[i]
		switch item.kind {
		case itemOpen:
			m.from[item.index] = at
		case itemClose:
			m.to[item.index] = at
		case itemPosition:
			m.from[item.index], m.to[item.index] = at, -1
		case itemEnd:
			if at != len(m.subject) {
				return -1
			}
		case itemFrontier:
			if item.class.has(m.byteAt(at-1)) || !item.class.has(m.byteAt(at)) {
				return -1
			}
		case itemBack:
			at = m.back(item, at)
		case itemBalance:
			at = m.balance(item, at)
		case itemClass:
			if item.quantifier != 0 {
				return m.repeat(item, at, i+1)
			}
			if !m.single(item, at) {
				return -1
			}
			at++
		}
		if at < 0 {
			return -1
		}
	}
	return at
}

// single reports whether one byte at a place matches an item.
func (m *matcher) single(item *patternItem, at int) bool {
	return at < len(m.subject) && item.class.has(m.subject[at])
}

// byteAt returns a byte of the subject, or zero beyond its ends, as the frontier pattern wants it.
func (m *matcher) byteAt(at int) byte {
	if at < 0 || at >= len(m.subject) {
		return 0
	}
	return m.subject[at]
}

// repeat matches a quantified item and all that follows it. It takes as many bytes as match, and
// then one less at a time until the rest matches too.
func (m *matcher) repeat(item *patternItem, at, rest int) int {
	if item.quantifier == '-' {
		return m.shortest(item, at, rest)
	}
	least, most := 0, len(m.subject)
	if item.quantifier == '+' {
		least = 1
	}
	if item.quantifier == '?' {
		most = 1
	}
	n := 0
	for n < most && m.single(item, at+n) {
		m.count()
		n++
	}
	for ; n >= least; n-- {
		m.count()
		if to := m.match(at+n, rest); to >= 0 {
			return to
		}
	}
	return -1
}

// shortest matches an item with the quantifier - and all that follows it. It takes as few bytes as
// the rest allows.
func (m *matcher) shortest(item *patternItem, at, rest int) int {
	for {
		m.count()
		if to := m.match(at, rest); to >= 0 {
			return to
		}
		if !m.single(item, at) {
			return -1
		}
		at++
	}
}

// back matches the text of a capture again. Comparing 64 bytes counts as a round.
func (m *matcher) back(item *patternItem, at int) int {
	text := m.capture(item.index)
	for range len(text) / 64 {
		m.count()
	}
	if !strings.HasPrefix(m.subject[at:], text) {
		return -1
	}
	return at + len(text)
}

// capture returns the text of a capture; that of a position is empty.
func (m *matcher) capture(index int) string {
	if m.to[index] < 0 {
		return ""
	}
	return m.subject[m.from[index]:m.to[index]]
}

// balance matches from an opening byte to the closing byte that belongs to it.
func (m *matcher) balance(item *patternItem, at int) int {
	if at >= len(m.subject) || m.subject[at] != item.pair[0] {
		return -1
	}
	depth := 1
	for at++; at < len(m.subject); at++ {
		m.count()
		switch m.subject[at] {
		case item.pair[1]:
			if depth--; depth == 0 {
				return at + 1
			}
		case item.pair[0]:
			depth++
		}
	}
	return -1
}
