package firewall

import (
	"slices"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Bounds of what the rules remember and trace. All limits are kept in the kernel, so that no
// packet of a flood costs this process anything.
const (
	// refusedLife is how long a source is listed after its last packet that was refused.
	// refusedSize bounds how many are listed. In a flood from forged addresses the set fills up.
	// Then no new source is listed, and those that are listed stay.
	refusedLife = 10 * time.Minute
	refusedSize = 1024
	// listedRate is how many packets a second are listed. The rest costs one rule.
	listedRate, listedBurst = 100, 200

	// tracedRate is how many new connections of one source to one port are traced in a second,
	// and allTracedRate those of all sources. One trace is about one message for each rule that
	// the packet matches.
	tracedRate, tracedBurst       = 1, 5
	allTracedRate, allTracedBurst = 50, 100
	tracedLife                    = time.Minute
	tracedSize                    = 1024

	// begunLife is longer than [Guard.Measure] takes to read the set again.
	begunLife = 5 * time.Second
	begunSize = 512
)

// measuredRules let in what a grant allows, and measure what becomes of it.
func measuredRules(mark uint32) []rule {
	var rules []rule
	for _, s := range grantSets {
		rules = append(rules, rule{"granted", join(sourceAndPort(s.v6), in(s.name, reg), setMark(mark), goTo(grantedChain))})
	}
	return rules
}

// grantedChainRules accept what a grant lets in. The label on its connection outlives the grant. A
// packet that begins a connection is traced, see [Guard.Measure]. One that goes on costs no more
// than the look at its label. A packet of no connection, as with notrack, has no label.
func grantedChainRules() []rule {
	return []rule{
		{"goes on", join(labelled(labelGranted), accept)},
		{"granted", setLabel(labelGranted)},
		// The same rules in a chain of their own: there is no entry to look at later. That of a
		// zone is not found by the addresses alone.
		{"of no flow", join(ofNoFlow, goTo(untrackedChain))},
		{"of a zone", join(ofZone, goTo(untrackedChain))},
		{"begins", goTo(trackedChain)},
	}
}

// trackedRules trace a packet, or list its flow where a trace would fill the kernel's log.
func trackedRules() []rule {
	rules := firstRules()
	quiet := rule{"not traced", join(meta(expr.MetaKeyNFPROTO, reg), in("quiet", reg), goTo(quietChain))}
	return slices.Insert(rules, 1, quiet)
}

// quietRules list the flow of a packet that begins a connection, within the limits of traces, and
// accept it.
func quietRules() []rule {
	var rules []rule
	for i, s := range begunSets {
		rules = append(rules, rule{"listed", join(sourceAndPort(s.v6), remember(tracedSets[i].name, reg, tracedLife, limit(tracedRate, tracedBurst)),
			one(limit(allTracedRate, allTracedBurst)), flow(s.v6), join(meta(expr.MetaKeyL4PROTO, begunProtocol(s.v6))),
			remember(s.name, reg, begunLife), accept)})
	}
	return append(rules, rule{"granted", accept})
}

// begunProtocol is the register behind the key of a flow.
func begunProtocol(v6 bool) uint32 {
	if v6 {
		return reg + 10
	}
	return reg + 4
}

// firstRules trace a packet that begins a connection, within the limits, and accept it.
func firstRules() []rule {
	rules := []rule{{"begins no connection", join(protocol(unix.IPPROTO_TCP), tcpFlags(reg),
		masked(reg, []byte{tcpSYN | tcpACK | tcpRST}), differs(reg, []byte{tcpSYN}), accept)}}
	for _, s := range tracedSets {
		rules = append(rules, rule{"traced", join(sourceAndPort(s.v6), remember(s.name, reg, tracedLife, limit(tracedRate, tracedBurst)),
			one(limit(allTracedRate, allTracedBurst)), trace, accept)})
	}
	return append(rules, rule{"granted", accept})
}

// listRules list a source that is refused.
func listRules() []rule {
	rules := []rule{{"too many", join(one(overLimit(listedRate, listedBurst)), counter("unlisted"), back)}}
	for _, s := range refusedSets {
		rules = append(rules, rule{"refused", join(sourceAndPort(s.v6), remember(s.name, reg, refusedLife, &expr.Counter{}), back)})
	}
	return append(rules, rule{"the set is full", counter("unlisted")})
}

// limit matches up to so many packets a second.
func limit(rate, burst uint32) *expr.Limit {
	return &expr.Limit{Type: expr.LimitTypePkts, Rate: uint64(rate), Unit: expr.LimitTimeSecond, Burst: burst}
}

// overLimit matches those beyond.
func overLimit(rate, burst uint32) *expr.Limit {
	l := limit(rate, burst)
	l.Over = true
	return l
}

// trace makes the kernel send a message about each rule that the packet matches from here on.
var trace = join(one(&expr.Immediate{Register: reg, Data: []byte{1}}),
	one(&expr.Meta{Key: expr.MetaKeyNFTRACE, SourceRegister: true, Register: reg}))

// ofZone matches packets whose connection is in another zone of connection tracking than the
// first.
var ofZone = join(one(&expr.Ct{Register: reg, Key: expr.CtKeyZONE}), differs(reg, []byte{0, 0}))
