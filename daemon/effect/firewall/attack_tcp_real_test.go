package firewall

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRealConnectionsFromAGuardedPort connects from here, with the guarded port as the source port,
// as rsh and NFS clients do.
func TestRealConnectionsFromAGuardedPort(t *testing.T) {
	for _, host := range hosts {
		t.Run(host.name, func(t *testing.T) {
			a := newAttack(t)
			if host.rules != "" {
				a.run(host.rules, "nft", "-f", "-")
			}
			a.atClient(func() { a.listen(":8080") })
			a.guarded(GuardConfig{}, tcp22)
			for _, address := range []string{serverAddress, server6Address} {
				to := map[string]string{serverAddress: clientAddress, server6Address: client6Address}[address]
				dialer := net.Dialer{Timeout: generous, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 22))}
				conn, err := dialer.Dial("tcp", net.JoinHostPort(to, "8080"))
				if err != nil {
					t.Errorf("connecting from %s, port 22: %v", address, err)
					continue
				}
				a.tries++
				if !a.exchange(conn, generous) {
					t.Errorf("a connection from %s, port 22, carries nothing", address)
				}
				must(t, conn.(*net.TCPConn).SetLinger(0)) // frees the port
				must(t, conn.Close())
			}
		})
	}
}

// tcpReply returns the fields of the SYN+ACK to a packet.
func tcpReply(packets [][]byte, c crafted) (seq uint32, options []byte, ok bool) {
	for _, ip := range packets {
		if !answered([][]byte{ip}, c) {
			continue
		}
		at := 40
		if ip[0]>>4 == 4 {
			at = int(ip[0]&15) * 4
		}
		return binary.BigEndian.Uint32(ip[at+4:]), ip[at+20 : at+int(ip[at+12]>>4)*4], true
	}
	return 0, nil, false
}

const optionFastOpen = 34 // RFC 7413, section 4.1.1

// cookieOf returns the Fast Open cookie among TCP options.
func cookieOf(options []byte) []byte {
	for len(options) >= 2 && options[0] != 0 {
		if options[0] == 1 {
			options = options[1:]
			continue
		}
		n := int(options[1])
		if n < 2 || n > len(options) {
			break
		}
		if options[0] == optionFastOpen {
			return options[2:n]
		}
		options = options[n:]
	}
	return nil
}

// fastOpen returns the option for a cookie; without one it asks for one.
func fastOpen(cookie []byte) []byte {
	option := append([]byte{optionFastOpen, byte(2 + len(cookie))}, cookie...)
	for len(option)%4 != 0 {
		option = append(option, 1)
	}
	return option
}

// TestRealFastOpen sends data in the first packet of a connection: with a cookie from an earlier
// grant, with an invented one, and with none to a server that wants none.
func TestRealFastOpen(t *testing.T) {
	for _, setting := range []int{0x3, 0x403, 0x603} { // see ip-sysctl, tcp_fastopen
		t.Run(fmt.Sprintf("tcp_fastopen=%#x", setting), func(t *testing.T) {
			a := newAttack(t)
			a.sysctl(fmt.Sprintf("net.ipv4.tcp_fastopen=%d", setting))
			s := a.serve(tcp22)
			must(t, unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 64))
			g := a.guarded(GuardConfig{}, tcp22)
			for family, f := range bothFamilies() {
				syn := crafted{from: f.stranger, to: f.server, sport: 1001, dport: 22, flags: tcpSYN, options: fastOpen(nil)}
				granted := func(remaining time.Duration) { apply(t, g, element(f.stranger.String(), tcp22, remaining)) }
				granted(time.Minute)
				_, options, ok := tcpReply(a.ask(syn.bytes()), syn)
				cookie := cookieOf(options)
				if !ok || cookie == nil && setting&0x200 == 0 {
					t.Fatalf("%s: no cookie while granted", family)
				}
				s.received() // a server that wants no cookie accepts at once
				with := func(sport uint16, cookie []byte) crafted {
					c := syn
					c.sport, c.payload, c.options = sport, []byte("data in the first packet"), fastOpen(cookie)
					return c
				}
				a.ask(with(1002, cookie).bytes())
				if s.received() != 1 {
					t.Fatalf("%s: Fast Open does not work while granted: this is no attack", family)
				}
				granted(0)
				for i := range 50 {
					invented := []byte{byte(i), 2, 3, 4, 5, 6, 7, 8}
					for _, c := range [][]byte{cookie, invented, nil} {
						packet := with(uint16(2000+i), c)
						if answered(a.ask(packet.bytes()), packet) || s.received() != 0 {
							t.Fatalf("%s: cookie %x passes without a grant", family, c)
						}
					}
					bare := with(uint16(2000+i), nil)
					bare.options = nil
					if answered(a.ask(bare.bytes()), bare) || s.received() != 0 {
						t.Fatalf("%s: data in a SYN passes without a grant", family)
					}
				}
			}
		})
	}
}

// TestRealSYNCookies has the kernel answer each SYN with a cookie, and so make a connection of a
// bare ACK. Who never had a grant has no cookie, and one for another port or address is none.
//
// A cookie that was given during a grant is good after it, for two minutes at most: the connection
// began with the grant, and the kernel cannot be asked which ACK ends a handshake. `sesame check`
// has a finding where tcp_syncookies is 2.
func TestRealSYNCookies(t *testing.T) {
	a := newAttack(t)
	a.sysctl("net.ipv4.tcp_syncookies=2")
	s, open := a.serve(tcp22), a.serve(tcp80)
	g := a.guarded(GuardConfig{}, tcp22)
	for family, f := range bothFamilies() {
		ack := func(c crafted, cookie uint32) crafted {
			c.flags, c.seq, c.ack = tcpACK, c.seq+1, cookie+1
			return c
		}
		syn := crafted{from: f.stranger, to: f.server, sport: 1001, dport: 80, seq: 7, flags: tcpSYN}
		cookie, _, ok := tcpReply(a.ask(syn.bytes()), syn)
		if !ok {
			t.Fatalf("%s: an open port does not answer", family)
		}
		a.ask(ack(syn, cookie).bytes())
		if open.received() != 1 {
			t.Fatalf("%s: the kernel gives no cookies: this is no attack", family)
		}
		other := syn
		other.dport = 22
		for i := range uint32(200) {
			a.ask(ack(other, cookie+i*0x1000).bytes())
		}
		apply(t, g, element(f.stranger.Next().String(), tcp22, time.Minute))
		neighbour := other
		neighbour.from = f.stranger.Next()
		cookie, _, ok = tcpReply(a.ask(neighbour.bytes()), neighbour)
		if !ok {
			t.Fatalf("%s: a granted source gets no answer", family)
		}
		for i := range uint16(200) {
			stolen := other
			stolen.sport += i
			a.ask(ack(stolen, cookie).bytes())
		}
		if n := s.received(); n > 0 {
			t.Errorf("%s: %d connections were made of cookies for others", family, n)
		}
		apply(t, g, element(f.stranger.Next().String(), tcp22, 0))
		a.ask(ack(neighbour, cookie).bytes())
		t.Logf("# %s: a cookie of an ended grant makes %d connections", family, s.received())
	}
}
