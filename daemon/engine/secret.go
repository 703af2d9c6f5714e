package engine

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"

	"sesame/daemon/packet"
)

// A secret is the key of the hashes by which packets are remembered. Without it a stranger cannot
// make two packets that have the same hash. Unlike a seed of package maphash it can be saved, so
// that an engine can continue elsewhere.
type secret [2]uint64

func newSecret() secret {
	return secret{maphash.Comparable(maphash.MakeSeed(), 0), maphash.Comparable(maphash.MakeSeed(), 0)}
}

// segment returns the hash by which older versions knew a TCP segment.
func (s secret) segment(source netip.Addr, sequence uint32, from, port uint16) uint64 {
	a := source.As16()
	h := s.begin()
	h.add(binary.BigEndian.Uint64(a[:8]))
	h.add(binary.BigEndian.Uint64(a[8:]))
	h.add(uint64(sequence)<<32 | uint64(from)<<16 | uint64(port))
	return h.end()
}

// connection is segment with the destination.
func (s secret) connection(p *packet.Packet) uint64 {
	h := s.addresses(p)
	h.add(uint64(p.Sequence)<<32 | uint64(p.SourcePort)<<16 | uint64(p.Port.Number))
	return h.end()
}

// copy returns the hash that identifies a packet. Copies of it have the same.
func (s secret) copy(p *packet.Packet) uint64 {
	h := s.addresses(p)
	h.add(p.Digest)
	h.add(uint64(p.SourcePort)<<16 | uint64(p.Port.Number))
	return h.end()
}

// addresses begins a hash with the addresses of a packet.
func (s secret) addresses(p *packet.Packet) sipHash {
	a, b := p.Source.As16(), p.Dest.As16()
	h := s.begin()
	h.add(binary.BigEndian.Uint64(a[:8]))
	h.add(binary.BigEndian.Uint64(a[8:]))
	h.add(binary.BigEndian.Uint64(b[:8]))
	h.add(binary.BigEndian.Uint64(b[8:]))
	return h
}

// flow returns the hash that identifies a UDP flow, with source as the one who began it.
func (s secret) flow(source, dest netip.Addr, from, port uint16) uint64 {
	a, b := source.As16(), dest.As16()
	h := s.begin()
	h.add(binary.BigEndian.Uint64(a[:8]))
	h.add(binary.BigEndian.Uint64(a[8:]))
	h.add(binary.BigEndian.Uint64(b[:8]))
	h.add(binary.BigEndian.Uint64(b[8:]))
	h.add(uint64(from)<<16 | uint64(port))
	return h.end()
}

// A sipHash is the state of SipHash-1-3 (Aumasson and Bernstein, 2012). The input has a fixed
// length, so the length is left out.
type sipHash struct{ a, b, c, d uint64 }

func (s secret) begin() sipHash {
	return sipHash{s[0] ^ 0x736f6d6570736575, s[1] ^ 0x646f72616e646f6d, s[0] ^ 0x6c7967656e657261, s[1] ^ 0x7465646279746573}
}

func (m *sipHash) add(word uint64) {
	m.d ^= word
	m.round()
	m.a ^= word
}

func (m *sipHash) end() uint64 {
	m.c ^= 0xff
	m.round()
	m.round()
	m.round()
	return m.a ^ m.b ^ m.c ^ m.d
}

func (m *sipHash) round() {
	m.a += m.b
	m.b = bits.RotateLeft64(m.b, 13) ^ m.a
	m.a = bits.RotateLeft64(m.a, 32)
	m.c += m.d
	m.d = bits.RotateLeft64(m.d, 16) ^ m.c
	m.a += m.d
	m.d = bits.RotateLeft64(m.d, 21) ^ m.a
	m.c += m.b
	m.b = bits.RotateLeft64(m.b, 17) ^ m.c
	m.c = bits.RotateLeft64(m.c, 32)
}
