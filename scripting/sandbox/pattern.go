package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// This file compiles Lua's patterns. gopher-lua's own (pm/pm.go) is not used: it has no bound on
// its work, it panics where its recursion becomes too deep (recursiveVM), and it finds some
// mistakes only while it matches.

const (
	maxPattern  = 2048 // bytes; it bounds the recursion of the matcher, once for each quantifier
	maxCaptures = 32   // as in Lua 5.1 (LUA_MAXCAPTURES)
)

// A pattern is a compiled pattern of Lua (reference manual 5.1, section 5.4.1). Compiling finds
// every mistake, so the matcher has no errors.
type pattern struct {
	anchored bool // it began with ^
	items    []patternItem
	captures int
}

// A patternItem is one step of matching.
type patternItem struct {
	kind       itemKind
	quantifier byte    // of itemClass: 0, '*', '+', '-' or '?'
	class      class   // of itemClass and itemFrontier
	index      int     // of the captures
	pair       [2]byte // of itemBalance
}

// An itemKind is what a patternItem matches.
type itemKind uint8

const (
	itemClass    itemKind = iota // one byte of a class, with its quantifier
	itemOpen                     // (
	itemClose                    // )
	itemPosition                 // ()
	itemBack                     // %1
	itemBalance                  // %bxy
	itemFrontier                 // %f[...]
	itemEnd                      // $ at the end
)

// A class is a set of bytes, one bit for each. Testing a byte is one step, whatever the class.
type class [4]uint64

func (c *class) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *class) has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

func (c *class) addAll(other class) {
	for i := range c {
		c[i] |= other[i]
	}
}

func (c class) complement() class {
	for i := range c {
		c[i] = ^c[i]
	}
	return c
}

// A patternReader compiles a pattern.
type patternReader struct {
	text string
	at   int               // the offset of the next byte
	open []int             // captures that are not closed yet, the innermost last
	shut [maxCaptures]bool // captures that are closed: only they can be referred to
	p    *pattern
}

// readPattern compiles a pattern. Where anchors is false, as for gmatch, a ^ stands for itself.
func readPattern(text string, anchors bool) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes: at most %d", len(text), maxPattern)
	}
	r := &patternReader{text: text, p: &pattern{}}
	if anchors && strings.HasPrefix(text, "^") {
		r.p.anchored = true
		r.at++
	}
	for r.at < len(text) {
		item, err := r.item()
		if err != nil {
			return nil, err
		}
		r.p.items = append(r.p.items, item)
	}
	if len(r.open) > 0 {
		return nil, errors.New("malformed pattern: ')' is missing for '('")
	}
	return r.p, nil
}

func (r *patternReader) rest() string { return r.text[r.at:] }

// item reads the next item. There is at least one byte.
func (r *patternReader) item() (patternItem, error) {
	switch rest := r.rest(); {
	case strings.HasPrefix(rest, "()"):
		r.at += 2
		return r.capture(itemPosition)
	case rest[0] == '(':
		r.at++
		return r.capture(itemOpen)
	case rest[0] == ')':
		r.at++
		return r.close()
	case rest == "$":
		r.at++
		return patternItem{kind: itemEnd}, nil
	case strings.HasPrefix(rest, "%b"):
		return r.balance()
	case strings.HasPrefix(rest, "%f"):
		return r.frontier()
	case len(rest) > 1 && rest[0] == '%' && rest[1] >= '0' && rest[1] <= '9':
		return r.back()
	}
	c, err := r.single()
	item := patternItem{kind: itemClass, class: c}
	if rest := r.rest(); rest != "" && strings.IndexByte("*+-?", rest[0]) >= 0 {
		item.quantifier = rest[0]
		r.at++
	}
	return item, err
}

// capture begins a capture, or is a position capture.
func (r *patternReader) capture(kind itemKind) (patternItem, error) {
	index := r.p.captures
	if index == maxCaptures {
		return patternItem{}, fmt.Errorf("malformed pattern: more than %d captures", maxCaptures)
	}
	r.p.captures++
	if kind == itemOpen {
		r.open = append(r.open, index)
	} else {
		r.shut[index] = true
	}
	return patternItem{kind: kind, index: index}, nil
}

