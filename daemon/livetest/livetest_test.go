//go:build linux

package livetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestRealNetwork(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("hosts", func(t *testing.T) {
		n := New(t)
		stop := n.Server.Echo("198.51.100.1:22")
		n.Server.Echo("[2001:db8:1::1]:22")
		for _, address := range []string{"198.51.100.1:22", "[2001:db8:1::1]:22"} {
			conn, err := n.Client.Dial("tcp", address, 5*time.Second)
			if err != nil {
				t.Fatalf("connecting to %s: %v", address, err)
			}
			if _, err := conn.Write([]byte("sesame")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 6)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "sesame" {
				t.Errorf("%s echoes %q, %v", address, got, err)
			}
			conn.Close()
		}
		if n.Client.Connects("198.51.100.1:23", 5*time.Second) {
			t.Error("a port without a listener accepts")
		}
		if n.Server.Connects("203.0.113.9:22", 5*time.Second) {
			t.Error("the client listens")
		}
		stop()
		if n.Client.Connects("198.51.100.1:22", 5*time.Second) {
			t.Error("a stopped server accepts")
		}
	})
	t.Run("commands", func(t *testing.T) {
		for _, name := range []string{"cat", "sleep"} {
			if _, err := exec.LookPath(name); err != nil {
				t.Skip(err)
			}
		}
		n := New(t)
		got := n.Server.Exec("cat", "/proc/net/dev")
		if !strings.Contains(got, "server0:") || strings.Contains(got, "client0:") {
			t.Errorf("the server's interfaces:\n%s", got)
		}
		n.Client.Start(exec.Command("sleep", "1000"))
	})
	t.Run("a function that ends its goroutine", func(t *testing.T) {
		n := New(t)
		if err := n.Server.Do(func() error { return errors.New("no") }); err == nil || err.Error() != "no" {
			t.Errorf("error %v", err)
		}
		done := make(chan error)
		go func() { done <- n.Server.Do(func() error { runtime.Goexit(); return nil }) }()
		if err := <-done; err == nil {
			t.Error("no error")
		}
	})
}

// guard drops all TCP and UDP packets to a host: otherwise most of the time of a
// flood would go into the answers, which are made on the sender's processor.
func guard(t testing.TB, h *Host) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip(err)
	}
	h.Exec("nft", "table inet guard { chain guard { type filter hook prerouting priority -150; meta l4proto { tcp, udp } drop; }; }")
}

