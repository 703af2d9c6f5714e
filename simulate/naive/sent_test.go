// Package naive_test compares the reader of captures, the filter, the decoder and the engine with
// a naive matcher, over random captures.
//
// A generator makes a set of doors and a list of packets. frames_test.go writes the packets into
// capture files, of all link types and formats. matcher_test.go decides what the doors do with
// them, from the list alone: it never sees a frame, and it shares no code with the engine. Both
// must agree on each opening and on each count.
package naive_test

import (
	"fmt"
	"net/netip"
	"strings"
)

// IP protocols.
const (
	icmp4 = 1
	tcp   = 6
	udp   = 17
	gre   = 47
	icmp6 = 58
)

// TCP flags, as RFC 9293 numbers them.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// A form is what is odd about the frame of a packet.
type form uint8

const (
	whole     form = iota
	fragment       // the first one of several
	remainder      // a later fragment, which has no ports
	unbroken       // IPv6: a fragment header, but the only fragment
	beheaded       // the capture holds only a part of the transport header
	shortened      // the capture holds only a part of the payload
	wrongSum       // the checksum of TCP or UDP is wrong
	dying          // the hop limit is 0
	foreign        // the frame has no IP packet
	manyForms      // how many there are
)

// A sent is a packet that was captured, as the generator knows it.
type sent struct {
	at           int64 // the stamp, in nanoseconds since 1970
	iface        int   // the interface that heard it, from 0
	way          int   // one of several link headers
	form         form
	source, dest netip.Addr
	proto        uint8
	from, to     uint16 // ports
	flags        uint8
	sequence     uint32
	id           uint16 // of IPv4
	loose        bool   // IPv4 with id 0: it may be fragmented; others with id 0 may not
	hops         uint8
	payload      string
	padding      int // bytes behind the IP packet
	place        int // in the order of its capture
}

// same reports whether two packets have the same bytes from the network header on, hop limit and
// header checksum aside.
func (s sent) same(other sent) bool {
	s.at, s.iface, s.way, s.hops, s.padding, s.place = other.at, other.iface, other.way, other.hops, other.padding, other.place
	return s == other
}

// isCopy reports whether s is the same packet as an earlier one, heard twice. headers is false for
// a link type that has no header.
func (s sent) isCopy(earlier sent, headers bool) bool {
	return s.same(earlier) &&
		(s.iface != earlier.iface || headers && s.way != earlier.way || (s.id != 0 || s.loose) && s.source.Is4())
}

func (s sent) String() string {
	var flags strings.Builder
	for i, name := range []string{"F", "S", "R", "P", "A"} {
		if s.flags&(1<<i) != 0 {
			flags.WriteString(name)
		}
	}
	return fmt.Sprintf("%v proto %d %v:%d > %v:%d %s seq %d id %d loose %v interface %d way %d form %d %q",
		s.at-start, s.proto, s.source, s.from, s.dest, s.to, flags.String(), s.sequence, s.id, s.loose, s.iface, s.way, s.form, s.payload)
}
