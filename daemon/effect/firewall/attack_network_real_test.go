package firewall

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// An attack is the client of two cabled hosts with raw access to the cable: it sends packets that
// no kernel would send, and sees each byte of what comes back. The server answers strangers of all
// addresses by way of the client.
type attack struct {
	*cabled
	fd        int // a packet socket of the client
	near, far net.HardwareAddr
	serial    uint16
	tries     int // packets, connections or scanned ports
}

// Addresses that neither host has. What the server sends to them arrives at the client, whose
// kernel does not answer.
const (
	strangerAddress  = "192.0.2.66"
	stranger6Address = "2001:db8:66::66"
)

var (
	tcp23   = packet.Port{Proto: packet.TCP, Number: 23}
	udp23   = packet.Port{Proto: packet.UDP, Number: 23}
	udp5353 = packet.Port{Proto: packet.UDP, Number: 5353}
)

func newAttack(t *testing.T) *attack {
	t.Helper()
	a := &attack{cabled: newCabled(t)}
	a.pin()
	a.far = a.hardware("cable")
	a.atClient(func() {
		a.near = a.hardware("cable")
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(network(unix.ETH_P_ALL)))
		must(t, err)
		a.fd = fd
		t.Cleanup(func() { _ = unix.Close(fd) })
		link, err := netlink.LinkByName("cable")
		must(t, err)
		must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL), Ifindex: link.Attrs().Index}))
		must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(generous / time.Second)}))
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	})
	for _, address := range []string{clientAddress, client6Address} {
		a.run("", "ip", "neigh", "replace", address, "lladdr", a.near.String(), "dev", "cable", "nud", "permanent")
	}
	a.run("", "ip", "route", "add", "default", "via", clientAddress)
	a.run("", "ip", "-6", "route", "add", "default", "via", client6Address)
	a.sysctl("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=1000000")
	t.Cleanup(func() { t.Logf("# %s: %d tries", t.Name(), a.tries) })
	return a
}

func network(n uint16) uint16 { return n<<8 | n>>8 }

// pin keeps the test's thread on one processor. The kernel handles frames of one processor in their
// order, so the answers to a packet are there before the answer to the next.
func (a *attack) pin() {
	runtime.LockOSThread()
	var allowed, one unix.CPUSet
	must(a.t, unix.SchedGetaffinity(0, &allowed))
	for cpu := range 1024 {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	must(a.t, unix.SchedSetaffinity(0, &one))
}

func (a *attack) hardware(name string) net.HardwareAddr {
	link, err := netlink.LinkByName(name)
	must(a.t, err)
	return link.Attrs().HardwareAddr
}

func (a *attack) sysctl(settings ...string) {
	a.t.Helper()
	a.run(strings.Join(settings, "\n"), "sysctl", "-q", "-p", "-")
}

// forget makes the server's connection tracking forget all.
func (a *attack) forget() {
	a.t.Helper()
	must(a.t, netlink.ConntrackTableFlush(netlink.ConntrackTable))
}

// A crafted packet. Zero values are what an honest sender would choose.
type crafted struct {
	from, to     netip.Addr
	sport, dport uint16
	udp          bool
	payload      []byte

	flags    byte // TCP
	reserved byte // the low four bits of the byte before the flags
	seq, ack uint32
	urgent   uint16
	options  []byte // of TCP, a multiple of 4 bytes

	tos, ttl  byte
	flow      uint32
	ipOptions []byte     // IPv4, a multiple of 4 bytes
	extension byte       // IPv6: the type of one extension header of 8 bytes
	final     netip.Addr // with a source route: the address that checksums are made with
	id        uint16
	dontFrag  bool
}

// transport returns the TCP segment or the UDP datagram with its checksum (RFC 9293, section 3.1).
func (c crafted) transport() []byte {
	var b []byte
	b = binary.BigEndian.AppendUint16(b, c.sport)
	b = binary.BigEndian.AppendUint16(b, c.dport)
	at := 6
	if c.udp {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(c.payload)))
		b = append(b, 0, 0)
	} else {
		at = 16
		b = binary.BigEndian.AppendUint32(b, c.seq)
		b = binary.BigEndian.AppendUint32(b, c.ack)
		b = append(b, byte(5+len(c.options)/4)<<4|c.reserved, c.flags, 0xfa, 0xf0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, c.urgent)
		b = append(b, c.options...)
	}
	b = append(b, c.payload...)
	to := c.to
	if c.final.IsValid() {
		to = c.final
	}
	pseudo := slices.Concat(c.from.AsSlice(), to.AsSlice(), []byte{0, 0, byte(len(b) >> 8), byte(len(b)), 0, c.protocol()})
	sum := checksum(append(pseudo, b...))
	if sum == 0 && c.udp {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[at:], sum)
	return b
}

