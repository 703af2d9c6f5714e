package capture

import (
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// An arrival is one received packet with what the kernel tells of it. Its data aliases the batch.
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

const (
	auxDataSize   = 20 // bytes of struct tpacket_auxdata in linux/if_packet.h
	timespecSize  = 16 // bytes of struct timespec
	shortTimespec = 8  // the same where a long has 32 bits
)

// read reads a message. It returns false for one that contradicts itself, which the caller skips.
func (a *arrival) read(m message) bool {
	if len(m.address) < unix.SizeofSockaddrLinklayer {
		return false
	}
	*a = arrival{
		data:       m.data,
		protocol:   binary.BigEndian.Uint16(m.address[2:]),
		packetType: m.address[10],
		iface:      int(int32(binary.NativeEndian.Uint32(m.address[4:]))),
	}
	copy(a.sender[:], m.address[11:])
	interfaceType := binary.NativeEndian.Uint16(m.address[8:])
	for rest := m.control; len(rest) >= unix.SizeofCmsghdr; {
		header, data, after, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return false
		}
		a.control(header, data, interfaceType)
		rest = after
	}
	return a.reception != 0 && !a.stamp.IsZero()
}

// control reads a control message: what the kernel tells of the packet (PACKET_AUXDATA in
// packet(7)), or the time of its arrival (SO_TIMESTAMPNS in socket(7)).
func (a *arrival) control(header unix.Cmsghdr, data []byte, interfaceType uint16) {
	native := binary.NativeEndian
	switch {
	case header.Level == unix.SOL_PACKET && header.Type == unix.PACKET_AUXDATA && len(data) >= auxDataSize:
		status := native.Uint32(data)
		a.reception = reception(status, interfaceType)
		a.wire = max(int(min(native.Uint32(data[4:]), 1<<30)), len(a.data))
		if status&unix.TP_STATUS_VLAN_VALID != 0 {
			a.tag = Tag{packet.EtherTypeVLAN, native.Uint16(data[16:]) & 0xfff}
			if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				a.tag.EtherType = native.Uint16(data[18:])
			}
		}
	case header.Level != unix.SOL_SOCKET || header.Type != unix.SCM_TIMESTAMPNS:
	case len(data) >= timespecSize:
		a.stamp = time.Unix(int64(native.Uint64(data)), int64(native.Uint64(data[8:]))).UTC()
	case len(data) >= shortTimespec:
		a.stamp = time.Unix(int64(native.Uint32(data)), int64(native.Uint32(data[4:]))).UTC()
	}
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

// reception returns how a packet was received, from the status that the kernel gives it and the
// type of its interface. CSUMNOTREADY means that the checksum is filled in when the packet leaves
// the machine; so it comes from this machine, a container or a virtual one. CSUM_VALID means that
// it was verified. Without either, nobody has looked at it yet.
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
