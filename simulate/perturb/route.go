package perturb

import (
	"net/netip"

	"sesame/daemon/packet"
	"sesame/simulate"
)

// A route is what the faults of all runs need to know of a tape. Several goroutines may read it.
type route struct {
	tape    *simulate.Tape
	packets []*packet.Packet // of the inputs that have faults: TCP and UDP; nil for the others
	faulty  int              // how many these are
	next    []int            // of a packet: the next one of its source that one may be held back for; -1: none
	resend  []bool           // of a packet: it is a SYN that its client may send again
	flow    []int            // of a packet: the place of its flow in flows
	flows   []flowKey
	// addresses are those of each source, its own first. Sender is who sends from one of them.
	addresses map[netip.Addr][]netip.Addr
	sender    map[netip.Addr]netip.Addr
}

// A flowKey names a flow, which a NAT gives one address.
type flowKey struct {
	source, dest netip.Addr
	from         uint16
	port         packet.Port
}

func keyOf(p *packet.Packet) flowKey { return flowKey{p.Source, p.Dest, p.SourcePort, p.Port} }

// A segmentKey is the same for a SYN and its retransmits.
type segmentKey struct {
	flowKey
	sequence uint32
}

// newRoute reads a tape.
func newRoute(tape *simulate.Tape, network *Network) *route {
	n := len(tape.Inputs)
	r := &route{tape: tape, packets: make([]*packet.Packet, n), next: make([]int, n), resend: make([]bool, n), flow: make([]int, n), addresses: map[netip.Addr][]netip.Addr{}, sender: map[netip.Addr]netip.Addr{}}
	last, flows, sent := map[netip.Addr]int{}, map[flowKey]int{}, map[segmentKey]int{}
	for i := range tape.Inputs {
		r.next[i] = -1
		p := tape.Inputs[i].Packet
		if p == nil || p.Port.Proto != packet.TCP && p.Port.Proto != packet.UDP {
			continue
		}
		r.packets[i] = p
		r.faulty++
		if before, some := last[p.Source]; some && tape.Inputs[i].At.Sub(tape.Inputs[before].At) <= mostHeld {
			r.next[before] = i
		}
		last[p.Source] = i
		key := keyOf(p)
		at, known := flows[key]
		if !known {
			at = len(r.flows)
			flows[key] = at
			r.flows = append(r.flows, key)
		}
		r.flow[i] = at
		if isSYN(p) {
			sent[segmentKey{key, p.Sequence}]++
		}
	}
	for i, p := range r.packets {
		r.resend[i] = p != nil && isSYN(p) && sent[segmentKey{keyOf(p), p.Sequence}] == 1
	}
	r.translate(network.Addresses)
	return r
}

// isSYN reports whether a packet asks for a connection.
func isSYN(p *packet.Packet) bool {
	return p.Port.Proto == packet.TCP && p.Flags&(packet.SYN|packet.ACK|packet.RST|packet.FIN) == packet.SYN
}

// translate gives each source its addresses: its own, and the next ones that nobody has, no source
// and no destination. They follow it so that the facts about them, such as the country, are mostly
// the same, as those of the addresses of a provider.
func (r *route) translate(n int) {
	taken := takenAddresses{}
	for _, f := range r.flows {
		taken.take(f.source)
		taken.take(f.dest)
	}
	for _, f := range r.flows {
		if r.addresses[f.source] == nil {
			r.addresses[f.source] = r.addressesOf(f.source, n, taken)
		}
	}
}

func (r *route) addressesOf(source netip.Addr, n int, taken takenAddresses) []netip.Addr {
	addresses := []netip.Addr{source}
	r.sender[source] = source
	for len(addresses) < n {
		a := taken.free(source)
		if !a.IsValid() || !packet.Foreign(a) {
			break // the end of the addresses
		}
		taken.take(a)
		r.sender[a] = source
		addresses = append(addresses, a)
	}
	return addresses
}

// A takenAddresses has for each address that somebody has one behind it, with no free one between
// the two. Sources of a flood may be neighbours: to look at each address between would take as many
// steps as there are pairs of them.
type takenAddresses map[netip.Addr]netip.Addr

func (t takenAddresses) take(a netip.Addr) {
	if _, taken := t[a]; !taken {
		t[a] = a.Next()
	}
}

// free returns the first address from a on that nobody has; it is not valid behind the last one. It
// halves the way for those who come after (Tarjan and van Leeuwen, 1984).
func (t takenAddresses) free(a netip.Addr) netip.Addr {
	for next, taken := t[a]; taken; next, taken = t[a] {
		if further, too := t[next]; too {
			t[a], next = further, further
		}
		a = next
	}
	return a
}
