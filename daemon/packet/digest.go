package packet

import (
	"encoding/binary"
	"hash/crc32"
)

// This file computes the identity of a packet, by which a copy of it is known: of a bridge and its
// port, of both ends of a veth pair, of a mirror port.
//
// The hash is two CRCs of 32 bits with different polynomials. The processor computes both, and they
// are the same on every machine. A stranger can make two packets with the same digest. It gains
// nothing: a copy has the same addresses and ports too, so the stranger can only lose knocks of its
// own.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A hash is the state of a digest.
type hash struct{ ieee, castagnoli uint32 }

func (h *hash) write(b []byte) {
	h.ieee = crc32.Update(h.ieee, crc32.IEEETable, b)
	h.castagnoli = crc32.Update(h.castagnoli, castagnoli, b)
}

func (h *hash) sum() uint64 { return uint64(h.ieee)<<32 | uint64(h.castagnoli) }

// digest returns the digest of bytes; 0 when there are none.
func digest(b []byte) uint64 {
	var h hash
	h.write(b)
	return h.sum()
}

// LinkDigest returns [Packet.LinkDigest] for a link header, in whatever form its reader has it; 0
// for none.
func LinkDigest(header []byte) uint64 { return digest(header) }

// digest4 returns the digest of a whole IPv4 header and of what was captured after it, without the
// fields that a router changes: the time to live and the checksum. The header has the length on the
// wire.
func (d *Decoder) digest4(ip []byte) uint64 {
	var h hash
	header := &d.header // on the stack it would be allocated for each packet
	copy(header[:], ip)
	header[8] = 0
	binary.BigEndian.PutUint16(header[10:], 0)
	h.write(header[:])
	h.write(ip[ipv4Header:])
	return h.sum()
}

// digest6 does the same for IPv6. Only the hop limit changes on the way.
func (d *Decoder) digest6(ip []byte) uint64 {
	var h hash
	start := d.header[:8]
	copy(start, ip)
	start[7] = 0
	h.write(start)
	h.write(ip[8:])
	return h.sum()
}
