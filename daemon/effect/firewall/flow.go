package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// forgetFlows deletes the UDP flows of elements that must be cut from the kernel's table of
// connections. What comes next begins a new flow, which needs a grant. errs are the results of the
// elements so far; nil: all succeeded.
//
// The whole table is read once for each family.
func forgetFlows(elements []effect.Element, errs []error) []error {
	cuts, _ := latest(elements)
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		flows := flowsOf(cuts, family == unix.AF_INET6)
		if flows == nil {
			continue
		}
		var err error
		for range tries {
			_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, flows)
			if !errors.Is(err, netlink.ErrDumpInterrupted) { // else the table changed while it was read
				break
			}
		}
		if err != nil {
			errs = withError(elements, errs, fmt.Errorf("deleting UDP flows: %w", err), func(e effect.Element) bool {
				return e.Cut && e.Port.Proto == packet.UDP
			})
		}
	}
	return errs
}

// cutFlows are the places whose UDP flows are deleted.
type cutFlows struct {
	addresses map[netip.AddrPort]bool
	networks  []place
}

// flowsOf returns the UDP places of one family; nil: there is none.
func flowsOf(cuts []place, v6 bool) *cutFlows {
	var flows *cutFlows
	for _, p := range cuts {
		if p.port.Proto != packet.UDP || p.source.Addr().Is6() != v6 {
			continue
		}
		if flows == nil {
			flows = &cutFlows{addresses: map[netip.AddrPort]bool{}}
		}
		if p.source.IsSingleIP() {
			flows.addresses[netip.AddrPortFrom(p.source.Addr(), p.port.Number)] = true
		} else {
			flows.networks = append(flows.networks, p)
		}
	}
	return flows
}

// MatchConntrackFlow implements [netlink.CustomConntrackFilter]. The port is the one that was
// asked, before its translation.
func (c *cutFlows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	if flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	source := addressOf(flow.Forward.SrcIP).Unmap()
	return c.addresses[netip.AddrPortFrom(source, flow.Forward.DstPort)] || slices.ContainsFunc(c.networks, func(p place) bool {
		return p.port.Number == flow.Forward.DstPort && p.source.Contains(source)
	})
}