// TestRealSender counts what arrives at the other end, of a flood at full speed
// and one with a rate.
func TestRealSender(t *testing.T) {
	n := New(t)
	guard(t, n.Server)
	const count, sources = 200_000, 50_000
	receiver := open(t, n.Server, count*2048)
	sent, took, err := n.Client.Send(t.Context(), Flood(count, Source4, sources, "tcp/7000", "udp/8000"), 0)
	if err != nil || sent != count {
		t.Fatalf("sent %d, %v", sent, err)
	}
	t.Logf("%d frames in %v: %.0f per second", sent, took, float64(sent)/took.Seconds())
	stats, err := unix.GetsockoptTpacketStats(receiver, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(stats.Packets); got < count {
		t.Errorf("%d of %d frames arrived", got, count)
	}

	const rate = 20_000
	sent, _, err = n.Client.Send(t.Context(), Flood(rate/2, Source6, rate, "tcp/7000"), rate)
	if err != nil || sent != rate/2 {
		t.Fatalf("sent %d, %v", sent, err)
	}
}

// TestPace waits for frames in virtual time.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 20_000
		p := newPace(rate)
		for n := range rate {
			if err := p.wait(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if want := time.Second - time.Second/rate; p.elapsed() != want {
			t.Errorf("the last of %d frames was due after %v, want %v", rate, p.elapsed(), want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.wait(ctx, 1_000_000*rate); err != context.Canceled {
			t.Errorf("a wait goes on after its context: %v", err)
		}
	})
}

// open returns a packet socket for what arrives at the host.
func open(t *testing.T, h *Host, buffer int) (fd int) {
	t.Helper()
	err := h.Do(func() (err error) {
		const everything = 0x0300 // ETH_P_ALL, in network order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything); err != nil {
			return err
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestRealFrames lets the kernel judge the frames: it answers a SYN with a right
// checksum, and gives a datagram with one to its listener.
func TestRealFrames(t *testing.T) {
	n := New(t)
	for _, tt := range []struct {
		source netip.Addr
		to     string
	}{{Source4(4711), "198.51.100.1"}, {Source6(4711), "2001:db8:1::1"}} {
		t.Run(tt.to, func(t *testing.T) {
			to := netip.AddrPortFrom(netip.MustParseAddr(tt.to), 53).String()
			n.Server.Echo(to)
			datagrams, err := n.Server.ListenPacket("udp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer datagrams.Close()
			answers := open(t, n.Client, 1<<20)
			timeout := unix.Timeval{Sec: 5}
			if err := unix.SetsockoptTimeval(answers, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
				t.Fatal(err)
			}
			if _, _, err := n.Client.Send(t.Context(), Knocks(tt.source, "udp/53", "tcp/53"), 0); err != nil {
				t.Fatal(err)
			}
			if err := datagrams.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 10)
			length, from, err := datagrams.ReadFrom(got)
			if err != nil || length != 1 || netip.MustParseAddrPort(from.String()).Addr() != tt.source {
				t.Errorf("the listener got %q from %v, %v", got[:length], from, err)
			}
			answer(t, answers, tt.source)

			const token = "SESA0123456789abcdef"
			payload := Knock{Source: tt.source, UDP: true, Port: 53, Payload: token}
			if _, _, err := n.Client.Send(t.Context(), slices.Values([]Knock{payload}), 0); err != nil {
				t.Fatal(err)
			}
			got = make([]byte, 100)
			if length, _, err := datagrams.ReadFrom(got); err != nil || string(got[:length]) != token {
				t.Errorf("the listener got %q, %v: expected %q", got[:length], err, token)
			}
		})
	}
}

// answer waits for a SYN/ACK to the source.
func answer(t *testing.T, fd int, source netip.Addr) {
	t.Helper()
	frame := make([]byte, 2000)
	for {
		length, _, err := unix.Recvfrom(fd, frame, 0)
		if err != nil {
			t.Fatalf("no SYN/ACK for %s: %v", source, err)
		}
		p := gopacket.NewPacket(frame[:length], layers.LayerTypeEthernet, gopacket.Default)
		segment, ok := p.TransportLayer().(*layers.TCP)
		if ok && segment.SYN && segment.ACK && p.NetworkLayer().NetworkFlow().Dst().String() == source.String() {
			return
		}
	}
}

func TestFlood(t *testing.T) {
	var got []string
	for k := range Flood(6, Source4, 2, "tcp/1", "udp/2") {
		got = append(got, fmt.Sprint(k.Source, k.UDP, k.Port))
	}
	want := "198.18.0.0false1 198.18.0.1false1 198.18.0.0true2 198.18.0.1true2 198.18.0.0false1 198.18.0.1false1"
	if text := strings.ReplaceAll(strings.Join(got, ";"), " ", ""); text != strings.ReplaceAll(want, " ", ";") {
		t.Errorf("flood %s", text)
	}
	last4, all4 := Source4(MaxSource4-1), netip.MustParsePrefix("198.18.0.0/15")
	if !all4.Contains(last4) || all4.Contains(last4.Next()) {
		t.Errorf("last IPv4 source %s", last4)
	}
	seen := map[netip.Addr]bool{}
	for i := range 100_000 {
		seen[Source6(i*7)] = true
	}
	if len(seen) != 100_000 {
		t.Errorf("%d distinct IPv6 sources", len(seen))
	}
}

// BenchmarkSend sends to a guarded port.
func BenchmarkSend(b *testing.B) {
	n := New(b)
	guard(b, n.Server)
	for _, family := range []struct {
		name   string
		source func(int) netip.Addr
	}{{"IPv4", Source4}, {"IPv6", Source6}} {
		b.Run(family.name, func(b *testing.B) {
			s, err := n.Client.OpenSender()
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.ReportAllocs()
			b.ResetTimer()
			if _, _, err := s.Send(b.Context(), Flood(b.N, family.source, MaxSource4, "tcp/7000"), 0); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}
