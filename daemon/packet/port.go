package packet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Proto is a transport protocol. The zero value is no protocol.
type Proto uint8

// The protocols that Sesame decodes. ICMP means ICMPv4 and ICMPv6.
const (
	NoProto Proto = iota
	TCP
	UDP
	ICMP
)

var protoNames = [...]string{"none", "tcp", "udp", "icmp"}

// String returns the protocol in lower case, as scripts write it.
func (p Proto) String() string { return protoNames[p] }

// A Port is a port of a transport protocol, written "tcp/22".
type Port struct {
	Proto  Proto
	Number uint16
}

// String returns the port as scripts write it.
func (p Port) String() string { return p.Proto.String() + "/" + strconv.Itoa(int(p.Number)) }

// turned returns how a port is written that somebody wrote as "7421:tcp", "7421/tcp" or "tcp:7421",
// as other programs do; else "".
func turned(s string) string {
	first, second, ok := strings.Cut(strings.ReplaceAll(s, ":", "/"), "/")
	if second == "tcp" || second == "udp" {
		first, second = second, first
	} else if !strings.Contains(s, ":") {
		return ""
	}
	if n, err := strconv.ParseUint(second, 10, 16); !ok || err != nil || n == 0 || first != "tcp" && first != "udp" {
		return ""
	}
	return first + "/" + second
}

// ParsePort reads "tcp/22", "udp/53" or a bare number, which means TCP. Port 0 is an error:
// ordinary programs cannot send to it.
func ParsePort(s string) (Port, error) {
	name, number, found := strings.Cut(s, "/")
	if !found {
		name, number = "tcp", s
	}
	if instead := turned(s); instead != "" {
		return Port{}, fmt.Errorf("port %q: write %q", s, instead)
	}
	port := Port{}
	switch name {
	case "tcp":
		port.Proto = TCP
	case "udp":
		port.Proto = UDP
	default:
		return Port{}, fmt.Errorf("port %q: expected tcp/NUMBER or udp/NUMBER", s)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return Port{}, fmt.Errorf("port %q: expected a number from 1 to 65535, as in \"tcp/22\"", s)
	case err != nil || n == 0:
		return Port{}, fmt.Errorf("port %q: expected a number from 1 to 65535", s)
	}
	port.Number = uint16(n)
	return port, nil
}
