package client

// This file names what an ICMP error says about a connection: who refused it, and why.

// An icmpError is the error of ICMP or ICMPv6 that ended a connection.
type icmpError struct {
	v6         bool
	kind, code uint8
}

// The types of ICMP (RFC 792) and ICMPv6 (RFC 4443) that mean that a destination cannot be reached.
const (
	icmpUnreachable  = 3
	icmp6Unreachable = 1
)

// An icmpReason is the meaning of a code. Network means that a router knows no way or the host does
// not answer on its network. All others are sent by the host, or by a firewall.
type icmpReason struct {
	text    string
	network bool
}

// The codes of ICMP (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1), and of ICMPv6
// (RFC 4443 section 3.1). For a TCP port only a firewall sends "port unreachable": a host without a
// service answers with a reset (RFC 9293, section 3.10.7.1).
var (
	icmpReasons = map[uint8]icmpReason{
		0: {"network unreachable", true}, 1: {"host unreachable", true},
		2: {"protocol unreachable", false}, 3: {"port unreachable", false},
		6: {"network unknown", true}, 7: {"host unknown", true},
		9: {"network prohibited", false}, 10: {"host prohibited", false}, 13: {"administratively prohibited", false},
	}
	icmp6Reasons = map[uint8]icmpReason{
		0: {"no route", true}, 1: {"administratively prohibited", false}, 3: {"address unreachable", true},
		4: {"port unreachable", false}, 5: {"source address refused", false}, 6: {"route rejected", false},
	}
)

// answer returns the answer that an ICMP error is. An error of another type, and a code that is not
// known, are "unreachable".
func (e icmpError) answer() answer {
	reasons, unreached := icmpReasons, uint8(icmpUnreachable)
	if e.v6 {
		reasons, unreached = icmp6Reasons, icmp6Unreachable
	}
	reason, known := reasons[e.code]
	switch {
	case e.kind != unreached || !known:
		return answer{state: unreachable}
	case reason.network:
		return answer{state: unreachable, icmp: reason.text}
	}
	return answer{state: rejected, icmp: reason.text}
}
