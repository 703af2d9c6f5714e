package firewall

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// gateway makes the server forward packets, and believe all source addresses.
func (a *attack) gateway() {
	a.t.Helper()
	a.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.cable.rp_filter=0",
		"net.ipv4.conf.all.accept_local=1", "net.ipv4.conf.all.route_localnet=1", "net.ipv4.conf.all.accept_source_route=1",
		"net.ipv4.conf.cable.accept_source_route=1", "net.ipv6.conf.all.accept_source_route=1", "net.ipv6.conf.cable.accept_source_route=1")
}

// sendTo sends a datagram from the service.
func (s *service) sendTo(to netip.AddrPort) {
	s.a.t.Helper()
	must(s.a.t, unix.Sendto(s.fd, []byte("from here"), 0, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}))
}

// answered reports whether one of the packets of the server is what a service answers to a packet:
// a SYN+ACK, or a datagram, from port to port.
func answered(packets [][]byte, c crafted) bool {
	return slices.ContainsFunc(packets, func(ip []byte) bool {
		protocol, at := ip[6], 40
		if ip[0]>>4 == 4 {
			protocol, at = ip[9], int(ip[0]&15)*4
		}
		if protocol != c.protocol() || binary.BigEndian.Uint16(ip[at:]) != c.dport || binary.BigEndian.Uint16(ip[at+2:]) != c.sport {
			return false
		}
		return c.udp || ip[at+13]&(tcpSYN|tcpACK) == tcpSYN|tcpACK
	})
}

// opens sends a SYN, and reports whether a service answers.
func (a *attack) opens(c crafted) bool {
	a.t.Helper()
	c.flags = tcpSYN
	return answered(a.ask(c.bytes()), c)
}

// unreachable returns an ICMP error from a stranger about a packet that this host would have sent.
func unreachable(from, to netip.Addr, about []byte) []byte {
	c := crafted{from: from, to: to}
	if from.Is4() {
		content := append([]byte{icmpUnreachable, 3, 0, 0, 0, 0, 0, 0}, about...)
		binary.BigEndian.PutUint16(content[2:], checksum(content))
		return c.carrying(unix.IPPROTO_ICMP, content)
	}
	content := append([]byte{1, 4, 0, 0, 0, 0, 0, 0}, about...)
	pseudo := slices.Concat(from.AsSlice(), to.AsSlice(), []byte{0, 0, byte(len(content) >> 8), byte(len(content)), 0, 0, 0, unix.IPPROTO_ICMPV6})
	binary.BigEndian.PutUint16(content[2:], checksum(append(pseudo, content...)))
	return c.carrying(unix.IPPROTO_ICMPV6, content)
}

// ownAddresses are what the server receives at: addresses on the cable, on another interface and on
// loopback, and the broadcast address of the cable.
var ownAddresses = map[bool][]string{
	true:  {serverAddress, "198.51.100.7", "203.0.113.1", "192.0.2.1", "127.0.0.1", "198.51.100.255"},
	false: {server6Address, "2001:db8::7", "2001:db8:5::1", "2001:db8:6::1", "::1"},
}

func (a *attack) moreAddresses() {
	a.t.Helper()
	a.run("", "ip", "link", "add", "other", "type", "veth", "peer", "name", "other1")
	a.run("", "ip", "link", "set", "other1", "up")
	a.run("", "ip", "link", "set", "other", "up")
	for _, one := range []string{"198.51.100.7/24 dev cable", "203.0.113.1/24 dev other", "192.0.2.1/32 dev lo",
		"2001:db8::7/64 dev cable nodad", "2001:db8:5::1/64 dev other nodad", "2001:db8:6::1/128 dev lo"} {
		a.run("address add "+one, "ip", "-batch", "-")
	}
}

