// Package attack turns a script set and what an attacker sends into how often doors opened.
//
// A [Scan] sends a packet to each port of a range, in some order. [Replays] sends the knocks of
// somebody else again. Each run has a new engine, and what it shows depends on its seed alone. A
// random scan has a new order for each seed.
package attack

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
)

// A Target says what is attacked, and by whom.
type Target struct {
	Set   *engine.Set
	Facts engine.Facts   // nil: nothing is known of anybody
	Local []netip.Prefix // the addresses of the host; nil: every destination counts
	Begin time.Time      // of the first packet of a scan
	// Source sends the packets, and Dest gets those of scans. Both are of one family.
	Source, Dest netip.Addr
}

// The sources of attackers about whom nothing else is said. Both are reserved for documentation
// (RFC 5737, RFC 3849).
var (
	Stranger4 = netip.MustParseAddr("198.51.100.66")
	Stranger6 = netip.MustParseAddr("2001:db8:bad::66")
)

// StrangerFor returns the one of [Stranger4] and [Stranger6] that can send to an address.
func StrangerFor(dest netip.Addr) netip.Addr {
	if dest.Is4() {
		return Stranger4
	}
	return Stranger6
}
