package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A tally counts the packets of captures by the reason why they were no knocks.
type tally struct {
	set     *engine.Set
	local   []netip.Prefix
	packets int
	dropped [packet.Drops]int   // packets that cannot be decoded
	hosts   common[netip.Addr]  // destinations
	ports   common[packet.Port] // ports of the packets that knocks counts
	here    int                 // packets to this host
	knocks  int                 // packets to this host that are a SYN without ACK, or UDP
	atDoors int                 // packets to this host and to a port of a sequence, with any flags
}

// newTally returns a tally for the doors of a set and the addresses of this host.
func newTally(set *engine.Set, local []netip.Prefix) *tally {
	return &tally{set: set, local: local,
		hosts: common[netip.Addr]{counts: map[netip.Addr]int{}}, ports: common[packet.Port]{counts: map[packet.Port]int{}}}
}

// add counts one packet. Drop is what the decoder returned for it.
func (t *tally) add(p *packet.Packet, drop packet.Drop) {
	t.packets++
	if drop != packet.NotDropped {
		t.dropped[drop]++
		return
	}
	t.hosts.add(p.Dest)
	if !isLocal(t.local, p.Dest) && !slices.ContainsFunc(t.set.Doors, func(d *engine.Door) bool { return d.Target == p.Dest }) {
		return
	}
	t.here++
	if p.Port.Proto == packet.UDP || p.Port.Proto == packet.TCP && engine.SYN.Holds(p.Flags) {
		t.knocks++
		t.ports.add(p.Port)
	}
	for _, d := range t.set.Doors {
		if t.hasPort(d, p) {
			t.atDoors++
			break
		}
	}
}

// hasPort reports whether a door has the port of a packet in one of its sequences, and accepts its
// destination.
func (t *tally) hasPort(d *engine.Door, p *packet.Packet) bool {
	if !d.Accepts(p.Dest, isLocal(t.local, p.Dest)) {
		return false
	}
	for k := range d.Knocks() {
		if k.Port == p.Port {
			return true
		}
	}
	return false
}

// diagnosis returns one line that explains why no packet was a knock.
func (t *tally) diagnosis() string {
	// The most general reason comes first: each case assumes that the ones before it do not hold.
	undecoded := 0
	for _, n := range t.dropped {
		undecoded += n
	}
	packets := transcript.Count(t.packets, "packet")
	_, mostHosts := t.hosts.most("most were for")
	switch {
	case t.packets == 0:
		return "the capture holds no packets"
	case len(t.set.Doors) == 0:
		return packets + ", but the scripts have no doors"
	case undecoded == t.packets:
		return packets + ", none of which can be a knock: " + dropNames(t.dropped)
	case t.here == 0:
		return packets + ", 0 for this host (--local " + joined(t.local) + "); " + mostHosts
	case t.atDoors > 0:
		return packets + ", " + transcript.Number(t.atDoors) +
			" to a port that a door watches, but none with the flags of a knock (a TCP knock is a SYN without ACK unless a script says otherwise)"
	case t.knocks == 0:
		return packets + ", " + transcript.Number(t.here) + " for this host, but none that could be a knock: no TCP SYN and no UDP"
	}
	most, text := t.ports.most("most were to")
	for _, d := range t.set.Doors {
		if slices.Contains(d.Guards, most) {
			text += fmt.Sprintf(", which %s guards", transcript.Safe(d.Name))
			break
		}
	}
	return packets + ", none to a port that a door watches (" + sequencePorts(t.set) + "); " + text
}

// isLocal reports whether a destination is this host's. Without local addresses every destination
// is.
func isLocal(local []netip.Prefix, dest netip.Addr) bool {
	return len(local) == 0 || slices.ContainsFunc(local, func(p netip.Prefix) bool { return p.Contains(dest) })
}

// sequencePorts lists the ports of all sequences, and only counts those after the eighth.
func sequencePorts(set *engine.Set) string {
	const enough = 8
	var ports []string
	for _, d := range set.Doors {
		for k := range d.Knocks() {
			if name := k.Port.String(); !slices.Contains(ports, name) {
				ports = append(ports, name)
			}
		}
	}
	if len(ports) > enough {
		return strings.Join(ports[:enough], ", ") + " and " + transcript.Number(len(ports)-enough) + " more"
	}
	return strings.Join(ports, ", ")
}

// dropNames lists drops for people, in the order in which they are declared.
func dropNames(dropped [packet.Drops]int) string {
	var names []string
	for d := range packet.Drops {
		if dropped[d] > 0 {
			names = append(names, fmt.Sprintf("%s %s", transcript.Number(dropped[d]), strings.ReplaceAll(d.String(), "_", " ")))
		}
	}
	return strings.Join(names, ", ")
}

// joined lists addresses and networks as --local takes them.
func joined(local []netip.Prefix) string {
	var names []string
	for _, p := range local {
		if p.IsSingleIP() {
			names = append(names, p.Addr().String())
		} else {
			names = append(names, p.String())
		}
	}
	return strings.Join(names, ",")
}

// common finds frequent values in a stream, in bounded memory (Misra and Gries, "Finding repeated
// elements", 1982). A value that makes up more than one in maxCounters of the stream is still among
// the counters at the end.
type common[K comparable] struct {
	counts map[K]int
	total  int
}

const maxCounters = 1024

// add counts one more value. When all counters are in use, a new value lowers each of them by one.
func (c *common[K]) add(k K) {
	c.total++
	if _, known := c.counts[k]; known || len(c.counts) < maxCounters {
		c.counts[k]++
		return
	}
	for other := range c.counts {
		if c.counts[other]--; c.counts[other] == 0 {
			delete(c.counts, other)
		}
	}
}

// most returns the most frequent value, and names it; of equals, the first by name. A counter may
// be too low and is never too high, so the claim, such as "most were for", needs a counter above
// half of the total.
func (c *common[K]) most(claim string) (most K, text string) {
	if len(c.counts) == 0 {
		return most, "none stands out"
	}
	most = slices.MinFunc(slices.Collect(maps.Keys(c.counts)), func(a, b K) int {
		return cmp.Or(c.counts[b]-c.counts[a], cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	if 2*c.counts[most] <= c.total {
		claim = "the most frequent is"
	}
	return most, fmt.Sprintf("%s %v", claim, most)
}
