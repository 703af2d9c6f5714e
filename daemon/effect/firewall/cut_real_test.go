package firewall

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// cut returns the end of a grant that ends its sessions.
func cut(source string, port packet.Port) effect.Element {
	e := element(source, port, 0)
	e.Cut = true
	return e
}

// sessions is a TCP service that keeps what it accepted.
type sessions struct {
	listener net.Listener
	accepted chan net.Conn
}

// serve accepts at a TCP address of the namespace that the thread is in, and says nothing.
func (w *cabled) serve(address string) *sessions {
	w.t.Helper()
	l, err := net.Listen("tcp", address)
	must(w.t, err)
	w.t.Cleanup(func() { l.Close() })
	s := &sessions{l, make(chan net.Conn, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted <- conn
		}
	}()
	return s
}

// A session has both ends of a connection.
type session struct {
	t              *testing.T
	client, server net.Conn
}

// begin begins a session of a client's address; "": any.
func (s *sessions) begin(t *testing.T, w *cabled, from, to string) session {
	t.Helper()
	dialer := net.Dialer{Timeout: generous}
	if from != "" {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
	}
	one := session{t: t}
	w.atClient(func() {
		conn, err := dialer.Dial("tcp", to)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		one.client = conn
	})
	one.server = <-s.accepted
	t.Cleanup(func() { one.server.Close() })
	must(t, one.client.SetDeadline(time.Now().Add(generous)))
	must(t, one.server.SetDeadline(time.Now().Add(generous)))
	one.goesOn("at its begin")
	return one
}

// goesOn checks that both ends get what the other sends.
func (s session) goesOn(when string) {
	s.t.Helper()
	for _, ends := range [][2]net.Conn{{s.client, s.server}, {s.server, s.client}} {
		b := make([]byte, 4)
		if _, err := ends[0].Write([]byte("ping")); err != nil {
			s.t.Errorf("%s: %v", when, err)
			return
		}
		if _, err := io.ReadFull(ends[1], b); err != nil {
			s.t.Errorf("%s: %v", when, err)
			return
		}
	}
}

// isReset checks that an end that sends is told that the session is over.
func (s session) isReset(name string, end net.Conn) {
	s.t.Helper()
	_, err := end.Write([]byte("ping"))
	if err == nil {
		_, err = end.Read(make([]byte, 4))
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		s.t.Errorf("the %s sends, and gets %v: expected a reset", name, err)
	}
}

func TestRealCutEndsASession(t *testing.T) {
	for _, tt := range []struct {
		name, source, to string
		grant            string
	}{
		{"IPv4", clientAddress, server4, clientAddress},
		{"IPv6", client6Address, server6, client6Address},
		{"a network", clientAddress, server4, "198.51.100.0/25"},
		{"a network of IPv6", client6Address, server6, "2001:db8::/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newCabled(t)
			service := w.serve(":22")
			g := NewGuard(GuardConfig{})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
			apply(t, g, element(tt.grant, tcp22, time.Hour))
			speaks, hears := service.begin(t, w, "", tt.to), service.begin(t, w, "", tt.to)
			apply(t, g, element(tt.grant, tcp22, 0))
			speaks.goesOn("after a grant that does not cut")
			apply(t, g, cut(tt.grant, tcp22))
			speaks.isReset("client", speaks.client)
			speaks.isReset("server", speaks.server)
			t.Log("# the other way round")
			hears.isReset("server", hears.server)
			hears.isReset("client", hears.client)
			if w.slips("", tt.to) {
				t.Error("who was cut begins a session without a grant")
			}
			t.Log("# a new grant works at once, and its sessions go on after it")
			apply(t, g, element(tt.source, tcp22, time.Hour))
			again := service.begin(t, w, "", tt.to)
			apply(t, g, element(tt.source, tcp22, 0))
			again.goesOn("after the new grant")
		})
	}
}

func TestRealCutAnswersAsConfigured(t *testing.T) {
	for _, answer := range []Answer{AnswerReject, AnswerDrop} {
		t.Run(string(answer), func(t *testing.T) {
			w := newCabled(t)
			service := w.serve(":22")
			g := NewGuard(GuardConfig{Answer: answer})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
			apply(t, g, element(clientAddress, tcp22, time.Hour))
			s := service.begin(t, w, "", server4)
			apply(t, g, cut(clientAddress, tcp22))
			if answer == AnswerReject {
				s.isReset("client", s.client)
				s.isReset("server", s.server)
				return
			}
			for _, ends := range [][2]net.Conn{{s.client, s.server}, {s.server, s.client}} {
				must(t, ends[0].SetDeadline(time.Now().Add(generous)))
				must(t, ends[1].SetDeadline(time.Now().Add(patience)))
				_, err := ends[0].Write([]byte("ping"))
				must(t, err)
				if n, err := ends[1].Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%d bytes came, %v: expected nothing", n, err)
				}
			}
		})
	}
}

// The set is full: the grants end all the same, and the error says that their sessions do not.
func TestRealCutsAreBounded(t *testing.T) {
	_, g := newGuard(t, GuardConfig{})
	var all []member
	for i := range cutSize {
		source := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		all = append(all, cutSets[0].member(place{source: source, port: tcp22}, cutLife, 0, "")...)
	}
	for part := range slices.Chunk(all, maxEdits) {
		must(t, g.socket.transact(guardTable.change(unix.NFT_MSG_NEWSETELEM, cutSets[0].name, part)))
	}
	g.cuts.Store(someCuts)
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	err := errors.Join(g.Apply([]effect.Element{cut(clientAddress, tcp22)})...)
	if err == nil || !strings.Contains(err.Error(), "and more are not remembered") {
		t.Errorf("error %v", err)
	}
	elements, err := g.Elements()
	must(t, err)
	if len(elements) > 0 {
		t.Errorf("the grant stands: %v", elements)
	}
	t.Log("# a grant makes room")
	apply(t, g, element("10.0.0.0", tcp22, time.Hour))
	apply(t, g, cut(clientAddress, tcp22))
}

