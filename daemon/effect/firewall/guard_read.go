package firewall

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go4.org/netipx"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A Stopped is a source that a guard has stopped, or would have stopped at a port that is only
// counted.
type Stopped struct {
	Source  netip.Addr
	Port    packet.Port
	Packets uint64
	Ago     time.Duration // since its last packet; a rule prolongs the element with each
}

// Stopped returns the sources that a guard would have stopped in the last hour, the latest
// first; 4,096 of each address family at most.
func (g *Guard) Stopped() ([]Stopped, error) {
	return g.stoppedIn(stoppedSets, stoppedLife)
}

// Refused returns the sources that were refused at a guarded port in the last ten minutes, the
// latest first; 1,024 of each address family at most. In a flood the rules list up to 100 packets a
// second, so Packets is the least that came, and no new source is listed when the set is full.
// [Guard.Unlisted] counts what is not listed.
func (g *Guard) Refused() ([]Stopped, error) { return g.stoppedIn(refusedSets, refusedLife) }

// Unlisted returns how many packets were refused, since the table was made, whose sources
// [Guard.Refused] does not list, or not with all of their packets: too many came at a time.
func (g *Guard) Unlisted() (uint64, error) {
	counted, err := g.socket.counters(guardTable)
	if err != nil {
		return 0, fmt.Errorf("reading who was refused: %w", err)
	}
	return counted["unlisted"], nil
}

func (g *Guard) stoppedIn(sets []sourceSet, life time.Duration) ([]Stopped, error) {
	var all []Stopped
	err := g.each(sets, func(e effect.Element, m member) {
		all = append(all, Stopped{e.Source.Addr(), e.Port, m.packets, max(0, life-m.expires)})
	})
	if err != nil {
		return nil, fmt.Errorf("reading who was stopped: %w", err)
	}
	slices.SortFunc(all, func(a, b Stopped) int { return cmp.Compare(a.Ago, b.Ago) })
	return all, nil
}

// A Shown is what our table holds, for people to read.
type Shown struct {
	Table      string        // as nft names it
	Answer     Answer        // of guarded ports
	StandIns   []packet.Port // where refused TCP packets go to
	Guards     effect.Guards
	Dropped    uint64 // packets to guarded ports that were dropped
	Observed   uint64 // packets to counted ports that a guard would have dropped
	Elements   []effect.Element
	Trusted    []netip.Prefix
	Interfaces []string // that are trusted
	Stopped    []Stopped
	Refused    []Stopped // at guarded ports
	Unlisted   uint64    // packets of refused sources that were not listed: too many at a time
}

// Show reads the table. It returns false when there is none, so nothing is guarded.
func (g *Guard) Show() (Shown, bool, error) {
	found, err := g.look()
	if err != nil || !found.exists {
		return Shown{}, false, err
	}
	shown := Shown{
		Table:  "inet " + guardTable.name,
		Answer: found.answer(), StandIns: portsOf(found.members["stand_ins"]),
		Guards: effect.Guards{
			Drop:  portsOf(found.members["guarded"]),
			Count: portsOf(found.members["watched"]),
		},
		Dropped: found.counters["dropped"], Observed: found.counters["observed"], Unlisted: found.counters["unlisted"],
		Trusted: slices.Concat(networksOf(found.members["trusted4"]), networksOf(found.members["trusted6"])),
	}
	for _, m := range found.members["interfaces"] {
		shown.Interfaces = append(shown.Interfaces, strings.TrimRight(string(m.key), "\x00"))
	}
	if shown.Elements, err = g.Elements(); err != nil {
		return Shown{}, false, err
	}
	if shown.Refused, err = g.Refused(); err != nil {
		return Shown{}, false, err
	}
	shown.Stopped, err = g.Stopped()
	return shown, err == nil, err
}

// answer returns what guarded ports answer by the rules in the kernel. An earlier run may have had
// another configuration.
func (f guardFound) answer() Answer {
	switch {
	case slices.ContainsFunc(f.chains, func(c chainFound) bool { return c.chain == translateChain }):
		return AnswerAuto
	case bytes.Contains(f.rules, []byte("reject\x00")): // the name of the expression
		return AnswerReject
	}
	return AnswerDrop
}

// portsOf reads a set of ports back. Its keys are the protocol and the port, each padded
// to four bytes.
func portsOf(members []member) []packet.Port {
	var ports []packet.Port
	for _, m := range members {
		if len(m.key) == 8 {
			ports = append(ports, packet.Port{Proto: protocolOf(m.key[0]), Number: uint16(m.key[4])<<8 | uint16(m.key[5])})
		}
	}
	slices.SortFunc(ports, comparePorts)
	return ports
}

// networksOf reads a set of networks back.
func networksOf(members []member) []netip.Prefix {
	var networks []netip.Prefix
	for _, m := range withEnds(slices.Clone(members)) {
		networks = append(networks, netipx.IPRangeFrom(addressOf(m.key), addressOf(m.end)).Prefixes()...)
	}
	return networks
}

// withEnds gives each member of a set of networks alone its end, and leaves out the
// boundaries. A network ends before the next member, which is its boundary or where another
// network begins.
func withEnds(members []member) []member {
	members = ordered(members)
	for i, m := range members {
		if i+1 < len(members) {
			members[i].end = addressOf(members[i+1].key).Prev().AsSlice()
		} else {
			members[i].end = bytes.Repeat([]byte{0xff}, len(m.key))
		}
	}
	return slices.DeleteFunc(members, func(m member) bool { return m.boundary })
}

func addressOf(key []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(key)
	return a
}
