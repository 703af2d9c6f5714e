package capture

import (
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

const (
	slotSize  = 2048          // of which the kernel uses 80 for what it says of the packet
	blockSize = 32 * slotSize // what the kernel allocates at once

	addressStart = unix.SizeofTpacket2Hdr // of the sockaddr_ll behind the header, which is aligned as it is
	addressEnd   = addressStart + unix.SizeofSockaddrLinklayer
)

// A ring is the memory that the kernel and we share: slots that it fills in
// order and that we give back in the same order.
type ring struct {
	memory []byte // a multiple of slotSize
	next   int    // offset of the slot to read next
}

func (r *ring) slots() int { return len(r.memory) / slotSize }

func (r *ring) slot() []byte { return r.memory[r.next:][:slotSize:slotSize] }

// ready reports whether the kernel has filled the next slot.
func (r *ring) ready() bool { return loadStatus(r.slot())&unix.TP_STATUS_USER != 0 }

// advance gives the slot back.
func (r *ring) advance() {
	release(r.slot())
	if r.next += slotSize; r.next == len(r.memory) {
		r.next = 0
	}
}

// arrival is what the kernel says of one packet. Its data stands in the ring.
type arrival struct {
	data       []byte // from the network header on, but for VLAN tags
	wire       int
	protocol   uint16 // EtherType
	packetType uint8  // unix.PACKET_HOST and so on
	iface      int
	tag        Tag // the outermost one, which the kernel took off; zero: none
	stamp      time.Time
}

// A Tag names a VLAN on a link: the EtherType of its tags, and its ID. An ID of 0
// is no VLAN, but a mere priority.
type Tag struct {
	EtherType, ID uint16
}

// read reads a filled slot (struct tpacket2_hdr and struct sockaddr_ll in
// linux/if_packet.h). False: it contradicts itself, and is to be stepped over.
func (a *arrival) read(slot []byte) bool {
	if len(slot) < addressEnd {
		return false
	}
	header, address := slot[:addressStart], slot[addressStart:addressEnd]
	status := binary.NativeEndian.Uint32(header)
	captured := uint64(binary.NativeEndian.Uint32(header[8:]))
	start := uint64(binary.NativeEndian.Uint16(header[14:])) // tp_net
	if start < addressEnd || start+captured > uint64(len(slot)) {
		return false
	}
	*a = arrival{
		data:       slot[start : start+captured],
		wire:       int(min(binary.NativeEndian.Uint32(header[4:]), 1<<30)),
		protocol:   binary.BigEndian.Uint16(address[2:]),
		packetType: address[10],
		iface:      int(int32(binary.NativeEndian.Uint32(address[4:]))),
		stamp: time.Unix(int64(binary.NativeEndian.Uint32(header[16:])),
			int64(binary.NativeEndian.Uint32(header[20:]))).UTC(),
	}
	if status&unix.TP_STATUS_VLAN_VALID != 0 {
		a.tag = Tag{packet.EtherTypeVLAN, binary.NativeEndian.Uint16(header[24:]) & 0xfff}
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			a.tag.EtherType = binary.NativeEndian.Uint16(header[26:])
		}
	}
	a.wire = max(a.wire, len(a.data))
	return true
}

// untag steps over the VLAN tags that are left in the data, and returns what it
// is then. False: neither IPv4 nor IPv6.
func (a *arrival) untag() (packet.LinkType, bool) {
	protocol, offset := packet.Untag(a.protocol, a.data)
	if a.tag != (Tag{}) && !a.begins(protocol) {
		// Since Linux 6.10 the protocol is that behind all tags, even when the
		// data begins with one. It does not unless one was taken off.
		if inner, after := packet.Untag(packet.EtherTypeVLAN, a.data); inner == protocol {
			offset = after
		}
	}
	if offset > len(a.data) {
		return 0, false
	}
	a.data, a.wire = a.data[offset:], a.wire-offset
	switch protocol {
	case packet.EtherTypeIPv4:
		return packet.IPv4, true
	case packet.EtherTypeIPv6:
		return packet.IPv6, true
	}
	return 0, false
}

// begins reports whether the data can begin with a packet of this protocol, which
// is what the kernel said: with its version, and a length that fits. A tag with a
// priority may look like the version; the length is then part of something else,
// and too long.
func (a *arrival) begins(protocol uint16) bool {
	if protocol != a.protocol || len(a.data) < 6 {
		return true
	}
	switch protocol {
	case packet.EtherTypeIPv4:
		return a.data[0]>>4 == 4 && int(binary.BigEndian.Uint16(a.data[2:])) <= a.wire
	case packet.EtherTypeIPv6:
		return a.data[0]>>4 == 6 && 40+int(binary.BigEndian.Uint16(a.data[4:])) <= a.wire
	}
	return true
}

// network returns v in network byte order, as the kernel wants a protocol.
func network(v uint16) uint16 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return v
	}
	return bits.ReverseBytes16(v)
}
