//go:build linux

package livetest

import (
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
)

// A Knock is one packet of any source: a TCP SYN or a UDP datagram.
type Knock struct {
	Source  netip.Addr
	To      netip.Addr // zero: the address of the other host, of the source's family
	UDP     bool
	Port    uint16
	Payload string // of a datagram, 32 bytes at most; empty: one zero byte
	// Again means the frame before this one, once more to the byte: nothing else counts then.
	Again bool
}

// Knocks returns the knocks of one source on ports written as "tcp/7000".
func Knocks(source netip.Addr, ports ...string) iter.Seq[Knock] {
	return Flood(len(ports), func(int) netip.Addr { return source }, 1, ports...)
}

// Flood returns count knocks. First every source knocks at the first port, then every source at the
// second, and so on. After the last port it begins again with the first.
func Flood(count int, source func(int) netip.Addr, sources int, ports ...string) iter.Seq[Knock] {
	parsed := make([]Knock, len(ports))
	for i, port := range ports {
		parsed[i] = mustParse(port)
	}
	return func(yield func(Knock) bool) {
		for i := range count {
			knock := parsed[i/sources%len(parsed)]
			knock.Source = source(i % sources)
			if !yield(knock) {
				return
			}
		}
	}
}

func mustParse(port string) Knock {
	proto, number, _ := strings.Cut(port, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || proto != "tcp" && proto != "udp" {
		panic(fmt.Sprintf("livetest: port %q: expected one such as tcp/7000", port))
	}
	return Knock{UDP: proto == "udp", Port: uint16(n)}
}

// MaxSource4 is the number of sources of [Source4].
const MaxSource4 = 1 << 17

// Source4 returns address i of the 131,072 in 198.18.0.0/15, which is reserved for benchmarks (RFC
// 2544).
func Source4(i int) netip.Addr {
	if i < 0 || i >= MaxSource4 {
		panic(fmt.Sprintf("livetest: IPv4 source %d: there are %d", i, MaxSource4))
	}
	return netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)})
}

// Source6 returns one of 2 billion addresses, each in another /64 of 2001:db8:8000::/33, which is
// reserved for documentation (RFC 3849). No host has an address there.
func Source6(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8,
		4: 0x80 | byte(i>>24), 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i), 13: 0xff, 15: 9})
}
