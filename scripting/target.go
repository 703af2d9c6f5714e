package scripting

import (
	"fmt"
	"net/netip"
	"strings"
)

// parseTarget reads the destination address of the packets to a door. An
// IPv4-mapped address becomes IPv4.
func parseTarget(s string) (netip.Addr, error) {
	if strings.Contains(s, "/") {
		return netip.Addr{}, fmt.Errorf(`%q is a network: expected one address, such as "203.0.113.5"`, s)
	}
	address, err := netip.ParseAddr(s)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, fmt.Errorf(`%q is not an address: expected one such as "203.0.113.5" or "2001:db8::5"`, s)
	}
	return address.Unmap(), nil
}
