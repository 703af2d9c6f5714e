package daemon

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/capture"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/livetest"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

// An impossible frame is one that no honest host sends.
type impossible struct {
	name string
	ip   []byte
	tags []byte // VLAN tags before the EtherType
	// live means that a capture does not tell that it is impossible.
	live bool
}

// aSYN and aDatagram are knocks with right checksums, changed by what comes before them.
func aSYN(change func(ip []byte)) []byte {
	ip := slices.Concat([]byte{0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 198, 51, 100, 1},
		[]byte{0x9c, 0x40, 0x1b, 0x58, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0})
	change(ip)
	packet.FillChecksums(ip)
	return ip
}

func aDatagram6(source string) []byte {
	ip := slices.Concat([]byte{0x60, 0, 0, 0, 0, 9, 17, 64}, netip.MustParseAddr(source).AsSlice(), netip.MustParseAddr("2001:db8:1::1").AsSlice(),
		[]byte{0x9c, 0x40, 0x1b, 0x59, 0, 9, 0, 0, 'x'})
	packet.FillChecksums(ip)
	return ip
}

func sent(source string) []byte {
	return aSYN(func(ip []byte) { copy(ip[12:], netip.MustParseAddr(source).AsSlice()) })
}

// spoilt returns a knock in which one byte is wrong.
func spoilt(ip []byte, at int) []byte {
	ip[at] ^= 0x55
	return ip
}

func impossibles() []impossible {
	nothing := func([]byte) {}
	routed := aSYN(nothing)
	routed = slices.Concat(routed[:20], []byte{131, 7, 4, 192, 0, 2, 7, 0}, routed[20:])
	routed[0], routed[3] = 0x47, 48
	packet.FillChecksums(routed)
	return []impossible{
		{name: "0.0.0.0", ip: sent("0.0.0.0")}, {name: "127.0.0.1", ip: sent("127.0.0.1")}, {name: "224.0.0.1", ip: sent("224.0.0.1")},
		{name: "255.255.255.255", ip: sent("255.255.255.255")}, {name: "the host's own address", ip: sent("198.51.100.1")},
		{name: "the broadcast address of its network", ip: sent("198.51.100.255"), live: true},
		{name: "::", ip: aDatagram6("::")}, {name: "::1", ip: aDatagram6("::1")}, {name: "ff02::1", ip: aDatagram6("ff02::1")},
		{name: "the host's own IPv6 address", ip: aDatagram6("2001:db8:1::1")},
		{name: "TTL 0", ip: aSYN(func(ip []byte) { ip[8] = 0 })},
		{name: "IP checksum", ip: spoilt(aSYN(nothing), 10)}, {name: "TCP checksum", ip: spoilt(aSYN(nothing), 36)},
		{name: "UDP checksum", ip: spoilt(aDatagram6("2001:db8:9::9"), 46)},
		{name: "SYN and FIN", ip: aSYN(func(ip []byte) { ip[33] = 3 })}, {name: "SYN and RST", ip: aSYN(func(ip []byte) { ip[33] = 6 })},
		{name: "loose source route", ip: routed},
		{name: "to 127.0.0.1", ip: aSYN(func(ip []byte) { copy(ip[16:], []byte{127, 0, 0, 1}) })},
		{name: "a VLAN without an interface", ip: aSYN(nothing), tags: []byte{0x81, 0, 0, 77}, live: true},
		{name: "two of them", ip: aSYN(nothing), tags: []byte{0x81, 0, 0, 0, 0x81, 0, 0, 77}, live: true},
		{name: "a tag that the kernel does not know", ip: aSYN(nothing), tags: []byte{0x91, 0, 0, 0}, live: true},
	}
}

// halfway is a door in which the knocks of the test are later ones. So they count, and nothing
// follows.
func halfway() *engine.Set {
	knock := func(proto packet.Proto, number uint16) engine.Knock {
		k := engine.Knock{Port: packet.Port{Proto: proto, Number: number}}
		if proto == packet.TCP {
			k.Flags = engine.SYN
		}
		return k
	}
	return &engine.Set{Doors: []*engine.Door{{Name: "d", Within: time.Minute, TTL: time.Minute,
		Sequence: []engine.Knock{knock(packet.TCP, 9999), knock(packet.TCP, 7000), knock(packet.UDP, 7001), knock(packet.TCP, 9998)}}}}
}

