// Package packet turns the bytes of a captured frame into a Packet.
//
// It decodes and does nothing else: no I/O, no clock, no state that outlives a
// frame. A frame that is no knock is not an error but a [Drop], a reason that
// somebody counts.
package packet

import (
	"net/netip"
	"time"
)

// A Packet is one TCP, UDP or ICMP packet, as far as Sesame looks at it.
//
// A Packet is reused: [Decoder.Decode] overwrites every field it owns.
type Packet struct {
	// Time is the stamp of the capture. The reader sets it, not the decoder.
	Time time.Time
	// Number is the 1-based position of the packet in its capture, and Capture
	// the 1-based position of that capture, 0 when there is only one. The
	// reader sets both.
	Number  int
	Capture int

	// Source and Dest carry no zone and are never IPv4-mapped IPv6 addresses.
	Source, Dest netip.Addr
	// SourcePort and Port are zero for ICMP, except for Port.Proto.
	SourcePort uint16
	Port       Port

	// Flags and Sequence are valid iff Port.Proto is TCP.
	Flags    Flags
	Sequence uint32

	// Payload is what follows the transport header. It aliases the frame, and
	// is valid as long as the frame is. Cut says that the capture holds only
	// its beginning.
	Payload []byte
	Cut     bool
}

// Flags are the flag bits of a TCP header (RFC 9293, section 3.1).
type Flags uint8

// The TCP flags, as they stand in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// A Drop names why a packet was not a knock. Drops are counted, never logged:
// whoever sends packets decides how many there are.
type Drop uint8

// The drops. What the filter turns away unread is NotWatched, wherever it was
// going.
const (
	Kept          Drop = iota // not dropped
	Truncated                 // the capture holds less of the packet than its headers need
	NotIP                     // neither IPv4 nor IPv6
	Malformed                 // headers that contradict themselves
	Fragment                  // any fragment: ports in a later one cannot be read, in a first one not trusted
	OtherProtocol             // IP, but neither TCP, UDP nor ICMP
	NotLocal                  // not addressed to this host
	NotWatched                // no door listens to this port, or not to these flags
	Retransmit                // a TCP segment that was seen before
	Drops                     // the number of drops, for arrays
)

// dropNames are the names of the drops in transcripts, in status and in metrics.
var dropNames = [Drops]string{
	Kept: "kept", Truncated: "truncated", NotIP: "not_ip", Malformed: "malformed", Fragment: "fragment",
	OtherProtocol: "other_protocol", NotLocal: "not_local", NotWatched: "not_watched", Retransmit: "retransmit",
}

// String returns the name that the transcript uses.
func (d Drop) String() string { return dropNames[d] }
