package firewall

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A layout defines which fields follow the source in the keys of a set.
type layout uint8

const (
	sourceAlone layout = iota
	sourceNumber
	sourcePort // protocol and number
)

// A sourceSet is a set of sources, each with what it may reach.
type sourceSet struct {
	table    table
	name     string
	v6       bool
	layout   layout
	interval bool // it holds networks
	observed bool // it gives no access
}

// A place identifies an element in the kernel: two elements of one place are the same. Its
// source is masked, has no zone, and is never an IPv4 address written as IPv6.
type place struct {
	source   netip.Prefix
	port     packet.Port
	observed bool
}

// placeOf returns the place of an element. It fails for what the kernel cannot hold.
func placeOf(e effect.Element) (place, error) {
	source := unmapped(e.Source)
	switch {
	case !source.IsValid():
		return place{}, fmt.Errorf("element for %v: expected an address or a network", e.Source)
	case e.Port.Number == 0 || protocolNumber(e.Port.Proto) == 0:
		return place{}, fmt.Errorf("element for port %v: expected tcp/NUMBER or udp/NUMBER", e.Port)
	}
	return place{source.Masked(), e.Port, e.Observed}, nil
}

// unmapped returns an IPv4 network that is written as an IPv6 one as what it is.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// protocolNumber returns the IP protocol number of a transport that an element can be for; 0:
// there is none.
func protocolNumber(p packet.Proto) byte {
	switch p {
	case packet.TCP:
		return unix.IPPROTO_TCP
	case packet.UDP:
		return unix.IPPROTO_UDP
	case packet.NoProto, packet.ICMP: // no port
	}
	return 0
}

func protocolOf(number byte) packet.Proto {
	switch number {
	case unix.IPPROTO_TCP:
		return packet.TCP
	case unix.IPPROTO_UDP:
		return packet.UDP
	}
	return packet.NoProto
}

// key returns the members that stand for a place in the kernel, without their time-outs. A
// network in a set of several fields is one member with an end. In a set of sources alone it
// is two: its first address, and the first one behind it, if there is one.
func (s sourceSet) key(p place) []member {
	first := s.keyOf(p.source.Addr(), p.port)
	if !s.interval {
		return []member{{key: first}}
	}
	last := netipx.PrefixLastIP(p.source)
	if s.layout != sourceAlone {
		return []member{{key: first, end: s.keyOf(last, p.port)}}
	}
	members := []member{{key: first}}
	if next := last.Next(); next.IsValid() {
		members = append(members, member{key: s.keyOf(next, p.port), boundary: true})
	}
	return members
}

// keyOf returns the bytes of a key: address, protocol and port, each field padded to four
// bytes and in network byte order.
func (s sourceSet) keyOf(a netip.Addr, port packet.Port) []byte {
	key := a.AsSlice()
	if s.layout == sourcePort {
		key = append(key, protocolNumber(port.Proto), 0, 0, 0)
	}
	if s.layout != sourceAlone {
		key = append(binary.BigEndian.AppendUint16(key, port.Number), 0, 0)
	}
	return key
}

// element reads a member back. It returns false for one without a comment of ours, and for a
// member that is not an element.
func (s sourceSet) element(m member) (effect.Element, bool) {
	width := 4
	if s.v6 {
		width = 16
	}
	if len(m.key) < width || m.boundary {
		return effect.Element{}, false
	}
	e := effect.Element{Remaining: m.expires, Observed: s.observed}
	source := addressOf(m.key[:width])
	e.Source = netip.PrefixFrom(source, source.BitLen())
	if len(m.end) >= width {
		// Of a range that is no network, which is not ours, the first address is returned.
		if network, ok := netipx.IPRangeFrom(source, addressOf(m.end[:width])).Prefix(); ok {
			e.Source = network
		}
	}
	rest := m.key[width:]
	if s.layout == sourcePort && len(rest) >= 4 {
		e.Port.Proto = protocolOf(rest[0])
		rest = rest[4:]
	}
	if s.layout != sourceAlone && len(rest) >= 2 {
		e.Port.Number = binary.BigEndian.Uint16(rest)
	}
	var ours bool
	e.Grant, e.Door, ours = parseComment(m.comment)
	return e, ours
}

// place returns the place of a member. It returns false for a key that we would not write.
func (s sourceSet) place(m member) (place, bool) {
	e, _ := s.element(m)
	p, err := placeOf(e)
	if err != nil {
		return place{}, false
	}
	key := s.key(p)[0]
	return p, bytes.Equal(key.key, m.key) && bytes.Equal(key.end, m.end)
}

// compare orders elements by address, network size and port.
func compare(a, b effect.Element) int {
	return cmp.Or(a.Source.Addr().Compare(b.Source.Addr()), cmp.Compare(a.Source.Bits(), b.Source.Bits()), comparePorts(a.Port, b.Port))
}

func comparePorts(a, b packet.Port) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
}

// maxComment is the longest comment that nft reads back from its own listing, in bytes
// (NFTNL_UDATA_COMMENT_MAXLEN is 128, with a zero byte).
const maxComment = 127

const commentMark = "grant "

// comment names the grant and the door of an element, for [parseComment] and for people who
// list the table. nft prints comments unescaped between quotes, and people load what it
// prints, so a door's name must not be able to end the quotation: it is escaped as in a URL.
func comment(grant uint64, door string) string {
	c := commentMark + strconv.FormatUint(grant, 10)
	if door == "" {
		return c
	}
	c += " " + url.PathEscape(door)
	if len(c) <= maxComment {
		return c
	}
	c = c[:maxComment]
	// An escape that is cut off would not be read back.
	if i := strings.LastIndexByte(c, '%'); i > len(c)-3 {
		c = c[:i]
	}
	return c
}

// parseComment reads what comment wrote, and returns false for another comment. A long name
// of a door comes back cut.
func parseComment(c string) (grant uint64, door string, ours bool) {
	rest, ours := strings.CutPrefix(c, commentMark)
	number, door, _ := strings.Cut(rest, " ")
	grant, err := strconv.ParseUint(number, 10, 64)
	if !ours || err != nil {
		return 0, "", false
	}
	if plain, err := url.PathUnescape(door); err == nil {
		door = plain
	}
	return grant, door, true
}

// member returns the members that the kernel must hold for an element.
func (s sourceSet) member(p place, remaining time.Duration, grant uint64, door string) []member {
	members := s.key(p)
	for i := range members {
		if !members[i].boundary {
			members[i].timeout, members[i].comment = remaining, comment(grant, door)
		}
	}
	return members
}
