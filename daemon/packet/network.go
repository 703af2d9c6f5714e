package packet

import "encoding/binary"

const (
	ipv4Header = 20 // without options
	ipv6Header = 40
)

// The protocols of IP (IANA, Protocol Numbers) that the decoder knows.
const (
	protocolHopByHop    = 0
	protocolICMP        = 1
	protocolTCP         = 6
	protocolUDP         = 17
	protocolRouting     = 43
	protocolFragment    = 44
	protocolAH          = 51
	protocolICMP6       = 58
	protocolDestination = 60
)

// A header is what the decoder needs of the headers of an IP packet.
type header struct {
	addressed   bool   // both addresses are there
	protocol    uint8  // after the last extension header
	id          uint16 // of IPv4
	size        int    // bytes of all headers so far, including one that could not be read; 0: another version
	length      int    // of the packet, according to its header
	fragment    bool   // a part of a packet
	mayFragment bool   // IPv4: the flag "don't fragment" is not set
	later       bool   // a fragment other than the first one: it has no transport header
	sourceRoute bool   // a routing header of type 0, which no host may accept (RFC 5095)
}

// read4 reads an IPv4 header (RFC 791, section 3.1). It returns false when the header cannot be
// read to its end, or contradicts itself.
func (h *header) read4(data []byte) bool {
	*h = header{size: ipv4Header}
	if len(data) > 0 && data[0]>>4 != 4 {
		h.size = 0
		return false
	}
	if len(data) < ipv4Header {
		return false
	}
	h.addressed = true
	h.size, h.length = int(data[0]&0xf)*4, int(binary.BigEndian.Uint16(data[2:]))
	h.id, h.protocol = binary.BigEndian.Uint16(data[4:]), data[9]
	const dontFragment, moreFragments, offset = 0x4000, 0x2000, 0x1fff
	bits := binary.BigEndian.Uint16(data[6:])
	h.mayFragment = bits&dontFragment == 0
	h.later = bits&offset != 0
	h.fragment = h.later || bits&moreFragments != 0
	if h.size < ipv4Header || h.size > h.length || h.size > len(data) {
		return false
	}
	return optionsEnd(data[ipv4Header:h.size])
}

// optionsEnd reports whether the options of an IPv4 or TCP header end within it. Both have the same
// form (RFC 791, section 3.1; RFC 9293, section 3.1): 0 ends them, 1 is a byte of padding, and each
// other kind is followed by its length.
func optionsEnd(options []byte) bool {
	for len(options) > 0 && options[0] != 0 {
		length := 1
		if options[0] != 1 {
			if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
				return false
			}
			length = int(options[1])
		}
		options = options[length:]
	}
	return true
}

// read6 reads an IPv6 header and its extension headers (RFC 8200, section 4), up to the first
// header of a fragment.
func (h *header) read6(data []byte) bool {
	*h = header{size: ipv6Header}
	if len(data) > 0 && data[0]>>4 != 6 {
		h.size = 0
		return false
	}
	if len(data) < ipv6Header {
		return false
	}
	h.addressed, h.protocol = true, data[6]
	h.length = ipv6Header + int(binary.BigEndian.Uint16(data[4:]))
	return h.skipExtensions(data[:min(h.length, len(data))])
}

// skipExtensions steps over the extension headers. Each has at least 8 bytes, so the length of the
// packet bounds the number of steps.
func (h *header) skipExtensions(data []byte) bool {
	for Extension(h.protocol) {
		if h.protocol == protocolHopByHop && h.size != ipv6Header {
			return false // it must be the first one
		}
		start := h.size
		if h.size = start + 8; h.size > len(data) {
			return false
		}
		extension := data[start:]
		switch h.protocol {
		case protocolFragment:
			// With offset 0 and no further fragment it is a whole datagram (RFC 6946, "atomic
			// fragment"), and a host accepts it as such.
			if bits := binary.BigEndian.Uint16(extension[2:]); bits&0xfff9 != 0 {
				h.fragment, h.later = true, bits&0xfff8 != 0
				h.protocol = extension[0]
				return true
			}
		case protocolAH:
			h.size = start + (int(extension[1])+2)*4 // RFC 4302, section 2.2
		default:
			h.sourceRoute = h.sourceRoute || h.protocol == protocolRouting && extension[2] == 0
			h.size = start + (int(extension[1])+1)*8
		}
		if h.size > len(data) {
			return false
		}
		h.protocol = extension[0]
	}
	return true
}

// Extension reports whether an IPv6 next header value announces an extension header that the
// decoder steps over.
func Extension(next uint8) bool {
	switch next {
	case protocolHopByHop, protocolRouting, protocolFragment, protocolAH, protocolDestination:
		return true
	}
	return false
}

// transport4 and transport6 return the protocol after the headers of IPv4 and of IPv6. They return
// NoProto for a protocol that is never a knock.
func (h *header) transport4() Proto {
	if h.protocol == protocolICMP {
		return ICMP
	}
	return h.port()
}

func (h *header) transport6() Proto {
	if h.protocol == protocolICMP6 {
		return ICMP
	}
	return h.port()
}

func (h *header) port() Proto {
	switch h.protocol {
	case protocolTCP:
		return TCP
	case protocolUDP:
		return UDP
	}
	return NoProto
}
