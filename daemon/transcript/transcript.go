// Package transcript turns events into lines: JSON Lines for programs, one line each for people,
// and knockd's own lines for programs that read its log.
//
// Live and simulated runs write through it alike. All writers keep the order of the events, read
// no clock and add nothing that differs between two runs of the same inputs. None is safe for
// concurrent use.
//
// What is written of an effect is in its row in package engine, so a new effect needs nothing
// here.
package transcript

import (
	"net/netip"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// Version is the number of the JSON Lines contract. It is raised when a key
// changes its meaning; new keys and events do not raise it.
const Version = 1

// A Summary closes a transcript with its totals.
type Summary struct {
	Packets  int // read, dropped ones included
	Knocks   int
	Opens    int
	Misses   int // first-stage misses included, which have no event
	Refusals int
	Errors   int
	Failed   int               // effects that failed; 0 is not written
	Dropped  [packet.Drops]int // by reason; [packet.NotDropped] is not written
	// Unreadable counts frames that may have an IP packet which cannot be read, by the name of what
	// they carry. They are among those that are not IP. Empty is not written.
	Unreadable map[string]int
}

// Source returns a single address without its prefix length, a network with it, and
// "" for neither.
func Source(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return ""
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}

// Duration returns d in its shortest form: "1m30s", "2h", "500ms". It is what
// [time.Duration.String] returns without the units that are zero.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return strings.Replace(s, "h0m", "h", 1)
}