// TestRealPlantedFlows sends packets that look as if this host had sent them. A gateway forwards
// them, and so its connection tracking takes them for flows that began here.
func TestRealPlantedFlows(t *testing.T) {
	a := newAttack(t)
	a.gateway()
	a.moreAddresses()
	services := []*service{a.serve(udp5353), a.serve(tcp22)}
	a.guarded(GuardConfig{}, udp5353, tcp22)
	for family, f := range bothFamilies() {
		v4 := f.server.Is4()
		destinations := []netip.Addr{f.stranger, f.client}
		if v4 {
			destinations = append(destinations, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("198.51.100.255"), netip.MustParseAddr("224.0.0.251"))
		} else {
			destinations = append(destinations, netip.MustParseAddr("ff02::1"), netip.MustParseAddr("ff02::fb"), netip.MustParseAddr("ff0e::fb"))
		}
		for _, own := range ownAddresses[v4] {
			for _, to := range destinations {
				for _, udp := range []bool{true, false} {
					port := uint16(22)
					if udp {
						port = 5353
					}
					for name, planted := range plants(crafted{from: netip.MustParseAddr(own), to: to, sport: port, dport: 41001, udp: udp, flags: tcpSYN, seq: 1}, f.stranger, f.server) {
						a.forget()
						a.ask(planted...) // forwarded, if not stopped
						opened := false
						sport := uint16(41001)
						if name == portForPort {
							sport = port
						}
						for _, flags := range []byte{tcpSYN, tcpSYN | tcpACK, tcpACK} {
							for _, target := range []netip.Addr{f.server, netip.MustParseAddr(own)} {
								back := crafted{from: to, to: target, sport: sport, dport: port, udp: udp, flags: flags, seq: 1, ack: 2, payload: []byte("hello")}
								opened = answered(a.ask(back.bytes()), back) || opened
							}
						}
						if n := services[0].received() + services[1].received(); n > 0 || opened {
							t.Errorf("%s: %s from %v to %v, udp %t: lets a stranger in: %d received", family, name, own, to, udp, n)
						}
					}
				}
			}
		}
	}
}

const portForPort = "port for port"

// plants returns ways to carry a packet that claims to come from this host.
func plants(c crafted, stranger, server netip.Addr) map[string][][]byte {
	large := c
	large.payload = make([]byte, 64)
	ways := map[string][][]byte{
		"a packet":       {c.bytes()},
		"an answer":      {func() []byte { c := c; c.flags, c.ack = tcpSYN|tcpACK, 2; return c.bytes() }()},
		"two fragments":  fragments(large.bytes(), 16, 77),
		"an ICMP error":  {unreachable(stranger, server, c.bytes())},
		"a TTL of 1":     {func() []byte { c := c; c.ttl = 1; return c.bytes() }()},
		portForPort:      {func() []byte { c := c; c.dport = c.sport; return c.bytes() }()},
		"a label, a TOS": {func() []byte { c := c; c.flow, c.tos = 5, 0xb8; return c.bytes() }()},
	}
	if c.from.Is4() {
		routed := c
		routed.to, routed.final = server, c.to
		final := c.to.As4()
		routed.ipOptions = []byte{131, 7, 4, final[0], final[1], final[2], final[3], 1} // loose source route
		ways["a source route"] = [][]byte{routed.bytes()}
	} else {
		options := c
		options.extension = unix.IPPROTO_DSTOPTS
		ways["destination options"] = [][]byte{options.bytes()}
	}
	return ways
}