// TestRealCutIsWrittenBeforeTheGrantEnds: a crash in between loses no cut.
func TestRealCutIsWrittenBeforeTheGrantEnds(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("nft")
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	monitor := exec.Command("nft", "monitor")
	out, err := monitor.StdoutPipe()
	must(t, err)
	must(t, monitor.Start())
	t.Cleanup(func() { _ = monitor.Process.Kill(); _ = monitor.Wait() })
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Log("# waiting until nft reports changes")
	for heard := false; !heard; {
		apply(t, g, element(clientAddress, tcp22, time.Minute), element(client6Address, tcp22, time.Minute))
		select {
		case <-lines:
			heard = true
		case <-time.After(time.Millisecond):
		}
	}
	const marker = "192.0.2.77" // what was reported before it is of no interest
	apply(t, g, element(marker, tcp22, time.Minute))
	apply(t, g, cut(clientAddress, tcp22), cut(client6Address, tcp22))
	for line := range lines {
		if strings.HasPrefix(line, "add element inet sesame grants4") && strings.Contains(line, marker) {
			break
		}
	}
	begun := map[string]bool{}
	ended := 0
	for line := range lines {
		for _, family := range []string{"4", "6"} {
			begun[family] = begun[family] || strings.HasPrefix(line, "add element inet sesame cut"+family)
			if strings.HasPrefix(line, "delete element inet sesame grants"+family) && !strings.Contains(line, marker) {
				if ended++; !begun[family] {
					t.Errorf("the grant ends before the cut is written: %s", line)
				}
			}
		}
		if ended == 2 {
			return
		}
	}
	t.Error("nft ended")
}

func TestRealCutLeavesOthersAlone(t *testing.T) {
	const other = "198.51.100.3"
	w := newCabled(t)
	service, beside := w.serve(":22"), w.serve(":80")
	w.atClient(func() { w.address(other + "/24") })
	g := NewGuard(GuardConfig{})
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	apply(t, g, element(clientAddress, tcp22, time.Hour), element(other, tcp22, time.Hour))
	cutOff, free, unguarded := service.begin(t, w, clientAddress, server4), service.begin(t, w, other, server4), beside.begin(t, w, clientAddress, serverAddress+":80")
	apply(t, g, cut(clientAddress, tcp22), cut(clientAddress, tcp80))
	cutOff.isReset("client", cutOff.client)
	free.goesOn("a session of another source")
	unguarded.goesOn("a session to a port that nobody guards")
	service.begin(t, w, other, server4).goesOn("a new session of another source")
	t.Log("# an install leaves what is cut")
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{element(other, tcp22, time.Hour)}))
	cutOff.isReset("server", cutOff.server)
	if n := g.Repairs(); n != 1 {
		t.Errorf("%d repairs", n)
	}
	t.Log("# a network is cut, and one address in it has a grant")
	apply(t, g, cut("198.51.100.0/24", tcp22))
	free.goesOn("the session of a granted address in a network that is cut")
}

// A grant takes its addresses out of a network that is cut, and no others.
func TestRealCutNetworks(t *testing.T) {
	_, g := newGuard(t, GuardConfig{})
	held := func() string {
		var all []string
		for _, s := range cutSets {
			members, err := g.socket.members(guardTable, s.name)
			must(t, err)
			for _, m := range members {
				text := addressOf(m.key[:len(m.key)-8]).String()
				if len(m.end) > 0 {
					text += "-" + addressOf(m.end[:len(m.end)-8]).String()
				}
				if m.expires > cutLife || m.expires < cutLife-time.Minute {
					t.Errorf("%s is cut for %v", text, m.expires)
				}
				all = append(all, text)
			}
		}
		return strings.Join(all, " ")
	}
	for _, tt := range []struct {
		change effect.Element
		want   string
	}{
		{cut("203.0.113.0/24", tcp22), "203.0.113.0-203.0.113.255"},
		{cut("203.0.113.0/28", tcp22), "203.0.113.0-203.0.113.255"},
		{element("203.0.113.9", tcp22, time.Hour), "203.0.113.0-203.0.113.8 203.0.113.10-203.0.113.255"},
		{element("203.0.113.0/28", tcp22, time.Hour), "203.0.113.16-203.0.113.255"},
		{element("203.0.113.128/25", tcp80, time.Hour), "203.0.113.16-203.0.113.255"},
		{element("203.0.113.255", tcp22, time.Hour), "203.0.113.16-203.0.113.254"},
		{cut("203.0.113.255", tcp22), "203.0.113.255 203.0.113.16-203.0.113.254"},
		{cut("203.0.112.0/23", tcp22), "203.0.113.255 203.0.112.0-203.0.113.255"},
		{element("0.0.0.0/0", tcp22, time.Hour), ""},
		{cut("::/0", udp53), "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{element("::/1", udp53, time.Hour), "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{element("8000::/1", udp53, time.Hour), ""},
	} {
		apply(t, g, tt.change)
		if got := held(); got != tt.want {
			t.Errorf("after %v: %q is cut, want %q", tt.change, got, tt.want)
		}
	}
	apply(t, g, element("192.0.2.0/24", tcp80, time.Hour))
	if g.cuts.Load() != noCuts {
		t.Error("nothing is cut, and each grant looks for it")
	}
}
