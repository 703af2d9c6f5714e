package knockd

import (
	"fmt"
	"net/netip"
	"strings"
)

// setTarget reads a destination. knockd compares it as text with the address of a
// packet, so it never equals another spelling of the same address. Here it does;
// but what is no plain address equals nothing here either.
func (d *draft) setTarget(text string) {
	a, err := netip.ParseAddr(text)
	if d.Unreachable = err != nil || a.Zone() != "" || a.Is4In6(); d.Unreachable {
		a = netip.Addr{}
	}
	d.Target = a
}

// refusedTarget says why knockd, which has taken the file, cannot make a filter for
// this target and so does not start. It returns "" when it can, or when that is for
// the resolver to say.
func refusedTarget(text string) string {
	address, bits, isNetwork := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	switch {
	case text == "":
		return "the target is empty: write an address such as 203.0.113.5, or remove the line"
	case strings.ContainsAny(text, blanks):
		return "" // a filter may have more words
	case isNetwork && err == nil && a.Is6() && bits == "128":
		return ""
	case isNetwork && err == nil && a.Is4() && bits == "32":
		return fmt.Sprintf("%s is a network, and a target is one address: write %s", shown(text), a)
	case isNetwork:
		return fmt.Sprintf("%s is a network, and a target is one address: write one such as 203.0.113.5", shown(text))
	case err == nil && a.Zone() != "":
		return fmt.Sprintf("%s has an interface behind it, and a target is an address alone: write %s", shown(text), a.WithZone(""))
	}
	return ""
}

func (d *draft) targetWarnings(warn warner) {
	t, found := d.directives["TARGET"]
	if !found {
		return
	}
	switch a, err := netip.ParseAddr(t.value); {
	case err == nil && a.Is4In6():
		warn(t.line, "no packet is sent to %s, so the door cannot be opened: write %s", shown(t.value), a.Unmap())
	case d.Unreachable:
		warn(t.line, "%s is no address: knockd does not start when it cannot resolve such a name, and never finds a packet to it when it can, "+
			"so the door cannot be opened: write an address such as 203.0.113.5", shown(t.value))
	// C writes the few addresses of ::/96 in a way of its own.
	case a.String() != t.value && !netip.PrefixFrom(netip.IPv6Unspecified(), 96).Contains(a):
		warn(t.line, "knockd compares %s as text and finds no packet to it, so that the door cannot be opened; Sesame takes the address: write %s", shown(t.value), a)
	}
	if d.Target.Is4() {
		for _, key := range []string{"START_COMMAND_6", "STOP_COMMAND_6"} {
			if six, found := d.directives[key]; found {
				warn(six.line, "the target is an IPv4 address, so nobody knocks over IPv6 and this is never run: remove it")
			}
		}
	}
}
