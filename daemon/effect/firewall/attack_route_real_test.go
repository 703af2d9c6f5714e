package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A path is a way on which packets reach a service, beside the plain one. Its packets go to the
// addresses of both families; the service is at tcp/22 and udp/5353.
type path struct {
	name     string
	set      func(*attack)
	to4, to6 string
	tcp, udp uint16 // where the packets are sent to; 0: to the port of the service
	only     string // "tcp", "udp", "4" or "6": what the path is for; "": all
	change   func(*crafted)
	frames   func([]byte) [][]byte // what is sent instead of the packet
	inside   bool                  // the service is in a container
	inner    bool                  // the guard sees the port of the service alone
}

func rules(text string) func(*attack) {
	return func(a *attack) { a.run(text, "nft", "-f", "-") }
}

func lines(text string) func(*attack) {
	return func(a *attack) { a.run("ip "+strings.ReplaceAll(text, "\n", "\nip "), "sh", "-e") }
}

var paths = []path{
	{name: "plain"},
	{name: "policy routing", only: "udp", to4: "192.0.2.50", to6: "2001:db8:50::50", set: lines(
		"route add local 192.0.2.50 dev lo table 100\nrule add to 192.0.2.50 lookup 100 prio 50\n" +
			"-6 route add local 2001:db8:50::50 dev lo table 100\n-6 rule add to 2001:db8:50::50 lookup 100 prio 50")},
	{name: "policy routing by mark", only: "udp", to4: "192.0.2.50", to6: "2001:db8:50::50", set: func(a *attack) {
		lines("route add local 192.0.2.50 dev lo table 100\nrule add fwmark 7 lookup 100 prio 50\n" +
			"-6 route add local 2001:db8:50::50 dev lo table 100\n-6 rule add fwmark 7 lookup 100 prio 50")(a)
		rules("table inet marks { chain p { type filter hook prerouting priority mangle; iifname cable th dport { 22, 5353 } meta mark set meta mark | 7; }\n}")(a)
	}},
	{name: "a whole network that is local", to4: "198.18.0.77", to6: "2001:db8:51::77", set: lines(
		"route add local 198.18.0.0/24 dev lo\n-6 route add local 2001:db8:51::/64 dev lo")},
	{name: "another own address", to4: "198.51.100.7", to6: "2001:db8::7", set: (*attack).moreAddresses},
	{name: "an address of another interface", to4: "203.0.113.1", to6: "2001:db8:5::1", set: (*attack).moreAddresses},
	{name: "an address of loopback", to4: "192.0.2.1", to6: "2001:db8:6::1", set: (*attack).moreAddresses},
	{name: "127.0.0.1 from the wire", to4: "127.0.0.1", only: "4"},
	{name: "redirect", tcp: 2200, udp: 5300, set: rules("table inet nat { chain p { type nat hook prerouting priority dstnat; tcp dport 2200 redirect to :22; udp dport 5300 redirect to :5353; }\n}")},
	{name: "redirect before other translations", tcp: 2200, udp: 5300, set: rules("table inet nat { chain p { type nat hook prerouting priority -190; tcp dport 2200 redirect to :22; udp dport 5300 redirect to :5353; }\n}")},
	{name: "translation to another own address", tcp: 2200, udp: 5300, set: func(a *attack) {
		a.moreAddresses()
		rules(`table ip nat { chain p { type nat hook prerouting priority dstnat; tcp dport 2200 dnat to 198.51.100.7:22; udp dport 5300 dnat to 203.0.113.1:5353; }
}
table ip6 nat { chain p { type nat hook prerouting priority dstnat; tcp dport 2200 dnat to [2001:db8::7]:22; udp dport 5300 dnat to [2001:db8:5::1]:5353; }
}`)(a)
	}},
	{name: "translation to 127.0.0.1", tcp: 2200, udp: 5300, only: "4", set: rules("table ip nat { chain p { type nat hook prerouting priority dstnat; tcp dport 2200 dnat to 127.0.0.1:22; udp dport 5300 dnat to 127.0.0.1:5353; }\n}")},
	{name: "a port written anew before the guard", tcp: 2200, only: "tcp", inner: true, set: rules(`table inet raw {
		chain p { type filter hook prerouting priority -350; tcp dport 2200 tcp dport set 22; }
		chain o { type filter hook output priority -350; tcp sport 22 tcp sport set 2200; }
	}`)},
	{name: "a bridge", set: lines("link add br0 type bridge\nlink set br0 up\nlink set cable master br0\naddress add 198.51.100.1/24 dev br0\naddress add 2001:db8::1/64 dev br0 nodad\n" +
		"route replace default via 198.51.100.2 dev br0\n-6 route replace default via 2001:db8::2 dev br0")},
	{name: "broadcast", to4: "255.255.255.255", only: "udp"},
	{name: "broadcast of the network", to4: "198.51.100.255", only: "udp"},
	{name: "multicast", to4: "224.0.0.251", to6: "ff02::fb", only: "udp"},
	{name: "all nodes", to6: "ff02::1", only: "udp"},
	// In IPv6 the first fragment has all headers, or the packet is dropped (RFC 7112).
	{name: "fragments", frames: func(ip []byte) [][]byte { return fragments(ip, 24, 99) }},
	{name: "tiny fragments", only: "4", frames: func(ip []byte) [][]byte { return fragments(ip, 8, 99) }},
	{name: "fragments in reverse order", frames: func(ip []byte) [][]byte {
		parts := fragments(ip, 24, 99)
		slices.Reverse(parts)
		return parts
	}},
	{name: "an atomic fragment", only: "6", frames: func(ip []byte) [][]byte { return [][]byte{extended(ip, unix.IPPROTO_FRAGMENT)} }},
	{name: "hop-by-hop options", only: "6", frames: func(ip []byte) [][]byte { return [][]byte{extended(ip, unix.IPPROTO_HOPOPTS)} }},
	{name: "destination options", only: "6", frames: func(ip []byte) [][]byte { return [][]byte{extended(ip, unix.IPPROTO_DSTOPTS)} }},
	{name: "a spent routing header", only: "6", frames: func(ip []byte) [][]byte { return [][]byte{extended(ip, unix.IPPROTO_ROUTING)} }},
	{name: "many extension headers", only: "6", frames: func(ip []byte) [][]byte {
		for range 4 {
			ip = extended(ip, unix.IPPROTO_DSTOPTS)
		}
		return [][]byte{extended(extended(ip, unix.IPPROTO_ROUTING), unix.IPPROTO_HOPOPTS)}
	}},
	{name: "record route", only: "4", change: func(c *crafted) { c.ipOptions = []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0} }},
	{name: "a time stamp", only: "4", change: func(c *crafted) { c.ipOptions = []byte{optionTime, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0} }},
	{name: "router alert", only: "4", change: func(c *crafted) { c.ipOptions = []byte{148, 4, 0, 0} }},
	{name: "40 bytes of options", only: "4", change: func(c *crafted) { c.ipOptions = slices.Repeat([]byte{1}, 40) }},
	{name: "a loose source route", only: "4", change: func(c *crafted) {
		c.ipOptions = append([]byte{131, 7, 4}, append(netip.MustParseAddr(serverAddress).AsSlice(), 1)...)
	}},
	{name: "a container", tcp: 8080, udp: 5300, inside: true, set: func(a *attack) {
		rules(`table ip nat { chain p { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 203.0.113.2:22; udp dport 5300 dnat to 203.0.113.2:5353; }
}
table ip6 nat { chain p { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to [2001:db8:7::2]:22; udp dport 5300 dnat to [2001:db8:7::2]:5353; }
}`)(a)
	}},
}

