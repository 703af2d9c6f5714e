package firewall

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// dice makes packets that a stranger could send. They share few ports and addresses, so that many
// of them meet what earlier ones left in the kernel.
type dice struct {
	*rand.Rand
	v4, v6 []netip.Addr // sources: strangers, own addresses, and such as nobody has
	to4    []netip.Addr
	to6    []netip.Addr
}

func (d dice) pick(from []netip.Addr) netip.Addr { return from[d.IntN(len(from))] }

func addresses(names ...string) (all []netip.Addr) {
	for _, name := range names {
		all = append(all, netip.MustParseAddr(name))
	}
	return all
}

func newDice(seed uint64) dice {
	strangers4 := []string{strangerAddress, strangerAddress, strangerAddress, "192.0.2.68", clientAddress}
	strangers6 := []string{stranger6Address, stranger6Address, stranger6Address, "2001:db8:66::68", client6Address}
	odd4 := []string{"0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", "224.0.0.251", "198.51.100.255", "240.0.0.1", "169.254.1.1"}
	odd6 := []string{"::", "::1", "ff02::1", "ff02::fb", "fe80::9", "::ffff:192.0.2.66", "2002:c633:6401::1"}
	return dice{
		Rand: rand.New(rand.NewPCG(seed, 5)),
		v4:   addresses(append(append(strangers4, odd4...), ownAddresses[true]...)...),
		v6:   addresses(append(append(strangers6, odd6...), ownAddresses[false]...)...),
		to4:  addresses(append(append(ownAddresses[true], serverAddress, serverAddress, serverAddress, strangerAddress, "198.18.0.77", "192.0.2.50"), odd4...)...),
		to6:  addresses(append(append(ownAddresses[false], server6Address, server6Address, server6Address, stranger6Address, "2001:db8:51::77"), odd6...)...),
	}
}

// port returns one of the ports that matter most of the time.
func (d dice) port() uint16 {
	ports := []uint16{22, 22, 22, 5353, 5353, 5353, 21, 53, 80, 81, 2200, 5300, 41001, 41002, 0, 1, closedPort}
	if d.IntN(20) == 0 {
		return uint16(d.IntN(1 << 16))
	}
	return ports[d.IntN(len(ports))]
}

func (d dice) octets(most int) []byte {
	b := make([]byte, d.IntN(most+1))
	for i := range b {
		b[i] = byte(d.IntN(256))
	}
	return b
}

// once reports true one time out of n.
func (d dice) once(n int) bool { return d.IntN(n) == 0 }

// packet returns a packet, or its fragments.
func (d dice) packet() [][]byte {
	c := crafted{sport: d.port(), dport: d.port(), udp: d.once(2), seq: uint32(d.IntN(4)), ack: uint32(d.IntN(4)),
		flags: byte(d.IntN(256)), payload: d.octets(64)}
	c.from, c.to = d.pick(d.v4), d.pick(d.to4)
	if d.once(2) {
		c.from, c.to = d.pick(d.v6), d.pick(d.to6)
	}
	if d.once(2) { // what a handshake has
		c.flags = []byte{tcpSYN, tcpSYN, tcpSYN | tcpACK, tcpACK, tcpRST, 1, 0}[d.IntN(7)]
	}
	if d.once(4) {
		c.options = [][]byte{fastOpen(nil), fastOpen(d.octets(16)[:0]), fastOpen(make([]byte, 8)), {2, 4, 5, 180}, {8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1}}[d.IntN(5)]
	}
	if d.once(4) {
		c.tos, c.ttl, c.flow, c.reserved, c.urgent = byte(d.IntN(256)), byte(d.IntN(256)), uint32(d.IntN(1<<20)), byte(d.IntN(16)), uint16(d.IntN(9))
	}
	if d.once(6) && c.from.Is4() {
		own := serverAddress
		final := netip.MustParseAddr(own).As4()
		c.ipOptions = [][]byte{{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {148, 4, 0, 0}, {131, 7, 4, final[0], final[1], final[2], final[3], 1},
			{137, 7, 4, final[0], final[1], final[2], final[3], 1}}[d.IntN(4)]
	}
	if d.once(6) && c.from.Is6() {
		c.extension = []byte{unix.IPPROTO_HOPOPTS, unix.IPPROTO_DSTOPTS, unix.IPPROTO_ROUTING}[d.IntN(3)]
	}
	ip := c.bytes()
	switch {
	case d.once(8):
		return [][]byte{unreachable(d.like(c.from), d.like(c.from), ip)}
	case d.once(8) && c.ipOptions == nil && c.extension == 0 && len(ip) > 80:
		return fragments(ip, 8*(1+d.IntN(3)), uint16(d.IntN(4)))
	case d.once(10): // a byte that is wrong; mostly a checksum is, too
		ip[1+d.IntN(len(ip)-1)] ^= 1 << d.IntN(8)
	case d.once(20):
		return [][]byte{ip[:20+d.IntN(len(ip)-20)]}
	}
	return [][]byte{ip}
}

// like returns an address of the same family that a packet may go to.
func (d dice) like(a netip.Addr) netip.Addr {
	if a.Is4() {
		return d.pick(d.to4)
	}
	return d.pick(d.to6)
}

// attempts is how many random packets a test sends. SESAME_ATTACKS in the environment asks for
// more.
func attempts(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("SESAME_ATTACKS")); err == nil {
		return n
	}
	return 2000
}