func (c crafted) protocol() byte {
	if c.udp {
		return unix.IPPROTO_UDP
	}
	return unix.IPPROTO_TCP
}

// bytes returns the IP packet.
func (c crafted) bytes() []byte { return c.carrying(c.protocol(), c.transport()) }

// carrying returns an IP packet with another content.
func (c crafted) carrying(protocol byte, content []byte) []byte {
	ttl := c.ttl
	if ttl == 0 {
		ttl = 64
	}
	if c.from.Is6() {
		if c.extension != 0 {
			content = slices.Concat([]byte{protocol, 0, 1, 4, 0, 0, 0, 0}, content) // PadN, or nothing
			protocol = c.extension
		}
		b := make([]byte, 40, 40+len(content))
		binary.BigEndian.PutUint32(b, 6<<28|uint32(c.tos)<<20|c.flow)
		binary.BigEndian.PutUint16(b[4:], uint16(len(content)))
		b[6], b[7] = protocol, ttl
		copy(b[8:], c.from.AsSlice())
		copy(b[24:], c.to.AsSlice())
		return append(b, content...)
	}
	b := make([]byte, 20, 60+len(content))
	b = append(b, c.ipOptions...)
	b[0], b[1], b[8], b[9] = 4<<4|byte(len(b)/4), c.tos, ttl, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(content)))
	binary.BigEndian.PutUint16(b[4:], c.id)
	if c.dontFrag {
		b[6] = 0x40
	}
	copy(b[12:], c.from.AsSlice())
	copy(b[16:], c.to.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, content...)
}

// checksum is the internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// fragments cuts an IPv4 packet without options, or an IPv6 one, after a number of bytes of its
// content, a multiple of 8.
func fragments(ip []byte, after int, id uint16) [][]byte {
	if ip[0]>>4 == 4 {
		first, second := slices.Clone(ip[:20+after]), slices.Concat(ip[:20], ip[20+after:])
		for i, part := range [][]byte{first, second} {
			binary.BigEndian.PutUint16(part[2:], uint16(len(part)))
			binary.BigEndian.PutUint16(part[4:], id)
			binary.BigEndian.PutUint16(part[6:], []uint16{0x2000, uint16(after / 8)}[i])
			part[10], part[11] = 0, 0
			binary.BigEndian.PutUint16(part[10:], checksum(part[:20]))
		}
		return [][]byte{first, second}
	}
	header := func(offset int, more byte) []byte {
		return []byte{ip[6], 0, byte(offset >> 8), byte(offset) | more, 0, 0, byte(id >> 8), byte(id)}
	}
	parts := [][]byte{slices.Concat(ip[:40], header(0, 1), ip[40:40+after]), slices.Concat(ip[:40], header(after, 0), ip[40+after:])}
	for _, part := range parts {
		part[6] = unix.IPPROTO_FRAGMENT
		binary.BigEndian.PutUint16(part[4:], uint16(len(part)-40))
	}
	return parts
}

// send sends IP packets in frames to the server.
func (a *attack) send(packets ...[]byte) {
	a.t.Helper()
	for _, p := range packets {
		kind := []byte{8, 0}
		if p[0]>>4 == 6 {
			kind = []byte{0x86, 0xdd}
		}
		_, err := unix.Write(a.fd, slices.Concat(a.far, a.near, kind, p))
		must(a.t, err)
	}
}

