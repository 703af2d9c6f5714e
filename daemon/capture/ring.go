package capture

import (
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

const (
	slotSize  = 2048          // bytes, of which the kernel uses 80 for its header
	blockSize = 32 * slotSize // bytes that the kernel allocates in one piece

	addressStart = unix.SizeofTpacket2Hdr // the sockaddr_ll follows the header, whose size is aligned already
	addressEnd   = addressStart + unix.SizeofSockaddrLinklayer
)

// A ring is the memory that the kernel shares with this process. It is an array of slots. The
// kernel fills them in order, and this process releases them in the same order.
type ring struct {
	memory []byte // a multiple of slotSize
	next   int    // offset of the slot to read next
}

func (r *ring) slots() int { return len(r.memory) / slotSize }

func (r *ring) slot() []byte { return r.memory[r.next:][:slotSize:slotSize] }

// ready reports whether the kernel has filled the next slot.
func (r *ring) ready() bool { return loadStatus(r.slot())&unix.TP_STATUS_USER != 0 }

// advance releases the slot to the kernel and moves on to the next.
func (r *ring) advance() {
	release(r.slot())
	if r.next += slotSize; r.next == len(r.memory) {
		r.next = 0
	}
}

// An arrival is one received packet with the kernel's header. Its data aliases the ring.
type arrival struct {
	data       []byte // from the network header on; VLAN tags may precede it
	wire       int
	protocol   uint16 // EtherType
	packetType uint8  // unix.PACKET_HOST or another
	iface      int
	tag        Tag    // the outermost VLAN tag, which the kernel removed; zero: none
	left       bool   // further tags were left in the data, until untag
	inner      uint16 // the first VLAN ID in them; 0: none
	reception  packet.Reception
	stamp      time.Time
	sender     [1 + hardwareAddress]byte // length and bytes of the sender's hardware address
}

// hardwareAddress is how many bytes of a hardware address the kernel tells. Longer ones are cut.
const hardwareAddress = 8

// A Tag identifies a VLAN on a link by the EtherType of its tags and its ID. A tag with ID 0 is no
// VLAN: it holds only a priority (IEEE 802.1Q).
type Tag struct {
	EtherType, ID uint16
}

// read reads a filled slot (struct tpacket2_hdr and struct sockaddr_ll in linux/if_packet.h). It
// returns false for a slot that contradicts itself, which the caller skips.
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
		reception:  reception(status, binary.NativeEndian.Uint16(address[8:])),
		stamp: time.Unix(int64(binary.NativeEndian.Uint32(header[16:])),
			int64(binary.NativeEndian.Uint32(header[20:]))).UTC(),
	}
	if status&unix.TP_STATUS_VLAN_VALID != 0 {
		a.tag = Tag{packet.EtherTypeVLAN, binary.NativeEndian.Uint16(header[24:]) & 0xfff}
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			a.tag.EtherType = binary.NativeEndian.Uint16(header[26:])
		}
	}
	copy(a.sender[:], address[11:])
	a.wire = max(a.wire, len(a.data))
	return true
}

// linkDigest returns the digest of what the kernel tells of the link header: the sender, for whom
// the frame is, and the VLAN. It is 0 when the link has no header, as that of a tun device. The
// receiver's address is not told.
func (a *arrival) linkDigest() uint64 {
	if a.sender[0] == 0 && a.tag == (Tag{}) && a.inner == 0 {
		return 0
	}
	var header [len(a.sender) + 7]byte
	n := copy(header[:], a.sender[:])
	header[n] = a.packetType
	binary.BigEndian.PutUint16(header[n+1:], a.tag.EtherType)
	binary.BigEndian.PutUint16(header[n+3:], a.tag.ID)
	binary.BigEndian.PutUint16(header[n+5:], a.inner)
	return packet.LinkDigest(header[:])
}

// reception returns how a packet was received, from the status of its slot and the type of its
// interface. CSUMNOTREADY means that the checksum is filled in when the packet leaves the machine;
// so it comes from this machine, a container or a virtual one. CSUM_VALID means that it was
// verified. Without either, nobody has looked at it yet.
func reception(status uint32, interfaceType uint16) packet.Reception {
	r := packet.Live
	if status&(unix.TP_STATUS_CSUMNOTREADY|unix.TP_STATUS_CSUM_VALID) != 0 {
		r |= packet.Vouched
	}
	if interfaceType == unix.ARPHRD_LOOPBACK {
		r |= packet.Loopback
	}
	return r
}

// untag steps over the VLAN tags that are left in the data, and returns the type of the packet
// after them. It returns false if that is neither IPv4 nor IPv6.
func (a *arrival) untag() (packet.LinkType, bool) {
	protocol, offset := packet.Untag(a.protocol, a.data)
	if a.tag != (Tag{}) && !a.begins(protocol) {
		// Since Linux 6.10 the protocol is the one after all tags, even when data begins with a
		// tag. Data begins with a tag only if the kernel removed another one.
		if inner, after := packet.Untag(packet.EtherTypeVLAN, a.data); inner == protocol {
			offset = after
		}
	}
	if offset > len(a.data) {
		return 0, false
	}
	for at := 0; at < offset && a.inner == 0; at += 4 {
		a.left, a.inner = true, binary.BigEndian.Uint16(a.data[at:])&0xfff
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

// begins reports whether the data can begin with a packet of this protocol: it has the right
// version and a length that fits. A tag with a priority may look like the version. Then the bytes
// of the length are part of something else, and give a length that does not fit.
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

// network returns v in network byte order, in which the kernel expects a protocol.
func network(v uint16) uint16 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return v
	}
	return bits.ReverseBytes16(v)
}