// extended puts an extension header of 8 bytes behind the header of an IPv6 packet.
func extended(ip []byte, kind byte) []byte {
	header := []byte{ip[6], 0, 1, 4, 0, 0, 0, 0} // options: PadN
	if kind == unix.IPPROTO_FRAGMENT {
		header = []byte{ip[6], 0, 0, 0, 0, 0, 0, 99}
	} else if kind == unix.IPPROTO_ROUTING {
		header = []byte{ip[6], 0, 253, 0, 0, 0, 0, 0} // of an unknown type, with no segment left
	}
	longer := slices.Concat(ip[:40], header, ip[40:])
	longer[6] = kind
	binary.BigEndian.PutUint16(longer[4:], uint16(len(longer)-40))
	return longer
}

// targets returns what a stranger sends on the path, and which services would get it.
func (p path) targets(a *attack) (all []target) {
	for family, f := range bothFamilies() {
		for _, udp := range []bool{false, true} {
			v4 := f.server.Is4()
			to, dport, proto := p.to6, uint16(22), "tcp"
			port := packet.Port{Proto: packet.TCP, Number: p.tcp}
			if v4 {
				to = p.to4
			}
			if udp {
				dport, proto, port = 5353, "udp", packet.Port{Proto: packet.UDP, Number: p.udp}
			}
			elsewhere := p.to4+p.to6 != "" && to == ""
			if elsewhere || p.only == "4" && !v4 || p.only == "6" && v4 || (p.only == "tcp" || p.only == "udp") && p.only != proto {
				continue
			}
			if port.Number == 0 {
				port.Number = dport
			}
			c := crafted{from: f.stranger, to: f.server, sport: 41001, dport: port.Number, udp: udp, flags: tcpSYN, payload: make([]byte, 24)}
			if to != "" {
				c.to = netip.MustParseAddr(to)
			}
			if p.change != nil {
				p.change(&c)
			}
			all = append(all, target{family + " " + proto, c, port, packet.Port{Proto: port.Proto, Number: dport}, p.frames})
		}
	}
	return all
}