// ask sends packets, and returns the IP packets that the server sends until it answers an echo
// request that is sent behind them. Each packet is a try.
func (a *attack) ask(packets ...[]byte) [][]byte {
	a.t.Helper()
	a.tries += len(packets)
	a.send(packets...)
	a.serial++
	echo := binary.BigEndian.AppendUint16([]byte{8, 0, 0, 0, 0x5e, 0x5a}, a.serial)
	binary.BigEndian.PutUint16(echo[2:], checksum(echo))
	a.send(crafted{from: netip.MustParseAddr("192.0.2.67"), to: netip.MustParseAddr(serverAddress)}.carrying(unix.IPPROTO_ICMP, echo))
	var answers [][]byte
	buffer := make([]byte, 70_000)
	for {
		n, from, err := unix.Recvfrom(a.fd, buffer, 0)
		if err != nil {
			a.t.Fatalf("no answer to an echo request: %v", err)
		}
		if from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		ip := slices.Clone(buffer[14:n])
		switch {
		case buffer[12] == 8 && buffer[13] == 0:
			if content := ip[int(ip[0]&15)*4:]; ip[9] == unix.IPPROTO_ICMP && content[0] == 0 && binary.BigEndian.Uint16(content[6:]) == a.serial {
				return answers
			}
			if ip[9] == unix.IPPROTO_IGMP {
				continue
			}
		case buffer[12] == 0x86 && buffer[13] == 0xdd:
			// Neighbour discovery and multicast listener reports are of no interest.
			if ip[6] == unix.IPPROTO_HOPOPTS || ip[6] == unix.IPPROTO_ICMPV6 && ip[40] >= 130 {
				continue
			}
		default:
			continue
		}
		answers = append(answers, ip)
	}
}

// A service waits behind a port of the server, IPv4 and IPv6, and never answers by itself: what
// arrives stays in the kernel's queue until it is counted. So nothing is missed, and nothing is
// waited for.
type service struct {
	a   *attack
	fd  int
	udp bool
}

func (a *attack) serve(port packet.Port) *service {
	a.t.Helper()
	s := &service{a: a, udp: port.Proto == packet.UDP}
	kind := unix.SOCK_STREAM
	if s.udp {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_INET6, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	must(a.t, err)
	s.fd = fd
	a.t.Cleanup(s.close)
	must(a.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	must(a.t, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
	must(a.t, unix.Bind(fd, &unix.SockaddrInet6{Port: int(port.Number)}))
	if !s.udp {
		must(a.t, unix.Listen(fd, 1024))
	}
	return s
}

// received returns how many datagrams arrived, or connections were accepted, since the last call.
func (s *service) received() (n int) {
	s.a.t.Helper()
	for {
		var err error
		if s.udp {
			_, _, err = unix.Recvfrom(s.fd, make([]byte, 64), 0)
		} else {
			var conn int
			if conn, _, err = unix.Accept(s.fd); err == nil {
				_ = unix.Close(conn)
			}
		}
		switch err {
		case nil:
			n++
		case unix.EAGAIN:
			return n
		case unix.ECONNABORTED, unix.EINTR:
		default:
			must(s.a.t, err)
		}
	}
}

func (s *service) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

// guarded returns a guard on these ports.
func (a *attack) guarded(cfg GuardConfig, ports ...packet.Port) *Guard {
	a.t.Helper()
	g := NewGuard(cfg)
	a.t.Cleanup(func() { must(a.t, g.Close()) })
	must(a.t, g.Install(effect.Guards{Drop: ports}, nil))
	return g
}

// bothFamilies returns the addresses of a stranger and of the server, of both families.
func bothFamilies() map[string]struct{ stranger, server, client netip.Addr } {
	return map[string]struct{ stranger, server, client netip.Addr }{
		"IPv4": {netip.MustParseAddr(strangerAddress), netip.MustParseAddr(serverAddress), netip.MustParseAddr(clientAddress)},
		"IPv6": {netip.MustParseAddr(stranger6Address), netip.MustParseAddr(server6Address), netip.MustParseAddr(client6Address)},
	}
}

// shown describes a packet of the server for a message.
func shown(ip []byte) string { return fmt.Sprintf("%x", ip) }
