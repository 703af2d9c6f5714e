package capture

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A configured interface is captured as soon as it exists, and again after it was down or was made
// anew.
func TestRealInterfaceComesAndGoes(t *testing.T) {
	namespace(t)
	cable(t, "other", "far")
	s := open(t, Config{Interfaces: []string{"late", "other"}, Program: udpFilter(7000), Links: snapshot(t)})
	latest := make(chan *Links, 100)
	monitor(t, func(l *Links) { s.SetLinks(l); latest <- l })
	follow := func(what string, wanted ...string) {
		t.Helper()
		until(t, latest, what, func(l *Links) bool { _, missing := l.Captured(s.names); return slices.Equal(missing, wanted) })
	}
	follow("the beginning", "late does not exist")
	captures := func(w *wire, text string) {
		t.Helper()
		w.knock(t, text, 4)
		if got := frames(t, s, func(string) bool { return true })[0].text; got != text {
			t.Errorf("captured %q, want %q", got, text)
		}
	}
	captures(plug(t, "far", "other"), "another interface")

	cable(t, "late", "there")
	follow("an interface that came later")
	w := plug(t, "there", "late")
	captures(w, "came later")

	down(t, "late")
	follow("that it is down", "late is down")
	up(t, "late")
	follow("that it is up again")
	captures(w, "came back")

	must(t, netlink.LinkDel(link(t, "late")))
	follow("that it is gone", "late does not exist")
	cable(t, "late", "there")
	follow("a new one by its name")
	captures(plug(t, "there", "late"), "made anew")

	cable(t, "unasked", "beyond")
	until(t, latest, "an interface that nobody asked for", func(l *Links) bool { captured, _ := l.Captured(nil); return len(captured) == 7 })
	plug(t, "beyond", "unasked").knock(t, "nobody asked", 4)
	captures(plug(t, "far", "other"), "last")
}

// When no interfaces are configured, a new one is captured before SetLinks is called.
func TestRealAnyHearsNewInterface(t *testing.T) {
	namespace(t)
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	cable(t, "here", "there")
	plug(t, "there", "here").knock(t, "last", 4)
	captured(t, s)
	must(t, netlink.LinkDel(link(t, "here")))
	cable(t, "here", "there")
	plug(t, "there", "here").knock(t, "last", 4)
	captured(t, s)
}

// numbered sends n frames to the ports in turn, each with its number, as fast as it can. The
// channel gets the result.
func (w *wire) numbered(n int, ports ...uint16) <-chan error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := pin(func(allowed []int) int { return allowed[len(allowed)-1] }); err != nil {
			ended <- err
			return
		}
		var frames [][]byte
		for _, port := range ports {
			frames = append(frames, w.frame(4, port, make([]byte, 16)))
		}
		for i := range n {
			frame := frames[i%len(frames)]
			binary.BigEndian.PutUint64(frame[42:], uint64(i))
			binary.BigEndian.PutUint64(frame[50:], uint64(time.Now().UnixNano()))
			if err := write(w.fd, frame); err != nil {
				ended <- fmt.Errorf("sending frame %d: %w", i, err)
				return
			}
		}
		ended <- nil
	}()
	return ended
}

// write sends a frame, and again when the kernel has no room for it now.
func write(fd int, frame []byte) error {
	for {
		_, err := unix.Write(fd, frame)
		if err != unix.ENOBUFS && err != unix.EINTR {
			return err
		}
	}
}

func number(data []byte) int { return int(binary.BigEndian.Uint64(data[28:])) }

func port(data []byte) uint16 { return binary.BigEndian.Uint16(data[22:]) }

// No wakeup is lost, and no packet is lost without being counted. A million packets are sent at
// full speed. Their numbers go up, and Lost counts the missing ones. After a lost wakeup the test
// would wait for ever, since nothing is sent after the last packet.
func TestRealMillion(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	const n = 1_000_000
	s := open(t, Config{Program: udpFilter(7000)})
	sent := plug(t, "there", "here").numbered(n, 7000)
	begin := time.Now()
	got, last, waits, lost := 0, -1, 0, 0
	must(t, s.file.SetReadDeadline(begin.Add(time.Minute)))
	for sending := true; ; waits++ {
		for f := (Frame{}); s.Next(&f); got++ {
			if number(f.Data) <= last {
				t.Fatalf("packet %d after %d", number(f.Data), last)
			}
			last = number(f.Data)
		}
		if sending && last == n-1 {
			must(t, <-sent) // it may come later than the last packet
			sending = false
		}
		select {
		case err := <-sent:
			must(t, err)
			sending = false
			continue // what came before the end may not have been looked at
		default:
		}
		if !sending {
			more, err := s.Lost()
			must(t, err)
			if lost += int(more); got+lost == n {
				break
			}
		}
		if err := s.Wait(); err != nil {
			t.Fatalf("%d came, the last was %d, and %d are lost: %v", got, last, lost, err)
		}
	}
	t.Logf("%d packets at %.0f a second, %d lost, %d waits", got, n/time.Since(begin).Seconds(), lost, waits)
}

// Every packet has passed the first filter, also one that arrives while the socket is being made.
func TestRealNothingBeforeFilter(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	sent := plug(t, "there", "here").numbered(300_000, 7000, 7001)
	seen, opened := 0, 0
	for sending := true; sending; opened++ {
		s := open(t, Config{Buffer: 1 << 20, Program: udpFilter(7001)})
		for f := (Frame{}); s.Next(&f); seen++ {
			if port(f.Data) != 7001 {
				t.Fatalf("a packet to port %d", port(f.Data))
			}
		}
		must(t, s.Close())
		select {
		case err := <-sent:
			must(t, err)
			sending = false
		default:
		}
	}
	t.Logf("%d packets seen by %d sources", seen, opened)
}

// A filter is replaced without a gap: no packet to port 7000 is lost, which both filters pass.
func TestRealFilterChange(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	const n = 60_000 // of which there is room for all
	s := open(t, Config{Buffer: 128 << 20, Program: udpFilter(7000, 7001)})
	sent := plug(t, "there", "here").numbered(n, 7000, 7001, 7002)
	stop, changed := make(chan struct{}), make(chan int)
	go func() {
		changes := 0
		defer func() { changed <- changes }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			changes++
			if err := s.SetProgram(udpFilter(7000, uint16(7001+changes%2))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	must(t, s.file.SetReadDeadline(time.Now().Add(time.Minute)))
	next := 0
	for next < n {
		var f Frame
		for s.Next(&f) {
			if port(f.Data) == 7000 {
				if number(f.Data) != next {
					t.Fatalf("packet %d came: expected %d", number(f.Data), next)
				}
				next += 3
			}
		}
		if next < n {
			must(t, s.Wait())
		}
	}
	close(stop)
	t.Logf("%d changes", <-changed)
	must(t, <-sent)
	lost, err := s.Lost()
	if lost != 0 || err != nil {
		t.Errorf("lost %d, %v", lost, err)
	}
}
