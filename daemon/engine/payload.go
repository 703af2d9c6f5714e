package engine

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file tests payloads. The test of a door stands before its limit, its conditions and its
// functions, so that junk can use up none of them.

// A PayloadTest is what the payload of a packet must be. A packet that fails it is no knock of the
// door. The zero PayloadTest passes only packets without a payload.
type PayloadTest struct {
	Min, Max int            // length in bytes; Max is [AnyLength] when there is no upper bound
	Bytes    []PayloadBytes // at least one byte each, below Max
}

// AnyLength is a Max that no payload reaches.
const AnyLength = math.MaxInt

// PayloadBytes are bytes that the payload must have at an offset, which is counted from 0.
type PayloadBytes struct {
	At   int
	Text string
}

// A misfit is why a payload failed a test. It has no pointers, so that junk costs no allocation.
type misfit struct {
	length  int  // of what was captured
	cut     bool // the payload was longer than that
	part    int  // of Bytes; -1: the length decided
	unknown bool // what was captured does not tell
	found   [16]byte
	count   int // of found
}

// check reports whether the payload of p passes. A nil test passes all. When the capture has only
// the beginning of the payload, and that does not tell, the packet fails: it must not open a door.
func (t *PayloadTest) check(p *packet.Packet) (bool, misfit) {
	if t == nil {
		return true, misfit{}
	}
	n := len(p.Payload)
	failed, least := misfit{length: n, cut: p.Cut, part: -1}, n
	if p.Cut {
		least++ // at least one byte is missing
	}
	switch {
	case least > t.Max, least < t.Min && !p.Cut:
		return false, failed
	case p.Cut && (least < t.Min || t.Max < AnyLength):
		failed.unknown = true
	}
	for i := range t.Bytes {
		want := &t.Bytes[i]
		there := p.Payload[min(want.At, n):min(want.At+len(want.Text), n)]
		switch {
		case string(there) == want.Text:
		case p.Cut && strings.HasPrefix(want.Text, string(there)):
			failed.unknown = true
		default:
			failed.part, failed.unknown = i, false
			failed.count = copy(failed.found[:], there)
			return false, failed
		}
	}
	return !failed.unknown, failed
}

// Misfit returns why a packet is no knock of a door, such as "length 19, expected 20", though its
// port and its flags are those of a knock. It is "" when the payload is right.
func (t *PayloadTest) Misfit(p *packet.Packet) string {
	ok, why := t.check(p)
	if ok {
		return ""
	}
	return t.explain(&why)
}

// explain returns the text of a misfit. What strangers sent stands in quotes, with escapes.
func (t *PayloadTest) explain(m *misfit) string {
	switch {
	case m.unknown:
		return fmt.Sprintf("only the first %d bytes were captured, which do not tell", m.length)
	case m.part < 0 && m.cut:
		return fmt.Sprintf("length above %d, expected %s", m.length, t.LengthText())
	case m.part < 0:
		return fmt.Sprintf("length %d, expected %s", m.length, t.LengthText())
	}
	want := t.Bytes[m.part]
	got := fmt.Sprintf("%+q", m.found[:m.count])
	switch {
	case m.count == 0:
		got = "nothing"
	case m.count == len(m.found) && len(want.Text) > m.count:
		got += "..."
	}
	if want.At == 0 {
		return fmt.Sprintf("it begins with %s, expected %+q", got, want.Text)
	}
	return fmt.Sprintf("it has %s at byte %d, expected %+q", got, want.At+1, want.Text)
}

// LengthText returns the lengths that pass, such as "20" or "20 to 64"; "" when all do.
func (t *PayloadTest) LengthText() string {
	switch {
	case t.Min == t.Max:
		return fmt.Sprint(t.Min)
	case t.Max < AnyLength:
		return fmt.Sprintf("%d to %d", t.Min, t.Max)
	case t.Min > 0:
		return fmt.Sprintf("%d or more", t.Min)
	}
	return ""
}

// misfits counts the packets to a door that failed its payload test. They decide nothing, and are
// no part of the state.
type misfits struct {
	count  int
	at     int64 // of the latest
	source netip.Addr
	why    misfit
}

// fits reports whether the payload of a packet passes the test of a door, and counts it if not.
func (e *Engine) fits(d *door, p *packet.Packet) bool {
	ok, why := d.Payload.check(p)
	if !ok {
		e.unfit = true
		d.misfits = misfits{count: d.misfits.count + 1, at: e.now, source: p.Source, why: why}
	}
	return ok
}

// Misfits are the packets that were no knock of a door because of their payload.
type Misfits struct {
	Door   string
	Count  int // since the door has its payload test
	Last   time.Time
	Source netip.Addr // of the latest
	Detail string     // of the latest: why it was none
}

// Misfits returns the doors to which packets with another payload came, in their order.
func (e *Engine) Misfits() []Misfits {
	var all []Misfits
	for _, d := range e.index.doors {
		if m := &d.misfits; m.count > 0 {
			all = append(all, Misfits{d.Name, m.count, wire.Time(m.at), m.source, d.Payload.explain(&m.why)})
		}
	}
	return all
}

// Same reports whether two tests, which may be nil, are equal.
func (t *PayloadTest) Same(other *PayloadTest) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.Min == other.Min && t.Max == other.Max && slices.Equal(t.Bytes, other.Bytes)
}