// TestRealFlowsThatBeganHere has a service ask a stranger from its guarded port, as a DNS client
// with a fixed port or an NTP server does. The answer passes, from there alone.
func TestRealFlowsThatBeganHere(t *testing.T) {
	a := newAttack(t)
	udp123 := packet.Port{Proto: packet.UDP, Number: 123}
	services := map[packet.Port]*service{udp5353: a.serve(udp5353), udp123: a.serve(udp123)}
	a.guarded(GuardConfig{}, udp5353, udp123)
	for family, f := range bothFamilies() {
		for port, s := range services {
			for _, remote := range []uint16{53, port.Number} {
				to := netip.AddrPortFrom(f.stranger, remote)
				s.sendTo(to)
				if len(a.ask()) == 0 {
					t.Fatalf("%s: nothing is sent to %v", family, to)
				}
				for range 3 {
					a.ask(crafted{from: f.stranger, to: f.server, sport: remote, dport: port.Number, udp: true}.bytes())
					if s.received() != 1 {
						t.Errorf("%s: the answer of %v to %v is stopped", family, to, port)
					}
				}
				a.ask(crafted{from: f.stranger, to: f.server, sport: remote + 1, dport: port.Number, udp: true}.bytes(),
					crafted{from: f.stranger.Next(), to: f.server, sport: remote, dport: port.Number, udp: true}.bytes())
				if s.received() != 0 {
					t.Errorf("%s: who was not asked by %v passes", family, port)
				}
			}
		}
	}
}

// TestRealUntracked leaves packets to and from guarded ports untracked: then only a grant lets
// them in.
func TestRealUntracked(t *testing.T) {
	a := newAttack(t)
	a.gateway()
	s, tcp := a.serve(udp5353), a.serve(tcp22)
	g := a.guarded(GuardConfig{}, udp5353, tcp22)
	a.run(`table inet raw {
		chain prerouting { type filter hook prerouting priority raw; th dport { 22, 5353 } notrack; th sport { 22, 5353 } notrack; }
		chain output { type filter hook output priority raw; th sport { 22, 5353 } notrack; }
	}`, "nft", "-f", "-")
	for family, f := range bothFamilies() {
		datagram := crafted{from: f.stranger, to: f.server, sport: 1001, dport: 5353, udp: true}
		ask := func() int { a.ask(datagram.bytes()); return s.received() }
		begin := func() bool { return a.opens(crafted{from: f.stranger, to: f.server, sport: 1001, dport: 22}) }
		for _, planted := range plants(crafted{from: f.server, to: f.stranger, sport: 5353, dport: 1001, udp: true}, f.stranger, f.server) {
			a.ask(planted...)
			if ask() != 0 {
				t.Errorf("%s: an untracked datagram passes without a grant", family)
			}
		}
		if begin() {
			t.Errorf("%s: an untracked SYN passes without a grant", family)
		}
		apply(t, g, element(f.stranger.String(), udp5353, time.Minute), element(f.stranger.String(), tcp22, time.Minute))
		if ask() != 1 {
			t.Errorf("%s: an untracked datagram is stopped in spite of a grant", family)
		}
		if !begin() {
			t.Errorf("%s: an untracked SYN is stopped in spite of a grant", family)
		}
	}
	if tcp.received() != 0 {
		t.Error("a connection was accepted")
	}
}

// TestRealExpectedConnections has a helper of connection tracking expect a connection to a guarded
// port: the service at an unguarded FTP port says what a stranger wants to hear.
func TestRealExpectedConnections(t *testing.T) {
	a := newAttack(t)
	a.run(`table inet helped {
		counter expected { }
		ct helper ftp { type "ftp" protocol tcp; }
		chain output { type filter hook output priority filter; tcp sport 21 ct helper set "ftp"; }
		chain prerouting { type filter hook prerouting priority -195; tcp dport 21 ct helper set "ftp"; tcp dport 22 ct state related counter name expected; }
	}`, "nft", "-f", "-")
	a.listen(":21") // it echoes
	s := a.serve(tcp22)
	a.guarded(GuardConfig{}, tcp22)
	for _, line := range []string{"227 Entering Passive Mode (198,51,100,1,0,22)\r\n"} {
		var ftp net.Conn
		a.atClient(func() {
			var err error
			ftp, err = net.DialTimeout("tcp", serverAddress+":21", generous)
			must(t, err)
		})
		defer ftp.Close()
		for _, said := range []string{"\r\n", line} { // the helper looks at what begins after a line
			_, err := ftp.Write([]byte(said))
			must(t, err)
			must(t, ftp.SetReadDeadline(time.Now().Add(generous)))
			_, err = io.ReadFull(ftp, make([]byte, len(said)))
			must(t, err)
		}
		if a.opens(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: 40001, dport: 22}) || s.received() != 0 {
			t.Errorf("%q lets a stranger in", line)
		}
	}
	if strings.Contains(a.run("", "nft", "list", "counter", "inet", "helped", "expected"), "packets 0 ") {
		t.Error("the helper expected no connection: this was no attack")
	}
}

