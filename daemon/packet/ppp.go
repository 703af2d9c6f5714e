package packet

import "encoding/binary"

const (
	hdlcHeader = 4

	// The addresses of HDLC framing: of PPP (RFC 1662, section 3.1), and of Cisco's HDLC.
	addressPPP       = 0xff
	addressUnicast   = 0x0f
	addressBroadcast = 0x8f
	controlPPP       = 0x03

	pppIPv4          = 0x0021
	pppIPv6          = 0x0057
	pppMPLS          = 0x0281
	pppMPLSMulticast = 0x0283
)

// pppFrame reads a PPP frame, with or without the framing of HDLC.
func pppFrame(frame []byte) (carries Kind, offset int) {
	switch {
	case len(frame) == 1 && frame[0] == addressPPP:
		return 0, 2
	case len(frame) >= 2 && frame[0] == addressPPP && frame[1] == controlPPP:
		carries, offset = unwrap(pppNext, frame[2:])
		return carries, 2 + offset
	}
	return unwrap(pppNext, frame)
}

// pppHDLCFrame reads a frame of a serial line, on which PPP or Cisco's HDLC may be spoken. The
// address tells which.
func pppHDLCFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) > 0 && (frame[0] == addressUnicast || frame[0] == addressBroadcast) {
		return hdlcFrame(frame)
	}
	return pppFrame(frame)
}

// hdlcFrame reads the header of Cisco's HDLC: address, control, EtherType.
func hdlcFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) < hdlcHeader {
		return 0, hdlcHeader
	}
	carries, offset = unwrap(etherKind(frame[2:]), frame[hdlcHeader:])
	return carries, hdlcHeader + offset
}

// ppp reads the protocol of a PPP frame (RFC 1661, section 2). The last byte of a number is odd and
// the first one even, so a peer may leave a first byte of zero away (section 6.5).
func ppp(data []byte) (next Kind, size int) {
	if len(data) == 0 {
		return 0, 1
	}
	number, size := uint16(data[0]), 1
	if number&1 == 0 {
		if size = 2; len(data) < size {
			return 0, size
		}
		number = binary.BigEndian.Uint16(data)
	}
	switch number {
	case pppIPv4:
		return EtherTypeIPv4, size
	case pppIPv6:
		return EtherTypeIPv6, size
	case pppMPLS, pppMPLSMulticast:
		return etherTypeMPLS, size
	}
	return protocolsPPP.kind(number), size
}
