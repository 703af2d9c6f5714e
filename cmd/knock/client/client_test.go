package client

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// runProgram gives a command line to the client.
func runProgram(ctx context.Context, line string) (status int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	p := Program{Name: "knock", Version: "1", Stdout: &out, Stderr: &complaints}
	status = p.Run(ctx, strings.Fields(line))
	return status, out.String(), complaints.String()
}

// datagrams returns a UDP port of this machine.
func datagrams(t *testing.T) (conn net.PacketConn, port string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, strconv.Itoa(int(netip.MustParseAddrPort(conn.LocalAddr().String()).Port()))
}

func TestSourcesDiffer(t *testing.T) {
	defer goleak.VerifyNone(t)
	conn, port := datagrams(t)
	const count = 300
	status, _, stderr := runProgram(t.Context(), "-d 0 127.0.0.1"+strings.Repeat(" udp/"+port+" "+port, count/2))
	if status != done {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sources := map[string]bool{}
	for i := range count / 2 {
		_, from, err := conn.ReadFrom(make([]byte, 10))
		if err != nil {
			t.Fatalf("datagram %d: %v", i+1, err)
		}
		sources[from.String()] = true
	}
	if len(sources) != count/2 {
		t.Errorf("%d datagrams came from %d ports", count/2, len(sources))
	}
}

func TestFresh(t *testing.T) {
	s := newSender(netip.Addr{})
	if !s.fresh(5, 1) || s.fresh(5, 1) || !s.fresh(6, 2) {
		t.Error("a port is not fresh once")
	}
	if !s.fresh(5, sourceTries) {
		t.Error("the search does not end")
	}
}

// TestInterrupted ends the client while it waits: for the next knock, for its
// sockets, or for an answer.
func TestInterrupted(t *testing.T) {
	for _, line := range []string{
		"-d 1h 127.0.0.1 udp/PORT 9",
		"127.0.0.1 tcp/9 udp/PORT tcp/9",
		"--then 9 127.0.0.1 udp/PORT",
	} {
		t.Run(line, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			conn, port := datagrams(t)
			ctx, cancel := context.WithCancel(t.Context())
			var reader sync.WaitGroup
			reader.Go(func() {
				// Without a knock the test fails below, since nobody was interrupted.
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, _, err := conn.ReadFrom(make([]byte, 10)); err == nil {
					cancel()
				}
			})
			status, stdout, stderr := runProgram(ctx, strings.ReplaceAll(line, "PORT", port))
			reader.Wait()
			cancel()
			if status != couldNot || stdout != "" || stderr != "knock: interrupted\n" {
				t.Errorf("exit status %d, wrote %q and %q", status, stdout, stderr)
			}
		})
	}
	t.Run("before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if status, _, stderr := runProgram(ctx, "127.0.0.1 udp/9 9"); status != couldNot || stderr != "knock: interrupted\n" {
			t.Errorf("exit status %d, wrote %q", status, stderr)
		}
	})
}

// TestPace sends in virtual time. The delay lies between two knocks, the sockets of TCP knocks stay
// for 400 ms, and the end of the context ends every wait at once.
func TestPace(t *testing.T) {
	_, text := datagrams(t)
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	udp, tcp := Knock{UDP: true, Port: uint16(number)}, Knock{Port: 9}
	here := netip.MustParseAddr("127.0.0.1")
	bubble := func(name string, test func(t *testing.T, elapsed func() time.Duration)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				test(t, func() time.Duration { return time.Since(start) })
			})
		})
	}
	bubble("knocks", func(t *testing.T, elapsed func() time.Duration) {
		s := newSender(here)
		var at []time.Duration
		if err := s.send(t.Context(), []Knock{udp, tcp, udp, tcp}, 350*time.Millisecond, func(Knock) { at = append(at, elapsed()) }); err != nil {
			t.Fatal(err)
		}
		s.close()
		want := []time.Duration{0, 350 * time.Millisecond, 700 * time.Millisecond, 1050 * time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("knocks at %v, want %v", at, want)
		}
		if end := elapsed(); end != 1050*time.Millisecond+openTime {
			t.Errorf("the sockets stayed until %v", end)
		}
	})
	for name, wait := range map[string]func(ctx context.Context){
		"the delay":     func(ctx context.Context) { _ = newSender(here).send(ctx, []Knock{udp, udp}, time.Hour, func(Knock) {}) },
		"the sockets":   func(ctx context.Context) { s := newSender(here); _ = s.syn(ctx, 9); s.close() },
		"the open port": func(ctx context.Context) { connectUntilOpen(ctx, netip.AddrPortFrom(here, 9)) },
	} {
		bubble(name+" interrupted", func(t *testing.T, elapsed func() time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if wait(ctx); elapsed() != 300*time.Millisecond {
				t.Errorf("it ended after %v", elapsed())
			}
		})
	}
}

// TestOpensLater asks at a port where somebody listens only after the knocks.
func TestOpensLater(t *testing.T) {
	defer goleak.VerifyNone(t)
	conn, port := datagrams(t)
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := door.Addr().String()
	door.Close()
	opened := make(chan error, 1) // written once
	go func() {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _, err := conn.ReadFrom(make([]byte, 10))
		if err == nil {
			door, err = net.Listen("tcp", address)
		}
		opened <- err
	}()
	then := netip.MustParseAddrPort(address)
	status, stdout, stderr := runProgram(t.Context(), "--then "+strconv.Itoa(int(then.Port()))+" 127.0.0.1 udp/"+port)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	door.Close()
	if want := "tcp/" + strconv.Itoa(int(then.Port())) + " on 127.0.0.1 was closed and is open\n"; status != done || stdout != want {
		t.Errorf("exit status %d, wrote %q and %q", status, stdout, stderr)
	}
}

// TestOneAddressFails holds that knocks over one family are not lost to a failure
// of the other, and that the failure is reported.
func TestOneAddressFails(t *testing.T) {
	var out, complaints bytes.Buffer
	p := Program{Name: "knock", Stdout: &out, Stderr: &complaints}
	four, six := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::1")
	broken := context.DeadlineExceeded
	port := Knock{Port: 22}
	for _, tt := range []struct {
		name   string
		then   *Knock
		runs   []run
		status int
		fails  bool
	}{
		{"none", nil, []run{{to: six}, {to: four}}, done, false},
		{"one", nil, []run{{to: six, err: broken}, {to: four}}, done, false},
		{"all", nil, []run{{to: six, err: broken}, {to: four, err: broken}}, couldNot, true},
		{"the first, and the second is open", &port, []run{{to: six, err: broken}, {to: four, after: answer{state: open}}}, answerNo, false},
		{"the second, and the first is open", &port, []run{{to: six, after: answer{state: open}}, {to: four, err: broken}}, done, false},
	} {
		status, err := p.judge(&options{then: tt.then}, tt.runs, &printer{w: p.Stdout})
		if status != tt.status || (err != nil) != tt.fails {
			t.Errorf("%s: exit status %d, %v", tt.name, status, err)
		}
	}
	if got := strings.Count(complaints.String(), broken.Error()); got != 3 {
		t.Errorf("%d failures told:\n%s", got, &complaints)
	}
}
