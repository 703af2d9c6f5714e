package firewall

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// BenchmarkGuardRules measures what the rules cost a packet that comes over a link: without rules,
// with those that the guard had before (testdata/guard_before.nft), and with those of now. The
// three are measured by turns, because the load of the machine changes. The figures are those of
// the fastest round, in nanoseconds for sending, receiving and judging one packet.
func BenchmarkGuardRules(b *testing.B) {
	for _, c := range guardCases {
		b.Run(c.name, func(b *testing.B) {
			var roads []*road
			for _, rules := range []string{"none", "before", "now"} {
				roads = append(roads, newRoad(b, rules, c))
			}
			for b.Loop() {
				for _, r := range roads {
					r.round()
				}
			}
			for _, r := range roads {
				r.arrived(c)
				b.ReportMetric(float64(r.best.Nanoseconds())/roundPackets, r.rules+"-ns/packet")
			}
			b.ReportMetric(0, "ns/op") // of three kinds of rules together: it says nothing
		})
	}
}

// roundPackets is how many packets one round sends. A round is short, so that some rounds are not
// interrupted by other programs.
const roundPackets = 200

// A guardCase is one kind of packet.
type guardCase struct {
	name    string
	port    packet.Port
	granted bool // when the flow begins
	ended   bool // the grant has ended when the packets come
	refused bool // the packet begins a flow, and has no grant
}

var guardCases = []guardCase{
	{name: "session on an unguarded port", port: tcp80},
	{name: "session with a grant", port: tcp22, granted: true},
	{name: "session after its grant", port: tcp22, granted: true, ended: true},
	{name: "flow after its grant", port: udp53, granted: true, ended: true},
	{name: "refused SYN", port: tcp22, refused: true},
	{name: "refused datagram", port: udp53, refused: true},
}

// A road is a link to a server with one set of rules. Its last rule, behind those of the guard,
// counts and drops, so that no program answers and the cost is that of the rules.
type road struct {
	*cabled
	rules  string
	socket int // of the client
	packet []byte
	sent   uint64
	best   time.Duration // of all rounds
}

func newRoad(b *testing.B, rules string, c guardCase) *road {
	r := &road{cabled: newCabled(b), rules: rules}
	r.listen(":22")
	r.listen(":80")
	r.echo(":53")
	guard := NewGuard(GuardConfig{})
	b.Cleanup(func() { must(b, guard.Close()) })
	switch rules {
	case "before":
		r.run("", "nft", "-f", "testdata/guard_before.nft")
		r.run("", "nft", "add element inet sesame guarded { tcp . 22, udp . 53 }")
	case "now":
		must(b, guard.Install(effect.Guards{Drop: []packet.Port{tcp22, udp53}}, nil))
	}
	if c.granted && rules != "none" {
		// A grant ends by itself here, because a revocation may end the flow with it.
		life := map[bool]time.Duration{false: time.Hour, true: time.Second}[c.ended]
		r.run("", "nft", fmt.Sprintf("add element inet sesame grants4 { %s . %s . %d timeout %ds }",
			clientAddress, c.port.Proto, c.port.Number, int(life.Seconds())))
	}
	from := netip.AddrPortFrom(netip.MustParseAddr(clientAddress), 40000)
	if !c.refused {
		from = r.begin(c.port)
	}
	if c.ended && rules != "none" {
		eventually(b, "the grant ends", func() bool {
			elements, err := guard.Elements()
			must(b, err)
			return len(elements) == 0
		})
	}
	// The window of the session is not known here, so the packets are outside of it.
	r.run("table inet sink { counter seen {}\nchain last { type filter hook input priority 300; ct state invalid counter\n counter name seen drop\n }\n}", "nft", "-f", "-")
	r.run("", "sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_be_liberal=1")
	r.packet = craft(b, from, c)
	r.open()
	return r
}

// begin begins a flow to a port of the server, and returns the client's end of it.
func (r *road) begin(port packet.Port) (from netip.AddrPort) {
	r.atClient(func() {
		conn, err := net.Dial(port.Proto.String(), serverAddress+":"+strconv.Itoa(int(port.Number)))
		must(r.t, err)
		r.t.Cleanup(func() { conn.Close() })
		must(r.t, conn.SetDeadline(time.Now().Add(generous)))
		for range 2 { // conntrack is sure of a flow after an answer to an answer
			_, err = conn.Write([]byte("x"))
			must(r.t, err)
			_, err = conn.Read(make([]byte, 10))
			must(r.t, err)
		}
		from = netip.MustParseAddrPort(conn.LocalAddr().String())
	})
	return from
}

// echo answers datagrams at an address of the server.
func (w *cabled) echo(address string) {
	conn, err := net.ListenPacket("udp", address)
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	go func() {
		data := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(data)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = conn.WriteTo(data[:n], from)
			}
		}
	}()
}

// craft returns an IP packet with valid checksums.
func craft(b *testing.B, from netip.AddrPort, c guardCase) []byte {
	ip := &layers.IPv4{Version: 4, TTL: 64, SrcIP: from.Addr().AsSlice(), DstIP: netip.MustParseAddr(serverAddress).AsSlice()}
	var transport gopacket.SerializableLayer
	if c.port.Proto == packet.UDP {
		u := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(c.port.Number)}
		ip.Protocol = layers.IPProtocolUDP
		must(b, u.SetNetworkLayerForChecksum(ip))
		transport = u
	} else {
		s := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(c.port.Number), Seq: 1, Window: 1000, SYN: c.refused, ACK: !c.refused}
		ip.Protocol = layers.IPProtocolTCP
		must(b, s.SetNetworkLayerForChecksum(ip))
		transport = s
	}
	buffer := gopacket.NewSerializeBuffer()
	must(b, gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, transport, gopacket.Payload("x")))
	return slices.Clone(buffer.Bytes())
}

// open opens the client's socket. Its small buffer keeps fewer packets on the way than the
// receiver's queue holds, since a packet counts until the receiver takes it up: none is lost.
func (r *road) open() {
	r.atClient(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		must(r.t, err)
		r.t.Cleanup(func() { unix.Close(fd) })
		must(r.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10))
		r.socket = fd
	})
}

// round sends the packets of one round, and notes how long they took if no round was faster.
func (r *road) round() {
	to := &unix.SockaddrInet4{Addr: netip.MustParseAddr(serverAddress).As4()}
	start := time.Now()
	for range roundPackets {
		must(r.t, unix.Sendto(r.socket, r.packet, 0, to))
	}
	took := time.Since(start)
	r.sent += roundPackets
	if r.best == 0 || took < r.best {
		r.best = took
	}
}

// arrived checks that what was measured is what the case says: the packets of a flow all pass
// the rules, and of those that are refused none begins a flow.
func (r *road) arrived(c guardCase) {
	r.t.Helper()
	must(r.t, netns.Set(r.server))
	s := &socket{}
	defer s.close()
	if c.refused && r.rules != "none" {
		counted, err := s.counters(guardTable)
		must(r.t, err)
		if counted["dropped"] == 0 {
			r.t.Errorf("rules %q: no packet was refused", r.rules)
		}
		return
	}
	eventually(r.t, "all packets arrive", func() bool {
		counted, err := s.counters(table{unix.NFPROTO_INET, "sink"})
		must(r.t, err)
		return counted["seen"] >= r.sent
	})
}
