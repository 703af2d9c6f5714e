//go:build linux

package e2e

import (
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/livetest"
)

// A prober finds the moment from which a port is open to a source: it sends a
// SYN every now and then, each as a connection of its own, until one is answered.
// A socket would send its second SYN only after a second.
type prober struct {
	l       *liveBench
	sender  *livetest.Sender
	answers int // a socket that receives SYN/ACKs
}

// interval is how often a prober tries.
const interval = 50 * time.Microsecond

func (l *liveBench) newProber() *prober {
	l.Helper()
	sender, err := l.net.Client.OpenSender()
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { sender.Close() })
	p := &prober{l, sender, -1}
	if err := l.net.Client.Do(p.listen); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { unix.Close(p.answers) })
	return p
}

// listen opens a socket for the SYN/ACKs of IPv4 from port 22, without their
// Ethernet headers.
func (p *prober) listen() (err error) {
	const ipv4 = 0x0008 // ETH_P_IP, in network order
	if p.answers, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, ipv4); err != nil {
		return err
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 9, Size: 1}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 5},
		bpf.LoadAbsolute{Off: 20, Size: 2}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 22, SkipTrue: 3},
		bpf.LoadAbsolute{Off: 33, Size: 1}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x12, SkipTrue: 1}, // SYN and ACK
		bpf.RetConstant{Val: 64}, bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	code := make([]unix.SockFilter, len(program))
	for i, in := range program {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(p.answers, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
}

// knock sends the knocks of a door, one right after the other.
func (p *prober) knock(d liveDoor, source netip.Addr) {
	p.l.Helper()
	p.send(source, d.knocks...)
}

func (p *prober) send(source netip.Addr, ports ...string) {
	p.l.Helper()
	if _, _, err := p.sender.Send(p.l.Context(), livetest.Knocks(source, ports...), 0); err != nil {
		p.l.Fatal(err)
	}
}

// opens returns how long it takes from now until a connection of the source is
// answered; false: longer than the limit.
func (p *prober) opens(source netip.Addr, limit time.Duration) (time.Duration, bool) {
	p.l.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Sleeping takes 50 µs longer than it should, unless the thread says otherwise.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		p.l.Fatal(err)
	}
	began := time.Now()
	for next := time.Duration(0); ; next += interval {
		p.send(source, "tcp/22")
		for p.wait(next + interval - time.Since(began)) {
			if p.answered(source) {
				return time.Since(began), true
			}
		}
		took := time.Since(began)
		if took > limit {
			return 0, false
		}
		next = max(next, took-interval) // what was late is not made up for
	}
}

// wait waits for an answer, to whomever.
func (p *prober) wait(limit time.Duration) bool {
	timeout := unix.NsecToTimespec(max(limit, 0).Nanoseconds())
	n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(p.answers), Events: unix.POLLIN}}, &timeout, nil)
	return err == nil && n > 0
}

// answered takes answers, until one is to the source or none is left.
func (p *prober) answered(source netip.Addr) bool {
	var b [64]byte
	for {
		n, _, err := unix.Recvfrom(p.answers, b[:], 0)
		if err != nil {
			return false
		}
		if n >= 20 && netip.AddrFrom4([4]byte(b[16:20])) == source {
			return true
		}
	}
}

// firstOpens knocks until a subject has opened once: it may have said that it is
// ready before it was.
func (p *prober) firstOpens(s *subject) bool {
	p.l.Helper()
	source, door := livetest.Source4(livetest.MaxSource4-1), s.doors[len(s.doors)-1]
	for range 10 {
		p.knock(door, source)
		if _, open := p.opens(source, time.Second); open {
			return true
		}
	}
	return false
}

// mustOpen is firstOpens of a subject that cannot be measured otherwise.
func (p *prober) mustOpen(s *subject) {
	p.l.Helper()
	if !p.firstOpens(s) {
		p.l.Fatalf("it does not open:\n%s%s", s.output(), s.read(s.log))
	}
}

// percentile returns the element below which so many percent of all are.
func percentile(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