// A container is a host behind the server, which is its gateway.
type container struct {
	a  *attack
	ns netns.NsHandle
}

const (
	containerAddress  = "203.0.113.2"
	container6Address = "2001:db8:7::2"
)

func (a *attack) behind() container {
	a.t.Helper()
	c := container{a, namespace(a.t)}
	must(a.t, netns.Set(a.server))
	must(a.t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "inner"}, PeerName: "inner", PeerNamespace: netlink.NsFd(int(c.ns))}))
	up := func(v4, v6 string) (mac string) {
		a.run("ip link set inner up\nip address add "+v4+"/24 dev inner\nip address add "+v6+"/64 dev inner nodad", "sh", "-e")
		return a.hardware("inner").String()
	}
	knows := func(v4, v6, mac string) {
		a.connected("inner")
		for _, address := range []string{v4, v6} {
			a.run("", "ip", "neigh", "replace", address, "lladdr", mac, "dev", "inner", "nud", "permanent")
		}
	}
	near := up("203.0.113.1", "2001:db8:7::1")
	var far string
	c.do(func() {
		far = up(containerAddress, container6Address)
		knows("203.0.113.1", "2001:db8:7::1", near)
		a.run("ip route add default via 203.0.113.1\nip -6 route add default via 2001:db8:7::1", "sh", "-e")
	})
	knows(containerAddress, container6Address, far)
	return c
}

func (c container) do(f func()) {
	c.a.t.Helper()
	must(c.a.t, netns.Set(c.ns))
	defer func() { must(c.a.t, netns.Set(c.a.server)) }()
	f()
}

// TestRealMasqueradedFlows has a container ask strangers from source ports that are guarded on its
// gateway. The answers pass, and nothing else.
func TestRealMasqueradedFlows(t *testing.T) {
	a := newAttack(t)
	a.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	inside := a.behind()
	a.run("table inet hidden { chain postrouting { type nat hook postrouting priority srcnat; iifname inner oifname cable masquerade; }\n}", "nft", "-f", "-")
	var s *service
	inside.do(func() { s = a.serve(udp5353) })
	own := a.serve(udp5353)
	a.guarded(GuardConfig{}, udp5353, tcp22)
	for family, f := range bothFamilies() {
		s.sendTo(netip.AddrPortFrom(f.stranger, 53))
		eventually(t, "the gateway knows the container", func() bool {
			asked := slices.ContainsFunc(a.ask(), func(ip []byte) bool { return bytes.Contains(ip, []byte("from here")) })
			if !asked {
				s.sendTo(netip.AddrPortFrom(f.stranger, 53))
			}
			return asked
		})
		for range 3 {
			a.ask(crafted{from: f.stranger, to: f.server, sport: 53, dport: 5353, udp: true}.bytes())
			if s.received() != 1 {
				t.Errorf("%s: the answer to a masqueraded flow is stopped", family)
			}
		}
		a.ask(crafted{from: f.stranger, to: f.server, sport: 54, dport: 5353, udp: true}.bytes(),
			crafted{from: f.stranger.Next(), to: f.server, sport: 53, dport: 5353, udp: true}.bytes())
		if s.received() != 0 || own.received() != 0 {
			t.Errorf("%s: who was not asked passes", family)
		}
	}
}
