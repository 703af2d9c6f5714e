package capture

import (
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/filter"
	"sesame/daemon/packet"
)

const (
	vlan1q  = packet.EtherTypeVLAN
	vlan1ad = packet.EtherTypeQinQ
)

func udpFilter(ports ...uint16) []bpf.Instruction {
	program, _ := filter.New(filter.Interest{UDP: ports}).Program()
	return program
}

func TestRealFrames(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	w := plug(t, "there", "here")
	w.knock(t, "v4", 4)
	w.knock(t, "v6", 6)
	w.knock(t, "tagged", 4, [2]uint16{vlan1q, 10})
	w.knock(t, "tagged v6", 6, [2]uint16{vlan1ad, 10})
	w.knock(t, "priority alone", 4, [2]uint16{vlan1q, 5 << 13})
	w.knock(t, "QinQ", 4, [2]uint16{vlan1ad, 10}, [2]uint16{vlan1q, 20})
	w.knock(t, "QinQ v6", 6, [2]uint16{vlan1ad, 10}, [2]uint16{vlan1q, 20})
	w.knock(t, "QinQ like v4", 4, [2]uint16{vlan1ad, 10}, [2]uint16{vlan1q, 2<<13 | 20})
	w.knock(t, "QinQ like v6", 6, [2]uint16{vlan1ad, 10}, [2]uint16{vlan1q, 3<<13 | 20})
	w.knock(t, "three tags", 4, [2]uint16{vlan1ad, 10}, [2]uint16{vlan1q, 20}, [2]uint16{vlan1q, 2<<13 | 30})
	w.knock(t, "old QinQ", 4, [2]uint16{packet.EtherTypeQinQ2, 10})
	w.send(t, w.frame(4, 7001, []byte(mark+"another port")))
	other := *w
	other.dest = net.HardwareAddr{2, 0, 0, 0, 0, 99}
	other.knock(t, "for another host", 4)
	other.dest = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	other.knock(t, "broadcast", 4)
	other.dest = net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}
	other.knock(t, "multicast", 4)
	w.send(t, append(w.frame(4, 7000, nil)[:12], 0x88, 0xcc, 2, 7, 4, 1)) // LLDP
	w.knock(t, "last", 6)

	want := []string{"v4", "v6", "tagged", "tagged v6", "priority alone", "QinQ", "QinQ v6", "QinQ like v4", "QinQ like v6",
		"three tags", "old QinQ", "broadcast", "multicast", "last"}
	var got, stray []string
	for _, f := range frames(t, s, func(text string) bool { return text == "last" }) {
		got = append(got, f.text)
		if f.Stray {
			stray = append(stray, f.text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
	// The host has no interface for any VLAN.
	want = slices.DeleteFunc(want, func(text string) bool {
		return slices.Contains([]string{"v4", "v6", "priority alone", "broadcast", "multicast", "last"}, text)
	})
	if diff := cmp.Diff(want, stray); diff != "" {
		t.Errorf("stray (-want +got):\n%s", diff)
	}
}

func TestRealStampsAndLengths(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	must(t, netlink.LinkSetMTU(link(t, "there"), 9000))
	must(t, netlink.LinkSetMTU(link(t, "here"), 9000))
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	w := plug(t, "there", "here")
	fine := false
	for _, size := range []int{20, 1472, 1900, 8000} {
		before := time.Now()
		w.send(t, w.frame(4, 7000, make([]byte, size)))
		f := next(t, s)
		if f.Stamp.Before(before.Round(0)) || f.Stamp.After(time.Now().Round(0)) || f.Stamp.Location() != time.UTC {
			t.Errorf("stamped %v; sent at %v", f.Stamp, before)
		}
		fine = fine || f.Stamp.Nanosecond()%1000 != 0
		if f.Wire != size+28 || len(f.Data) != min(f.Wire, 1968) || f.Link != packet.IPv4 {
			t.Errorf("%d bytes of payload: got %d of %d, %v", size, len(f.Data), f.Wire, f.Link)
		}
		if f.Interface != link(t, "here").Attrs().Index {
			t.Errorf("came in on %d", f.Interface)
		}
	}
	if !fine {
		t.Error("stamps in microseconds: expected nanoseconds")
	}
}

// A packet over the loopback comes once. An interface without link headers is captured as any
// other.
func TestRealLoopbackAndTun(t *testing.T) {
	namespace(t)
	tun := &netlink.Tuntap{LinkAttrs: named("tun"), Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1}
	if err := netlink.LinkAdd(tun); err != nil {
		t.Fatalf("making a tun device: %v", err)
	}
	defer tun.Fds[0].Close()
	up(t, "tun")
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	for _, to := range []string{"127.0.0.1:7000", "[::1]:7000"} {
		c, err := net.Dial("udp", to)
		must(t, err)
		_, err = c.Write([]byte(mark + to))
		must(t, err)
		c.Close()
	}
	for _, version := range []int{4, 6} {
		if _, err := tun.Fds[0].Write(datagram(version, 7000, []byte(mark+"tun v"+strconv.Itoa(version)))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := tun.Fds[0].Write(datagram(4, 7000, []byte(mark+"last")))
	must(t, err)
	if diff := cmp.Diff([]string{"127.0.0.1:7000", "[::1]:7000", "tun v4", "tun v6", "last"}, captured(t, s)); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
}

func TestRealBridgeCountsOnce(t *testing.T) {
	namespace(t)
	cable(t, "port", "there")
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: named("bridge")}))
	must(t, netlink.LinkSetMaster(link(t, "port"), link(t, "bridge")))
	up(t, "bridge")
	links := snapshot(t)
	w := plug(t, "there", "bridge")
	for _, tt := range []struct {
		names   []string
		want    []string
		missing []string
	}{
		{nil, []string{"one", "two", "last"}, nil},
		{[]string{"bridge"}, []string{"one", "two", "last"}, nil},
		{[]string{"port", "lo"}, nil, []string{"port is a port of bridge, where its packets count"}},
	} {
		// No subtest: that would run on another thread, outside the namespace.
		s := open(t, Config{Interfaces: tt.names, Program: udpFilter(7000), Links: links})
		w.knock(t, "one", 4)
		w.knock(t, "two", 6)
		w.knock(t, "last", 4)
		if tt.want == nil {
			var f Frame
			if s.Next(&f) {
				t.Errorf("%q: captured %x", tt.names, f.Data)
			}
		} else if diff := cmp.Diff(tt.want, captured(t, s)); diff != "" {
			t.Errorf("%q: captured (-want +got):\n%s", tt.names, diff)
		}
		if _, missing := links.Captured(tt.names); !slices.Equal(missing, tt.missing) {
			t.Errorf("%q: missing %q", tt.names, missing)
		}
	}
}

func TestRealLost(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	s := open(t, Config{Buffer: 1, Program: udpFilter(7000)})
	if size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF); size != smallestBuffer || err != nil {
		t.Errorf("a buffer of %d bytes, %v", size, err)
	}
	w := plug(t, "there", "here")
	for range 3 {
		for range 1000 {
			w.knock(t, "many", 4)
		}
		got := 0
		for f := (Frame{}); s.Next(&f); {
			got++
		}
		lost, err := s.Lost()
		if got == 0 || got+int(lost) != 1000 || err != nil {
			t.Errorf("got %d, lost %d, %v: expected 1000 in all", got, lost, err)
		}
		if again, err := s.Lost(); again != 0 || err != nil {
			t.Errorf("then lost %d, %v", again, err)
		}
	}
	// What is for another host takes no room.
	w.dest = net.HardwareAddr{2, 0, 0, 0, 0, 99}
	for range 1000 {
		w.knock(t, "for another host", 4)
	}
	if lost, err := s.Lost(); lost != 0 || err != nil {
		t.Errorf("lost %d that are for another host, %v", lost, err)
	}
}