// close ends the innermost capture.
func (r *patternReader) close() (patternItem, error) {
	if len(r.open) == 0 {
		return patternItem{}, errors.New("malformed pattern: ')' without '('")
	}
	index := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	r.shut[index] = true
	return patternItem{kind: itemClose, index: index}, nil
}

// back reads %1 to %9, which match the text of a capture again.
func (r *patternReader) back() (patternItem, error) {
	index := int(r.text[r.at+1]) - '1'
	if index < 0 || index >= r.p.captures || !r.shut[index] {
		return patternItem{}, fmt.Errorf("malformed pattern: '%%%c' refers to no finished capture", r.text[r.at+1])
	}
	r.at += 2
	return patternItem{kind: itemBack, index: index}, nil
}

// balance reads %bxy.
func (r *patternReader) balance() (patternItem, error) {
	if len(r.rest()) < 4 {
		return patternItem{}, errors.New("malformed pattern: '%b' needs two characters")
	}
	pair := [2]byte{r.text[r.at+2], r.text[r.at+3]}
	r.at += 4
	return patternItem{kind: itemBalance, pair: pair}, nil
}

// frontier reads %f[set].
func (r *patternReader) frontier() (patternItem, error) {
	r.at += 2
	if !strings.HasPrefix(r.rest(), "[") {
		return patternItem{}, errors.New("malformed pattern: '%f' needs a set: '[...]'")
	}
	c, err := r.single()
	return patternItem{kind: itemFrontier, class: c}, err
}

// single reads what matches one byte: a dot, a set, an escape or the byte itself.
func (r *patternReader) single() (c class, err error) {
	b := r.text[r.at]
	r.at++
	switch b {
	case '.':
		return c.complement(), nil
	case '[':
		return r.set()
	case '%':
		return r.escape()
	}
	c.add(b)
	return c, nil
}

// escape reads what follows a percent sign.
func (r *patternReader) escape() (c class, err error) {
	if r.at == len(r.text) {
		return c, errors.New("malformed pattern: it ends with '%'")
	}
	b := r.text[r.at]
	r.at++
	return namedClass(b), nil
}

// set reads what follows an opening bracket. A closing bracket that comes first stands for itself.
func (r *patternReader) set() (c class, err error) {
	negated := strings.HasPrefix(r.rest(), "^")
	if negated {
		r.at++
	}
	for first := true; ; first = false {
		rest := r.rest()
		switch {
		case rest == "":
			return c, errors.New("malformed pattern: ']' is missing for '['")
		case rest[0] == ']' && !first:
			r.at++
			if negated {
				c = c.complement()
			}
			return c, nil
		case rest[0] == '%':
			r.at++
			escaped, err := r.escape()
			if err != nil {
				return c, err
			}
			c.addAll(escaped)
		case len(rest) > 2 && rest[1] == '-' && rest[2] != ']':
			for b := int(rest[0]); b <= int(rest[2]); b++ {
				c.add(byte(b))
			}
			r.at += 3
		default:
			c.add(rest[0])
			r.at++
		}
	}
}

// namedClass returns the class of a letter: %a and its like, in ASCII. A capital is the complement;
// any other character stands for itself.
func namedClass(name byte) (c class) {
	within := classOf(name | 0x20)
	if within == nil || !isLetter(name) {
		c.add(name)
		return c
	}
	for b := range 256 {
		if within(byte(b)) {
			c.add(byte(b))
		}
	}
	if name < 'a' {
		return c.complement()
	}
	return c
}

// classOf returns the test of a named class, or nil. It knows ASCII only, as C's own locale does.
func classOf(name byte) func(byte) bool {
	switch name {
	case 'a':
		return isLetter
	case 'c':
		return func(b byte) bool { return b < ' ' || b == 127 }
	case 'd':
		return isDigit
	case 'g':
		return func(b byte) bool { return b > ' ' && b < 127 }
	case 'l':
		return func(b byte) bool { return b >= 'a' && b <= 'z' }
	case 'p':
		return func(b byte) bool { return b > ' ' && b < 127 && !isLetter(b) && !isDigit(b) }
	case 's':
		return func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }
	case 'u':
		return func(b byte) bool { return b >= 'A' && b <= 'Z' }
	case 'w':
		return func(b byte) bool { return isLetter(b) || isDigit(b) }
	case 'x':
		return func(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }
	case 'z':
		return func(b byte) bool { return b == 0 }
	}
	return nil
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return b >= '0' && b <= '9' }
