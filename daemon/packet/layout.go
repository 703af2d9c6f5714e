package packet

// A Layout says where the parts of an IP packet are, in bytes from the beginning of its header.
type Layout struct {
	Transport int   // of the header of TCP, UDP or ICMP
	Payload   int   // of what follows that header
	Length    int   // of the packet, according to its header. The capture may hold less, or more
	Protocol  uint8 // of IP: the number of TCP, UDP, ICMP or ICMPv6
}

// Layout returns the layout of the last packet that was not dropped. It is that of the innermost
// packet of a frame.
func (d *Decoder) Layout() Layout {
	ip := &d.ip4
	if d.carried == EtherTypeIPv6 {
		ip = &d.ip6
	}
	return Layout{Transport: ip.size, Payload: ip.size + d.segment.need, Length: ip.length, Protocol: ip.protocol}
}
