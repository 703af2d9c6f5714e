package knockd

import (
	"fmt"
	"net/netip"
	"strings"
)

// setTarget reads a destination (knockd(1), Target). knockd compares it as text with the address of
// a packet as the C library writes it, so another spelling of the same address never matches there.
// Here it does. What is no plain address matches nothing here either, and the door is Unreachable.
func (d *draft) setTarget(text string) {
	a, err := netip.ParseAddr(text)
	if d.Unreachable = err != nil || a.Zone() != "" || a.Is4In6(); d.Unreachable {
		a = netip.Addr{}
	}
	d.Target = a
}

// refusedTarget returns the reason for which knockd does not start with this target, or "". knockd
// takes any text and puts it into a filter for libpcap ("dst host TEXT"), which may not compile.
// For a host name that depends on the resolver, so it is not refused here. The rules are tested
// against the real knockd in real_target_test.go.
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

// targetWarnings looks at the target, and at commands for IPv6 that a target of IPv4 makes useless.
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
	// The C library writes addresses of ::/96 with dots, so their usual spelling here is not
	// compared.
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
