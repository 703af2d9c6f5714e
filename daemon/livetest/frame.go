//go:build linux

package livetest

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	ethernetLength = 14
	tcp            = 6
	udp            = 17
)

// A builder writes knocks as Ethernet frames with valid checksums. No two frames have the same
// source port and sequence number, so none looks like a retransmit.
type builder struct {
	frame  [128]byte
	serial uint32
}

// newBuilder returns a builder of frames from one interface to another.
func newBuilder(from, to net.HardwareAddr) *builder {
	b := &builder{}
	copy(b.frame[0:6], to)
	copy(b.frame[6:12], from)
	return b
}

// build returns the frame, which is valid until the next call.
func (b *builder) build(k Knock, to netip.Addr) []byte {
	b.serial++
	length, protocol := 20, byte(tcp)
	if k.UDP {
		length, protocol = 8+max(1, len(k.Payload)), udp
	}
	var sum uint32
	header := ethernetLength
	if k.Source.Is4() {
		header += b.ipv4(k.Source.As4(), to.As4(), protocol, length)
		sum = add(0, b.frame[ethernetLength+12:ethernetLength+20])
	} else {
		header += b.ipv6(k.Source.As16(), to.As16(), protocol, length)
		sum = add(0, b.frame[ethernetLength+8:ethernetLength+40])
	}
	segment := b.frame[header : header+length]
	clear(segment)
	binary.BigEndian.PutUint16(segment, uint16(1024+b.serial%60000))
	binary.BigEndian.PutUint16(segment[2:], k.Port)
	checksum := segment[6:]
	if k.UDP {
		binary.BigEndian.PutUint16(segment[4:], uint16(length))
		copy(segment[8:], k.Payload)
	} else {
		binary.BigEndian.PutUint32(segment[4:], b.serial)
		segment[12], segment[13] = 5<<4, 0x02 // five words; SYN
		binary.BigEndian.PutUint16(segment[14:], 64240)
		checksum = segment[16:]
	}
	sum = add(sum+uint32(protocol)+uint32(length), segment)
	folded := fold(sum)
	if k.UDP && folded == 0 {
		folded = 0xffff // 0 would mean that there is no checksum (RFC 768)
	}
	binary.BigEndian.PutUint16(checksum, folded)
	return b.frame[:header+length]
}

func (b *builder) ipv4(from, to [4]byte, protocol byte, length int) int {
	binary.BigEndian.PutUint16(b.frame[12:], 0x0800)
	h := b.frame[ethernetLength : ethernetLength+20]
	clear(h)
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+length))
	binary.BigEndian.PutUint16(h[4:], uint16(b.serial))
	copy(h[12:], from[:])
	copy(h[16:], to[:])
	binary.BigEndian.PutUint16(h[10:], fold(add(0, h)))
	return len(h)
}

func (b *builder) ipv6(from, to [16]byte, protocol byte, length int) int {
	binary.BigEndian.PutUint16(b.frame[12:], 0x86dd)
	h := b.frame[ethernetLength : ethernetLength+40]
	clear(h)
	h[0], h[6], h[7] = 0x60, protocol, 64
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	copy(h[8:], from[:])
	copy(h[24:], to[:])
	return len(h)
}

// add adds the 16-bit words of data to an internet checksum (RFC 1071).
func add(sum uint32, data []byte) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		sum += uint32(binary.BigEndian.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint32(data[0]) << 8
	}
	return sum
}

// fold returns the checksum for a sum of 16-bit words.
func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
