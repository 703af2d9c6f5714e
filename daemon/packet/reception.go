package packet

import "encoding/binary"

// A Reception says what is known of how a frame was received, beside its bytes. It is a set of
// bits. Zero is a frame of a capture file: nothing is known, not even whether it was received or
// sent.
type Reception uint8

// The bits of a Reception.
const (
	// Live means that this host received the frame now. Only then is a checksum that nobody has
	// filled in a wrong one.
	Live Reception = 1 << iota
	// Vouched means that the card or the kernel answers for the checksum of TCP or UDP: it was
	// verified already, or it is filled in only when the packet leaves the machine.
	Vouched
	// Loopback means that the frame came over a loopback interface.
	Loopback
	// Judged means that a daemon kept the packet when it received it. So it is not judged again: a
	// recording replays as it was, whatever this version takes for malformed.
	Judged
)

// arphrdLoopback is the type of a loopback interface in cooked captures (linux/if_arp.h).
const arphrdLoopback = 772

// onLoopback reports whether a frame of a capture file was on a loopback interface, and whether
// that can be told. Linux gives a frame on the loopback an Ethernet header without addresses. NULL
// does not tell: BSD uses it for tunnels too.
func (l LinkType) onLoopback(frame []byte) (loopback, known bool) {
	switch {
	case l == Ethernet && len(frame) >= ethernetHeader:
		return binary.BigEndian.Uint64(frame) == 0 && binary.BigEndian.Uint32(frame[8:]) == 0, true
	case l == SLL && len(frame) >= sllHeader:
		return binary.BigEndian.Uint16(frame[2:]) == arphrdLoopback, true
	case l == SLL2 && len(frame) >= sll2Header:
		return binary.BigEndian.Uint16(frame[8:]) == arphrdLoopback, true
	}
	return false, false
}

// place returns whether a frame came over a loopback interface, and whether that is known.
func (r Reception) place(l LinkType, frame []byte) (loopback, known bool) {
	if r&(Live|Loopback) != 0 {
		return r&Loopback != 0, true
	}
	return l.onLoopback(frame)
}