// TestRealRandomAttacks sends random packets to the most careless gateway there is: it forwards,
// believes own and looped addresses, follows source routes, has Fast Open without cookies,
// redirects ports to guarded ones, and expects connections by a helper. No guarded service ever
// receives anything.
func TestRealRandomAttacks(t *testing.T) {
	a := newAttack(t)
	a.gateway()
	a.moreAddresses()
	a.sysctl("net.ipv4.tcp_fastopen=1539") // 0x603: servers want no cookie, and need not ask for Fast Open
	a.run("ip route add local 192.0.2.50 dev lo table 100\nip rule add to 192.0.2.50 lookup 100 prio 50\n"+
		"ip route add local 198.18.0.0/24 dev lo\nip -6 route add local 2001:db8:51::/64 dev lo", "sh", "-e")
	a.run(`table inet careless {
		ct helper ftp { type "ftp" protocol tcp; }
		chain helped { type filter hook prerouting priority -195; tcp dport 21 ct helper set "ftp"; }
		chain nat { type nat hook prerouting priority dstnat; tcp dport 2200 redirect to :22; udp dport 5300 redirect to :5353; }
		chain hidden { type nat hook postrouting priority srcnat; oifname cable masquerade; }
	}`, "nft", "-f", "-")
	guarded := map[packet.Port]*service{tcp22: a.serve(tcp22), udp5353: a.serve(udp5353)}
	guarded[udp5353].join()
	open := map[packet.Port]*service{}
	for _, port := range []packet.Port{{Proto: packet.TCP, Number: 21}, tcp80, udp53} {
		open[port] = a.serve(port)
	}
	outer := []packet.Port{{Proto: packet.TCP, Number: 2200}, {Proto: packet.UDP, Number: 5300}}
	g := a.guarded(GuardConfig{}, append(outer, tcp22, udp5353)...)
	const seed = 1
	d, received := newDice(seed), 0
	for i := range attempts(t) {
		if i == attempts(t)/2 { // the outer ports are free now, and what they lead to is not
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp5353}}, nil))
		}
		packets := d.packet()
		a.ask(packets...)
		for port, s := range guarded {
			if n := s.received(); n > 0 {
				t.Fatalf("seed %d, packet %d: %v receives %d without a grant: %x", seed, i, port, n, packets)
			}
		}
		for _, s := range open {
			received += s.received()
		}
	}
	if received < attempts(t)/200 {
		t.Errorf("of %d packets the open services received %d: these are no attacks", attempts(t), received)
	}
	t.Logf("# the open services received %d", received)
}
