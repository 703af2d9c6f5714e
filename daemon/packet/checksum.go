package packet

import "encoding/binary"

// This file verifies Internet checksums (RFC 1071): the one's complement sum of 16-bit words, with
// the checksum among them, is 0xffff.
//
// A host leaves the checksum of what it sends to its network card, and a capture on that host has
// the packet before it. Linux and Windows then write the sum of the pseudo header into the field,
// and others zero. So in a capture file these two values count as right, and any other wrong value
// as wrong. They do not count in a packet that this host received: the card or the kernel says
// there when a sum is not filled in yet.

const (
	tcpSum = 16 // offset of the checksum of TCP
	udpSum = 6
)

// headerSumRight reports whether the checksum of an IPv4 header is right.
func headerSumRight(header []byte, r Reception) bool {
	unfilled := r&Live == 0 && header[10] == 0 && header[11] == 0
	return unfilled || fold(sum(0, header)) == 0xffff
}

// segmentSumRight reports whether the checksum of a whole TCP segment or UDP datagram is right. At
// is the offset of the checksum. addresses are the source and the destination as they stand in the
// IP header, and so the pseudo header without protocol and length (RFC 9293, section 3.1; RFC 8200,
// section 8.1).
func segmentSumRight(addresses, segment []byte, proto uint32, at int, r Reception) bool {
	pseudo := sum(proto+uint32(len(segment)), addresses)
	field := binary.BigEndian.Uint16(segment[at:])
	if r&Live == 0 && (field == 0 || field == fold(pseudo)) {
		return true
	}
	return fold(sum(pseudo, segment)) == 0xffff
}

// FillChecksums fills in the checksums of an IP packet that the caller made: of an IPv4 header, and
// of the TCP or UDP behind the IP header. An IPv6 packet has no extension headers.
func FillChecksums(ip []byte) {
	header, from, to, protocol := ipv6Header, 8, ipv6Header, ip[6]
	if ip[0]>>4 == 4 {
		header, from, to, protocol = int(ip[0]&0xf)*4, 12, ipv4Header, ip[9]
		fill(ip[10:], 0, ip[:header])
	}
	segment, at := ip[header:], tcpSum
	if protocol == protocolUDP {
		at = udpSum
	}
	fill(segment[at:], sum(uint32(protocol)+uint32(len(segment)), ip[from:to]), segment)
}

// fill sets the checksum of data, which is the word at field. Zero would mean that there is none.
func fill(field []byte, pseudo uint32, data []byte) {
	field[0], field[1] = 0, 0
	folded := fold(sum(pseudo, data))
	if folded != 0xffff {
		folded = ^folded
	}
	binary.BigEndian.PutUint16(field, folded)
}

// sum adds the 16-bit words of data to a sum. An odd last byte is the first of a word. The sum does
// not overflow: a packet has less than 65,536 words.
func sum(sum uint32, data []byte) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		sum += uint32(binary.BigEndian.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint32(data[0]) << 8
	}
	return sum
}

// fold adds the carries of a sum to it, and returns its 16 bits.
func fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}
