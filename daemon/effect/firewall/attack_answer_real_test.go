package firewall

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// hosts are servers with different rules of their own. What the user's chain accepts by the mark is
// a granted packet.
var hosts = []struct{ name, rules string }{
	{"no firewall", ""},
	{"policy drop", "table inet mine { chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; meta mark & 0x10000000 != 0 accept; }\n}"},
	{"reject admin-prohibited", "table inet mine { chain input { type filter hook input priority filter; policy accept; ct state established,related accept; iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; meta mark & 0x10000000 != 0 accept; reject with icmpx admin-prohibited; }\n}"},
}

// compared returns a packet of the server with the fields cleared that differ between two answers
// of one kernel to one packet: checksums; times in an option; the identification of IPv4, which
// becomes 1 unless it is 0; and so does the flow label of IPv6, which is a secret hash.
func compared(ip []byte) string { return shown(cleared(slices.Clone(ip))) }

func cleared(ip []byte) []byte {
	protocol, at := ip[6], 40
	if ip[0]>>4 == 4 {
		protocol, at = ip[9], int(ip[0]&15)*4
		if ip[4] != 0 || ip[5] != 0 {
			ip[4], ip[5] = 0, 1
		}
		ip[10], ip[11] = 0, 0
		if at == 32 && ip[20] == optionTime {
			clear(ip[24:32])
		}
	} else if ip[1]&15 != 0 || ip[2] != 0 || ip[3] != 0 {
		ip[1], ip[2], ip[3] = ip[1]&0xf0, 0, 1
	}
	switch protocol {
	case unix.IPPROTO_TCP:
		// It may be left to the card, which a cable does not have.
		ip[at+16], ip[at+17] = 0, 0
	case unix.IPPROTO_ICMP:
		ip[4], ip[5] = 0, 1 // it counts, and now and then comes to 0
		ip[at+2], ip[at+3] = 0, 0
		if ip[at] == icmpUnreachable {
			cleared4 := ip[at+8:]
			if cleared4[0]&15 == 8 && cleared4[20] == optionTime {
				clear(cleared4[24:32])
			}
			cleared4[10], cleared4[11] = 0, 0
		}
	}
	return ip
}

const (
	optionTime      = 68 // RFC 791, section 3.1
	icmpUnreachable = 3  // RFC 792
)

// variants returns packets of a stranger to port 22 that are worth an answer, or not.
func variants(from, to netip.Addr) map[string]crafted {
	base := crafted{from: from, to: to, sport: 41001, dport: 22, seq: 0x01020304, flags: tcpSYN, id: 7}
	change := func(f func(*crafted)) crafted { c := base; f(&c); return c }
	all := map[string]crafted{
		"SYN": base,
		"SYN with options": change(func(c *crafted) {
			c.options = []byte{2, 4, 5, 0xb4, 4, 2, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 3, 3, 7, 0}
		}),
		"SYN with data":      change(func(c *crafted) { c.payload = []byte("hello") }),
		"SYN, TOS 0x10":      change(func(c *crafted) { c.tos = 0x10 }),
		"SYN, TOS 0xb8":      change(func(c *crafted) { c.tos = 0xb8 }),
		"SYN, ECT(1)":        change(func(c *crafted) { c.tos = 1 }),
		"SYN, CE":            change(func(c *crafted) { c.tos = 3 }),
		"SYN, TTL 1":         change(func(c *crafted) { c.ttl = 1 }),
		"SYN, TTL 255":       change(func(c *crafted) { c.ttl = 255 }),
		"SYN, DF":            change(func(c *crafted) { c.dontFrag = true }),
		"SYN with ECE, CWR":  change(func(c *crafted) { c.flags |= 0xc0 }),
		"SYN with reserved":  change(func(c *crafted) { c.reserved = 0x0e }),
		"SYN with ack field": change(func(c *crafted) { c.ack = 0x0a0b0c0d }),
		"SYN+URG":            change(func(c *crafted) { c.flags |= 0x20; c.urgent = 3 }),
		"SYN+PSH":            change(func(c *crafted) { c.flags |= 0x08 }),
		"SYN+FIN":            change(func(c *crafted) { c.flags |= 1 }),
		"SYN+RST":            change(func(c *crafted) { c.flags |= 4 }),
		"SYN+ACK":            change(func(c *crafted) { c.flags |= tcpACK; c.ack = 0x0a0b0c0d }),
		"ACK":                change(func(c *crafted) { c.flags = tcpACK; c.ack = 0x0a0b0c0d }),
		"ACK, TOS 0x10":      change(func(c *crafted) { c.flags, c.ack, c.tos = tcpACK, 0x0a0b0c0d, 0x10 }),
		"ACK+PSH with data":  change(func(c *crafted) { c.flags, c.ack, c.payload = tcpACK|8, 0x0a0b0c0d, []byte("hello") }),
		"FIN+ACK":            change(func(c *crafted) { c.flags, c.ack = tcpACK|1, 0x0a0b0c0d }),
		"RST":                change(func(c *crafted) { c.flags = 4 }),
		"RST+ACK":            change(func(c *crafted) { c.flags = 4 | tcpACK }),
		"FIN":                change(func(c *crafted) { c.flags = 1 }),
		"FIN, TOS 0x10":      change(func(c *crafted) { c.flags, c.tos = 1, 0x10 }),
		"FIN with data":      change(func(c *crafted) { c.flags, c.payload = 1, []byte("hello") }),
		"NULL":               change(func(c *crafted) { c.flags = 0 }),
		"NULL with data":     change(func(c *crafted) { c.flags, c.payload = 0, []byte("hello") }),
		"Xmas":               change(func(c *crafted) { c.flags = 0x29; c.urgent = 1 }),
		"URG":                change(func(c *crafted) { c.flags = 0x20; c.urgent = 1 }),
		"PSH":                change(func(c *crafted) { c.flags = 8 }),
		"FIN+PSH":            change(func(c *crafted) { c.flags = 9 }),
		"ECE":                change(func(c *crafted) { c.flags = 0x40 }),
		"ECE+CWR":            change(func(c *crafted) { c.flags = 0xc0 }),
		"all flags":          change(func(c *crafted) { c.flags = 0xff }),
		"UDP":                change(func(c *crafted) { c.udp, c.payload = true, []byte("hello") }),
		"UDP, empty":         change(func(c *crafted) { c.udp = true }),
		"UDP, 600 bytes":     change(func(c *crafted) { c.udp, c.payload = true, make([]byte, 600) }),
		"UDP, 1300 bytes":    change(func(c *crafted) { c.udp, c.payload = true, make([]byte, 1300) }),
		"UDP, TOS 0x10":      change(func(c *crafted) { c.udp, c.tos = true, 0x10 }),
		"UDP, TOS 0xb8":      change(func(c *crafted) { c.udp, c.tos = true, 0xb8 }),
		"UDP, CE":            change(func(c *crafted) { c.udp, c.tos = true, 3 }),
		"UDP, TTL 1":         change(func(c *crafted) { c.udp, c.ttl = true, 1 }),
	}
	if from.Is4() {
		for _, name := range []string{"SYN", "ACK", "FIN", "UDP"} {
			record, stamp, alert := all[name], all[name], all[name]
			record.ipOptions = []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0} // RFC 791, section 3.1
			stamp.ipOptions = []byte{optionTime, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			alert.ipOptions = []byte{148, 4, 0, 0} // RFC 2113
			all[name+", record route"], all[name+", time stamp"], all[name+", router alert"] = record, stamp, alert
		}
	} else {
		for _, name := range []string{"SYN", "ACK", "FIN", "UDP"} {
			label, options := all[name], all[name]
			label.flow = 0x12345
			options.extension = unix.IPPROTO_DSTOPTS
			all[name+", flow label"], all[name+", destination options"] = label, options
		}
	}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		c.sport += uint16(i)
		all[name] = c
	}
	return all
}