func TestRealClose(t *testing.T) {
	namespace(t)
	s := open(t, Config{})
	waiting, ended := make(chan struct{}), make(chan error)
	go func() {
		close(waiting)
		ended <- s.Wait()
	}()
	<-waiting
	must(t, s.Close())
	select {
	case err := <-ended:
		if err != os.ErrClosed {
			t.Errorf("Wait: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Wait goes on after Close")
	}
	var f Frame
	_, lost := s.Lost()
	for name, err := range map[string]error{"Wait": s.Wait(), "Close": s.Close(), "SetProgram": s.SetProgram(nil)} {
		if err != os.ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Next(&f) || lost == nil {
		t.Errorf("Next goes on, or Lost: %v", lost)
	}
}

// A frame stays readable when another goroutine closes the source.
func TestRealCloseWhileReading(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	w := plug(t, "there", "here")
	frame := w.frame(4, 7000, []byte(mark))
	for range 50 {
		s := open(t, Config{Buffer: 1 << 20, Program: udpFilter(7000)})
		sum, started := make(chan int), make(chan struct{})
		go func() {
			total := 0
			defer func() { sum <- total }()
			for f := (Frame{}); receive(s, &f) == nil; {
				if total == 0 {
					close(started)
				}
				for _, b := range f.Data {
					total += int(b)
				}
				total += f.Wire
			}
		}()
		for range 20 {
			w.send(t, frame)
		}
		<-started
		must(t, s.Close())
		if <-sum == 0 {
			t.Error("nothing was read")
		}
	}
}

func TestRealRefusal(t *testing.T) {
	namespace(t)
	for name, program := range map[string][]bpf.Instruction{
		"empty":        {},
		"without end":  {bpf.LoadConstant{Dst: bpf.RegA, Val: 1}},
		"far too long": append(make([]bpf.Instruction, 0), slices.Repeat([]bpf.Instruction{bpf.RetConstant{Val: 1}}, 70000)...),
	} {
		if s, err := Open(Config{Program: program}); err == nil {
			s.Close()
			t.Errorf("a filter that is %s is taken", name)
		} else {
			t.Log(err)
		}
	}
	s := open(t, Config{Program: slices.Repeat(everything, maxProgram)})
	if err := s.SetProgram([]bpf.Instruction{}); err == nil {
		t.Error("an empty filter is taken")
	}
	must(t, s.SetProgram(nil))
}
