package packet

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// The frames of the tests are made by gopacket or written as bytes, never by the code under test.

var (
	mac    = []byte{2, 0, 0, 0, 0, 1}
	knock4 = layers.IPv4{Version: 4, TTL: 64, SrcIP: []byte{203, 0, 113, 9}, DstIP: []byte{192, 0, 2, 1}}
	knock6 = layers.IPv6{Version: 6, HopLimit: 64, SrcIP: address6(9), DstIP: address6(1)}
)

func address6(last byte) []byte {
	return []byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}
}

func serialize(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Bytes())
}

// syn4 returns an IPv4 packet with a SYN to port 7421, sequence number 1000.
func syn4(t testing.TB, payload string) []byte {
	ip := knock4
	ip.Protocol = layers.IPProtocolTCP
	return serialize(t, &ip, &layers.TCP{SrcPort: 40000, DstPort: 7421, SYN: true, Seq: 1000}, gopacket.Payload(payload))
}

func udp4(t testing.TB, payload string) []byte {
	ip := knock4
	ip.Protocol = layers.IPProtocolUDP
	return serialize(t, &ip, &layers.UDP{SrcPort: 40000, DstPort: 9133}, gopacket.Payload(payload))
}

func icmp4(t testing.TB, payload string) []byte {
	ip := knock4
	ip.Protocol = layers.IPProtocolICMPv4
	return serialize(t, &ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)}, gopacket.Payload(payload))
}

// tcpSegment and udpSegment return the bytes after an IP header.
func tcpSegment(t testing.TB, payload string) []byte { return syn4(t, payload)[20:] }
func udpSegment(t testing.TB, payload string) []byte { return udp4(t, payload)[20:] }

// ip6 puts an IPv6 header, and extension headers, before a segment.
func ip6(t testing.TB, next layers.IPProtocol, rest ...[]byte) []byte {
	ip := knock6
	ip.NextHeader = next
	return serialize(t, &ip, gopacket.Payload(slices.Concat(rest...)))
}

// extension returns an extension header of the common form, with size bytes in all.
func extension(next layers.IPProtocol, size int) []byte {
	b := make([]byte, size)
	b[0], b[1] = byte(next), byte(size/8-1)
	if size > 4 {
		b[2], b[3] = 1, byte(size-4) // PadN
	}
	return b
}

func ah(next layers.IPProtocol, size int) []byte {
	b := make([]byte, size)
	b[0], b[1] = byte(next), byte(size/4-2)
	return b
}

func fragmentHeader(next layers.IPProtocol, offset int, more bool) []byte {
	b := make([]byte, 8)
	b[0] = byte(next)
	binary.BigEndian.PutUint16(b[2:], uint16(offset<<3))
	if more {
		b[3] |= 1
	}
	return b
}

func ethernet(t testing.TB, kind layers.EthernetType, rest ...[]byte) []byte {
	b := slices.Concat(mac, mac, []byte{byte(kind >> 8), byte(kind)})
	return append(b, slices.Concat(rest...)...)
}

func tag(inner layers.EthernetType) []byte {
	return []byte{0x40, 42, byte(inner >> 8), byte(inner)}
}

func sll(kind layers.EthernetType, addressLength byte, rest []byte) []byte {
	b := []byte{0, 0, 0, 1, 0, addressLength, 2, 0, 0, 0, 0, 1, 0, 0, byte(kind >> 8), byte(kind)}
	return append(b, rest...)
}

func sll2(kind layers.EthernetType, rest []byte) []byte {
	b := []byte{byte(kind >> 8), byte(kind), 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}
	return append(b, rest...)
}

// with returns a copy of b in which the bytes at offset are replaced.
func with(b []byte, offset int, by ...byte) []byte {
	b = slices.Clone(b)
	copy(b[offset:], by)
	return b
}