// TestRealGuardedPortLooksClosed sends each packet, and its retransmits, to tcp/22 and udp/22 while
// the port is guarded and has a service, while it is guarded and has none, and while it is closed.
// The answers must not differ by a bit.
func TestRealGuardedPortLooksClosed(t *testing.T) {
	tcp22, udp22 := tcp22, packet.Port{Proto: packet.UDP, Number: 22}
	for _, host := range hosts {
		t.Run(host.name, func(t *testing.T) {
			a := newAttack(t)
			if host.rules != "" {
				a.run(host.rules, "nft", "-f", "-")
			}
			g := a.guarded(GuardConfig{}, tcp22, udp22, tcp80)
			answers := func(c crafted) (all []string) {
				a.forget()
				for _, answer := range a.ask(slices.Repeat([][]byte{c.bytes()}, 3)...) {
					all = append(all, compared(answer))
				}
				return all
			}
			want := map[string][]string{}
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp23, udp23}}, nil))
			for family, f := range bothFamilies() {
				for name, c := range variants(f.stranger, f.server) {
					want[family+" "+name] = answers(c)
				}
			}
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp22}}, nil))
			for _, state := range []string{"without a service", "with a service"} {
				var services []*service
				if state == "with a service" {
					services = []*service{a.serve(tcp22), a.serve(udp22)}
				}
				for family, f := range bothFamilies() {
					for name, c := range variants(f.stranger, f.server) {
						if diff := cmp.Diff(want[family+" "+name], answers(c)); diff != "" {
							t.Errorf("%s %s: a guarded port %s does not answer as a closed one (-closed +guarded):\n%s", family, name, state, diff)
						}
					}
				}
				for _, s := range services {
					if n := s.received(); n > 0 {
						t.Errorf("the service received %d times", n)
					}
				}
			}
		})
	}
}

// TestRealAnswersAreLimitedAlike counts the ICMP errors to 40 datagrams: the kernel limits them for
// each peer.
func TestRealAnswersAreLimitedAlike(t *testing.T) {
	a := newAttack(t)
	udp22 := packet.Port{Proto: packet.UDP, Number: 22}
	g := a.guarded(GuardConfig{}, udp22)
	// One a minute: what is answered at once is the burst.
	a.sysctl("net.ipv4.icmp_ratelimit=60000", "net.ipv6.icmp.ratelimit=60000")
	counts := map[string][]int{}
	for i, guards := range [][]packet.Port{{udp22}, {udp22}, {udp23}} {
		must(t, g.Install(effect.Guards{Drop: guards}, nil))
		var s *service
		if i == 0 {
			s = a.serve(udp22)
		}
		for family, f := range bothFamilies() {
			from := f.stranger.AsSlice()
			from[len(from)-1] += byte(100 + i) // a peer of its own for each run
			source, _ := netip.AddrFromSlice(from)
			a.forget()
			var packets [][]byte
			for n := range 40 {
				packets = append(packets, crafted{from: source, to: f.server, sport: uint16(5000 + n), dport: 22, udp: true}.bytes())
			}
			counts[family] = append(counts[family], len(a.ask(packets...)))
		}
		if s != nil {
			s.close()
		}
	}
	for family, n := range counts {
		if n[0] != n[2] || n[1] != n[2] || n[2] == 0 || n[2] == 40 {
			t.Errorf("%s: %d answers of a guarded port with a service, %d of one without, %d of a closed one", family, n[0], n[1], n[2])
		}
	}
}
