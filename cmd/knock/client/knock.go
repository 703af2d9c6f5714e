package client

import (
	"fmt"
	"strconv"
	"strings"
)

// A Knock is one packet to be sent: a TCP SYN or a UDP datagram.
type Knock struct {
	UDP  bool
	Port uint16
}

// String returns the knock in the notation of scripts: "tcp/7000".
func (k Knock) String() string {
	proto := "tcp"
	if k.UDP {
		proto = "udp"
	}
	return proto + "/" + strconv.Itoa(int(k.Port))
}

func protocol(s string) bool { return s == "tcp" || s == "udp" }

// ParseKnock parses "7000", "tcp/7000" and "udp/8000", as in scripts, and "8000:tcp" and
// "8000:udp", as in knockd's client. A bare number means TCP. knockd takes any other word
// behind the colon for TCP. Here that is an error, since "8000:UDP" was meant as something
// else.
func ParseKnock(s string) (Knock, error) {
	proto, number, found := strings.Cut(s, "/")
	rule := "the protocol comes first"
	if !found {
		rule = "behind a colon the protocol comes last"
		if number, proto, found = strings.Cut(s, ":"); !found {
			proto = "tcp"
		}
	}
	turned := !protocol(proto) && protocol(number)
	if turned {
		proto, number = number, proto
	}
	if !protocol(proto) {
		return Knock{}, fmt.Errorf("knock %q: unknown protocol %q: expected 7000, tcp/7000, udp/7000, 7000:tcp or 7000:udp", s, proto)
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return Knock{}, fmt.Errorf("knock %q: expected a port from 1 to 65535, as in 7000, udp/7000 or 7000:udp", s)
	}
	if turned {
		return Knock{}, fmt.Errorf("knock %q: %s: write %s/%d or %[4]d:%[3]s", s, rule, proto, port)
	}
	return Knock{UDP: proto == "udp", Port: uint16(port)}, nil
}
