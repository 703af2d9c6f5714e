package capture

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// namespace moves the test into a network namespace of its own, which ends with the test: its
// thread is never used again. Sockets that the goroutine of the test makes stay in the namespace.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if _, err := netns.New(); errors.Is(err, os.ErrPermission) {
		t.Skip("needs root: a network namespace is refused")
	} else if err != nil {
		t.Fatal(err)
	}
	must(t, pin(func(allowed []int) int { return allowed[0] }))
	up(t, "lo")
}

// pin binds this thread to one processor. The kernel keeps packets in order only if they are sent
// on one processor. The caller has locked the thread and never unlocks it.
func pin(choose func(allowed []int) int) error {
	var set, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	var allowed []int
	for cpu := range 8 * int(unsafe.Sizeof(set)) {
		if set.IsSet(cpu) {
			allowed = append(allowed, cpu)
		}
	}
	one.Set(choose(allowed))
	return unix.SchedSetaffinity(0, &one)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func up(t testing.TB, name string)   { t.Helper(); must(t, netlink.LinkSetUp(link(t, name))) }
func down(t testing.TB, name string) { t.Helper(); must(t, netlink.LinkSetDown(link(t, name))) }

func named(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// cable makes two interfaces; each receives what the other sends. The kernel sends nothing on them
// by itself, since IPv6 is off.
func cable(t testing.TB, one, other string) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: named(one), PeerName: other}))
	for _, name := range []string{one, other} {
		must(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0))
		up(t, name)
	}
}

func address(t testing.TB, name, cidr string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(cidr)
	must(t, err)
	a.Flags |= unix.IFA_F_NODAD
	must(t, netlink.AddrAdd(link(t, name), a))
	return a
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := Open(cfg)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func snapshot(t testing.TB) *Links {
	t.Helper()
	l, err := ListLinks()
	must(t, err)
	return l
}

const mark = "capture test: "

// captured returns the texts of our datagrams, up to the text "last". It skips all other packets.
func captured(t testing.TB, s *Source) (texts []string) {
	t.Helper()
	for _, f := range frames(t, s, func(text string) bool { return text == "last" }) {
		texts = append(texts, f.text)
	}
	return texts
}

type received struct {
	Frame
	text string
}

func frames(t testing.TB, s *Source, last func(text string) bool) (all []received) {
	t.Helper()
	decoder := packet.NewDecoder()
	for {
		f := next(t, s)
		var p packet.Packet
		if decoder.Decode(f.Link, f.Data, f.Wire, &p) != packet.NotDropped {
			continue
		}
		text, ours := strings.CutPrefix(string(p.Payload), mark)
		if !ours {
			continue
		}
		all = append(all, received{f, text})
		if last(text) {
			return all
		}
	}
}

// next waits for a frame, but not forever.
func next(t testing.TB, s *Source) (f Frame) {
	t.Helper()
	must(t, s.file.SetReadDeadline(time.Now().Add(10*time.Second)))
	if err := receive(s, &f); err != nil {
		t.Fatalf("nothing came: %v", err)
	}
	return f
}

// receive waits for the next packet that counts.
func receive(s *Source, f *Frame) error {
	for !s.Next(f) {
		if err := s.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// A wire sends frames on an interface.
type wire struct {
	fd     int
	source net.HardwareAddr
	dest   net.HardwareAddr // of the host at the other end
}

// plug returns a wire that sends on the interface called by, to the one called to.
func plug(t testing.TB, by, to string) *wire {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	out := link(t, by).Attrs()
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: out.Index}))
	return &wire{fd: fd, source: out.HardwareAddr, dest: link(t, to).Attrs().HardwareAddr}
}

func (w *wire) send(t testing.TB, frame []byte) {
	t.Helper()
	if _, err := unix.Write(w.fd, frame); err != nil {
		t.Fatalf("sending: %v", err)
	}
}

// knock sends a UDP datagram with this text to port 7000, behind these tags, each
// an EtherType and a tag control field.
func (w *wire) knock(t testing.TB, text string, version int, tags ...[2]uint16) {
	t.Helper()
	w.send(t, w.frame(version, 7000, []byte(mark+text), tags...))
}

func (w *wire) frame(version int, port uint16, payload []byte, tags ...[2]uint16) []byte {
	frame := append(append([]byte{}, w.dest...), w.source...)
	for _, tag := range tags {
		frame = binary.BigEndian.AppendUint16(frame, tag[0])
		frame = binary.BigEndian.AppendUint16(frame, tag[1])
	}
	return append(binary.BigEndian.AppendUint16(frame, map[int]uint16{4: packet.EtherTypeIPv4, 6: packet.EtherTypeIPv6}[version]),
		datagram(version, port, payload)...)
}

// datagram returns an IP packet.
func datagram(version int, port uint16, payload []byte) []byte {
	udp := &layers.UDP{SrcPort: 40000, DstPort: layers.UDPPort(port)}
	var ip gopacket.SerializableLayer = &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP,
		SrcIP: net.IPv4(198, 51, 100, 1), DstIP: net.IPv4(192, 0, 2, 1)}
	if version == 6 {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP,
			SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
	}
	_ = udp.SetNetworkLayerForChecksum(ip.(gopacket.NetworkLayer))
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(b, options, ip, udp, gopacket.Payload(payload)); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