// TestRealImpossible sends what no honest host sends over a real link. Each frame is malformed, and
// none is a knock. The same frames in a capture are judged alike.
func TestRealImpossible(t *testing.T) {
	n := livetest.New(t)
	clock := newClock()
	interest := filter.New(filter.Interest(halfway().Interest()))
	program, _ := interest.Program()
	l := &loop{clock: clock, engine: engine.New(engine.Config{}, clock.now()), filter: interest, decoder: packet.NewDecoder(), log: hclog.NewNullLogger()}
	var to net.HardwareAddr
	if err := n.Server.Do(func() error {
		links, err := capture.ListLinks()
		if err != nil {
			return err
		}
		l.engine.Own(links.Own())
		l.engine.Local(clock.now(), links.Addresses())
		l.engine.Swap(clock.now(), halfway())
		at, err := net.InterfaceByName(n.Server.Interface)
		if err != nil {
			return err
		}
		to = at.HardwareAddr
		l.source, err = capture.Open(capture.Config{Links: links, Program: program})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.source.Close()
	send := sender(t, n.Client, to)
	honest := impossible{name: "an honest knock", ip: aSYN(func([]byte) {})}
	for i, f := range append(impossibles(), honest) {
		send(f)
		l.await(t, f.name)
		malformed := l.dropped[packet.Malformed] + l.engine.Counts().Dropped[packet.Malformed]
		if want := min(i+1, len(impossibles())); malformed != want || (l.engine.Counts().Knocks > 0) != (i == len(impossibles())) {
			t.Errorf("%s: %d malformed, want %d, and %d knocks: %v %v", f.name, malformed, want, l.engine.Counts().Knocks, l.dropped, l.engine.Counts().Dropped)
		}
	}
	for _, f := range append(impossibles(), honest) {
		want := packet.Malformed
		if f.live || f.name == honest.name {
			want = packet.NotDropped
		}
		if got := simulated(t, f, to); got != want {
			t.Errorf("simulated, %s: %v, want %v", f.name, got, want)
		}
	}
}

// await waits for the next frame and handles it. It leaves out those of the kernel itself, which
// tell routers of groups: they have hop-by-hop options.
func (l *loop) await(t *testing.T, name string) {
	t.Helper()
	stop := time.AfterFunc(10*time.Second, func() { l.source.Close() })
	defer stop.Stop()
	var f capture.Frame
	for !l.source.Next(&f) || f.Data[0]>>4 == 6 && f.Data[6] == 0 {
		if err := l.source.Wait(); err != nil {
			t.Fatalf("%s: nothing came: %v", name, err)
		}
	}
	now := l.clock.now()
	l.frame(&f, now, now)
}

func ethernet(f impossible, to net.HardwareAddr) []byte {
	etherType := []byte{8, 0}
	if f.ip[0]>>4 == 6 {
		etherType = []byte{0x86, 0xdd}
	}
	return slices.Concat(to, []byte{2, 0, 0, 0, 0, 9}, f.tags, etherType, f.ip)
}

// sender returns a function that sends frames from a host.
func sender(t *testing.T, from *livetest.Host, to net.HardwareAddr) func(impossible) {
	t.Helper()
	fd := -1
	if err := from.Do(func() (err error) {
		at, err := net.InterfaceByName(from.Interface)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: at.Index})
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return func(f impossible) {
		if _, err := unix.Write(fd, ethernet(f, to)); err != nil {
			t.Fatalf("sending %s: %v", f.name, err)
		}
	}
}

// simulated returns why a frame is no knock in a replay of a capture that holds it alone.
func simulated(t *testing.T, f impossible, to net.HardwareAddr) packet.Drop {
	t.Helper()
	frame := ethernet(f, to)
	var file bytes.Buffer
	for _, n := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 1 << 18, 1, 1, 0, uint32(len(frame)), uint32(len(frame))} {
		file.Write(binary.LittleEndian.AppendUint32(nil, n))
	}
	file.Write(frame)
	path := filepath.Join(t.TempDir(), "one.pcap")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := simulate.Run(t.Context(), simulate.Config{Captures: []string{path}, Set: halfway(), Writer: transcript.NewJSON(io.Discard),
		Local: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::1/128")}})
	if err != nil {
		t.Fatal(err)
	}
	for drop, times := range report.Dropped {
		if times > 0 {
			return packet.Drop(drop)
		}
	}
	return packet.NotDropped
}