type target struct {
	name   string
	packet crafted
	outer  packet.Port // that the packet is sent to
	inner  packet.Port // of the service
	frames func([]byte) [][]byte
}

// arrives sends the packet from a fresh source port, and reports whether the service gets it.
func (o target) arrives(a *attack, services map[packet.Port]*service) bool {
	a.t.Helper()
	o.packet.sport = 41001 + uint16(a.tries%20_000)
	packets := [][]byte{o.packet.bytes()}
	if o.frames != nil {
		packets = o.frames(packets[0])
	}
	answers := a.ask(packets...)
	return services[o.inner].received() > 0 || !o.packet.udp && answered(answers, o.packet)
}

// TestRealEachPathIsGuarded tries each path to a service without a guard, with one, with a grant,
// and after the grant.
func TestRealEachPathIsGuarded(t *testing.T) {
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			a := newAttack(t)
			a.gateway()
			var services map[packet.Port]*service
			serve := func() { services = map[packet.Port]*service{tcp22: a.serve(tcp22), udp5353: a.serve(udp5353)} }
			if p.inside {
				a.behind().do(serve)
			} else {
				serve()
			}
			if p.set != nil {
				p.set(a)
			}
			services[udp5353].join()
			targets := p.targets(a)
			var guards []packet.Port
			for _, o := range targets {
				// Addresses of neighbours have to be found first.
				for try := 0; !o.arrives(a, services); try++ {
					if try == 1000 {
						t.Fatalf("%s: does not arrive even without a guard", o.name)
					}
				}
				guards = append(guards, o.outer)
				if !p.inside {
					guards = append(guards, o.inner)
				}
			}
			g := a.guarded(GuardConfig{}, guards...)
			for _, o := range targets {
				if o.arrives(a, services) {
					t.Errorf("%s: passes the guard", o.name)
				}
			}
			for _, o := range targets {
				source := o.packet.from.String()
				if p.inner {
					o.outer = o.inner
				}
				apply(t, g, element(source, o.outer, time.Minute))
				if !o.arrives(a, services) {
					t.Errorf("%s: is stopped in spite of a grant", o.name)
				}
				apply(t, g, element(source, o.outer, 0))
				if o.arrives(a, services) {
					t.Errorf("%s: passes after the grant", o.name)
				}
			}
		})
	}
}

