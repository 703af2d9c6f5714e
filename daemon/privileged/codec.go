//go:build linux

package privileged

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// A codec writes values to bytes, or reads them from there: the same calls do both, so the two
// directions cannot differ. A value has one form only, so whatever is read is written to the same
// bytes. Each value has a bound, and the first error ends the rest.
type codec struct {
	reading bool
	b       []byte // what is written, or what is left to read
	err     error
}

var errShort = errors.New("it ends early")

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err, c.b = err, nil
	}
}

// number codes a number of at most most, in the form of [binary.AppendUvarint].
func (c *codec) number(n *uint64, most uint64) {
	if !c.reading {
		if *n > most {
			c.fail(fmt.Errorf("the number %d: at most %d", *n, most))
			return
		}
		c.b = binary.AppendUvarint(c.b, *n)
		return
	}
	if *n = 0; c.err != nil {
		return
	}
	value, length := binary.Uvarint(c.b)
	switch {
	case length <= 0:
		c.fail(errShort)
	case length > 1 && c.b[length-1] == 0:
		c.fail(errors.New("a number has more bytes than it needs"))
	case value > most:
		c.fail(fmt.Errorf("the number %d: at most %d", value, most))
	default:
		*n, c.b = value, c.b[length:]
	}
}

// length codes the length of something of at most most parts, which takes at least one byte each.
func (c *codec) length(n *int, most int) {
	wide := uint64(max(*n, 0))
	c.number(&wide, uint64(most))
	if *n = int(wide); c.reading && *n > len(c.b) {
		c.fail(errShort)
		*n = 0
	}
}

func (c *codec) flag(on *bool) {
	n := uint64(0)
	if *on {
		n = 1
	}
	c.number(&n, 1)
	*on = n == 1
}

// text codes a text of at most most bytes.
func (c *codec) text(s *string, most int) {
	n := len(*s)
	if c.length(&n, most); c.err != nil {
		*s = ""
		return
	}
	if c.reading {
		*s, c.b = string(c.b[:n]), c.b[n:]
		return
	}
	c.b = append(c.b, *s...)
}

func (c *codec) hash(h *hash) {
	if !c.reading {
		c.b = append(c.b, h[:]...)
		return
	}
	if c.err == nil && len(c.b) < len(h) {
		c.fail(errShort)
	}
	if c.err == nil {
		c.b = c.b[copy(h[:], c.b):]
	}
}

// prefix codes an address or a network as its text; "" is none.
func (c *codec) prefix(p *netip.Prefix) {
	text := ""
	if p.IsValid() {
		text = p.String()
	}
	c.text(&text, maxAddress)
	if !c.reading || text == "" {
		return
	}
	read, err := netip.ParsePrefix(text)
	if err == nil && (read.String() != text || read != read.Masked()) {
		err = fmt.Errorf("the network %q is not in its usual form", text)
	}
	if err != nil {
		c.fail(err)
		return
	}
	*p = read
}

// texts codes a list of texts.
func (c *codec) texts(list *[]string, most, longest int) {
	n := len(*list)
	c.length(&n, most)
	if c.reading {
		*list = make([]string, n)
	}
	for i := range *list {
		c.text(&(*list)[i], longest)
	}
}

// values codes a map from texts to values, in the order of the texts.
func values[V any](c *codec, m *map[string]V, most, longest int, value func(*V)) {
	n := len(*m)
	c.length(&n, most)
	keys := slices.Sorted(maps.Keys(*m))
	if c.reading {
		*m, keys = make(map[string]V, n), make([]string, n)
	}
	for i := range keys {
		if c.text(&keys[i], longest); c.err == nil && i > 0 && keys[i] <= keys[i-1] {
			c.fail(errors.New("names are not in order"))
		}
		v := (*m)[keys[i]]
		if value(&v); c.err != nil {
			return
		}
		if c.reading {
			(*m)[keys[i]] = v
		}
	}
}

// end returns the first error, or an error when something is left to read.
func (c *codec) end() error {
	if c.reading && c.err == nil && len(c.b) > 0 {
		return fmt.Errorf("%d bytes too many", len(c.b))
	}
	return c.err
}
