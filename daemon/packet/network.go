package packet

import (
	"encoding/binary"
	"errors"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

const (
	ipv4Header = 20 // without options
	ipv6Header = 40
)

// These errors stay in the package: the Decoder turns each into a Drop.
var (
	errShort   = errors.New("header does not end in the packet")
	errVersion = errors.New("wrong IP version")
	errOrder   = errors.New("hop-by-hop options behind another header")
)

// ipv4 is gopacket's layer with two differences. It checks the version. And only TCP, UDP and ICMP
// follow it, so a packet inside a tunnel packet is never taken for one from the network.
type ipv4 struct{ layers.IPv4 }

func (ip *ipv4) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	if len(data) > 0 && data[0]>>4 != 4 {
		return errVersion
	}
	return ip.IPv4.DecodeFromBytes(data, df)
}

func (ip *ipv4) NextLayerType() gopacket.LayerType {
	if ip.fragment() {
		return gopacket.LayerTypeFragment
	}
	switch ip.Protocol {
	case layers.IPProtocolTCP, layers.IPProtocolUDP, layers.IPProtocolICMPv4:
		return ip.Protocol.LayerType()
	}
	return gopacket.LayerTypeZero
}

func (ip *ipv4) fragment() bool {
	return ip.Flags&layers.IPv4MoreFragments != 0 || ip.FragOffset != 0
}

// headerLength returns the length of an IPv4 header in bytes, or the least length when data is
// empty. It returns 0 for another version of IP.
func (ip *ipv4) headerLength(data []byte) int {
	switch {
	case len(data) == 0:
		return ipv4Header
	case data[0]>>4 != 4:
		return 0
	}
	return max(ipv4Header, int(data[0]&0xf)*4)
}

// ipv6 is a decoding layer for an IPv6 header and its extension headers (RFC 8200, section 4). It
// replaces gopacket's layer, which allocates an object for each option in the packet, and takes
// link padding for payload when there is a hop-by-hop header.
type ipv6 struct {
	layers.BaseLayer
	next     layers.IPProtocol // the protocol after the last extension header
	length   int               // of the packet, according to its header
	need     int               // bytes of all headers so far, including the one that could not be read
	fragment bool              // a fragment; Payload is not set
	// sourceRoute means a routing header of type 0, which no host may accept (RFC 5095).
	sourceRoute bool
}

func (ip *ipv6) CanDecode() gopacket.LayerClass { return layers.LayerTypeIPv6 }

func (ip *ipv6) NextLayerType() gopacket.LayerType {
	switch {
	case ip.fragment:
		return gopacket.LayerTypeFragment
	case ip.next == layers.IPProtocolTCP, ip.next == layers.IPProtocolUDP, ip.next == layers.IPProtocolICMPv6:
		return ip.next.LayerType()
	}
	return gopacket.LayerTypeZero
}

func (ip *ipv6) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	*ip = ipv6{}
	if len(data) > 0 && data[0]>>4 != 6 {
		return errVersion
	}
	ip.need = ipv6Header
	if len(data) < ipv6Header {
		df.SetTruncated()
		return errShort
	}
	ip.next = layers.IPProtocol(data[6])
	ip.length = ipv6Header + int(binary.BigEndian.Uint16(data[4:]))
	data = data[:min(ip.length, len(data))]
	if err := ip.skipExtensions(data, df); err != nil {
		return err
	}
	ip.Contents, ip.Payload = data[:ip.need], data[ip.need:]
	return nil
}

// skipExtensions steps over the extension headers, and stops at the header of a fragment. Each
// header has at least 8 bytes, so the length of the packet bounds the number of steps.
func (ip *ipv6) skipExtensions(data []byte, df gopacket.DecodeFeedback) error {
	for Extension(uint8(ip.next)) {
		if ip.next == layers.IPProtocolIPv6HopByHop && ip.need != ipv6Header {
			return errOrder
		}
		start := ip.need
		if ip.need = start + 8; ip.need > len(data) {
			df.SetTruncated()
			return errShort
		}
		header := data[start:]
		switch ip.next {
		case layers.IPProtocolIPv6Fragment:
			// With offset 0 and no further fragment it is a whole datagram (RFC 6946, "atomic
			// fragment"), and a host accepts it as such.
			if binary.BigEndian.Uint16(header[2:])&0xfff9 != 0 {
				ip.fragment = true
				return nil
			}
		case layers.IPProtocolIPv6Routing:
			ip.sourceRoute = ip.sourceRoute || header[2] == 0
			ip.need = start + (int(header[1])+1)*8
		case layers.IPProtocolAH:
			ip.need = start + (int(header[1])+2)*4 // RFC 4302, section 2.2
		default:
			ip.need = start + (int(header[1])+1)*8
		}
		if ip.need > len(data) {
			df.SetTruncated()
			return errShort
		}
		ip.next = layers.IPProtocol(header[0])
	}
	return nil
}

// Extension reports whether an IPv6 next header value announces an extension
// header that the decoder steps over.
func Extension(next uint8) bool {
	switch layers.IPProtocol(next) {
	case layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Fragment,
		layers.IPProtocolAH, layers.IPProtocolIPv6Destination:
		return true
	}
	return false
}