// TestRealInnerAndOuterPorts has a guard on the port of a service alone, or also on the port that
// is redirected to it.
func TestRealInnerAndOuterPorts(t *testing.T) {
	outerTCP, outerUDP := packet.Port{Proto: packet.TCP, Number: 2200}, packet.Port{Proto: packet.UDP, Number: 5300}
	for _, p := range paths {
		if p.tcp != 2200 || p.udp != 5300 || p.inner {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			a := newAttack(t)
			a.gateway()
			services := map[packet.Port]*service{tcp22: a.serve(tcp22), udp5353: a.serve(udp5353)}
			p.set(a)
			g := a.guarded(GuardConfig{}, tcp22, udp5353)
			for _, o := range p.targets(a) {
				must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp5353}}, nil))
				if o.arrives(a, services) {
					t.Errorf("%s: the port of the service is guarded, and the one that is redirected to it opens it", o.name)
				}
				must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp5353, outerTCP, outerUDP}}, []effect.Element{element(o.packet.from.String(), o.inner, time.Minute)}))
				if o.arrives(a, services) {
					t.Errorf("%s: a grant of the inner port opens the outer one", o.name)
				}
				direct := o
				direct.packet.dport, direct.outer = o.inner.Number, o.inner
				if !direct.arrives(a, services) {
					t.Errorf("%s: a grant of the inner port does not open it", o.name)
				}
				must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp5353, outerTCP, outerUDP}}, []effect.Element{element(o.packet.from.String(), o.outer, time.Minute)}))
				if !o.arrives(a, services) {
					t.Errorf("%s: a grant of the outer port does not open it", o.name)
				}
				if direct.arrives(a, services) {
					t.Errorf("%s: a grant of the outer port opens the inner one", o.name)
				}
			}
		})
	}
}

// join makes the service a member of the groups of multicast DNS.
func (s *service) join() {
	s.a.t.Helper()
	for _, name := range []string{"cable", "br0"} {
		link, err := net.InterfaceByName(name)
		if err != nil {
			continue
		}
		_ = unix.SetsockoptIPMreqn(s.fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: [4]byte{224, 0, 0, 251}, Ifindex: int32(link.Index)})
		must(s.a.t, unix.SetsockoptIPv6Mreq(s.fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: netip.MustParseAddr("ff02::fb").As16(), Interface: uint32(link.Index)}))
	}
}

// The kernel calls the chain that was made last first when priorities are equal.
func TestRealOthersTranslateFirst(t *testing.T) {
	tries := 0
	for _, priority := range []string{"-199", "-198"} {
		a := newAttack(t)
		a.gateway()
		services := map[packet.Port]*service{}
		a.behind().do(func() { services[tcp22], services[udp5353] = a.serve(tcp22), a.serve(udp5353) })
		outer := []packet.Port{{Proto: packet.TCP, Number: 8080}, {Proto: packet.UDP, Number: 5300}}
		g := a.guarded(GuardConfig{}, outer...)
		a.run("table ip nat { chain p { type nat hook prerouting priority "+priority+
			"; tcp dport 8080 dnat to 203.0.113.2:22; udp dport 5300 dnat to 203.0.113.2:5353; }\n}", "nft", "-f", "-")
		for sport := range uint16(3) {
			to := crafted{from: netip.MustParseAddr(strangerAddress), to: netip.MustParseAddr(serverAddress), sport: 41001 + sport, seq: 1}
			syn, datagram := to, to
			syn.dport, syn.flags = 8080, tcpSYN
			datagram.dport, datagram.udp = 5300, true
			if a.opens(syn) {
				t.Errorf("priority %s: a SYN without a grant opens", priority)
			}
			a.ask(datagram.bytes())
			if n := services[udp5353].received(); n != 0 {
				t.Errorf("priority %s: %d datagrams without a grant arrive", priority, n)
			}
			tries += 2
		}
		apply(t, g, element(strangerAddress, outer[0], time.Minute))
		if !a.opens(crafted{from: netip.MustParseAddr(strangerAddress), to: netip.MustParseAddr(serverAddress), sport: 41009, dport: 8080, flags: tcpSYN, seq: 1}) {
			t.Errorf("priority %s: a grant does not open", priority)
		}
	}
	t.Logf("%d tries", tries)
}
