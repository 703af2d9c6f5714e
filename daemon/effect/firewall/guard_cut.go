package firewall

import (
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// This file has the sets and rules that end sessions. A session is cut by a set of sources and
// ports that the rules look at before they let standing sessions pass. Two ways that look simpler
// do not work: without its entry in the table of connections a TCP session goes on, since the
// kernel takes it up in the middle (nf_conntrack_tcp_loose); and SOCK_DESTROY of a connection that
// has just ended destroys the socket that listens.
//
// A grant stands before a cut, so a source that gets access anew has it at once.

const (
	// cutLife is how long a cut is remembered. A session that neither side uses for longer is
	// not cut. It is as long as the kernel tracks an idle session
	// (nf_conntrack_tcp_timeout_established), and most programs send something each two hours
	// (tcp_keepalive_time). It costs memory alone: no new session can begin without a grant.
	cutLife = 5 * 24 * time.Hour
	// cutSize bounds how many addresses with a port are remembered, and cutNetworksSize how
	// many networks. A change of a set of networks copies it.
	cutSize, cutNetworksSize = 1 << 16, 1 << 10
)

var cutSets = []sourceSet{
	{table: guardTable, name: "cut4", layout: sourcePort},
	{table: guardTable, name: "cut6", v6: true, layout: sourcePort},
	{table: guardTable, name: "cut_networks4", layout: sourcePort, interval: true},
	{table: guardTable, name: "cut_networks6", v6: true, layout: sourcePort, interval: true},
}

// cutDefinitions defines the cut sets. An install leaves their members alone.
func cutDefinitions() []set {
	var all []set
	for _, s := range cutSets {
		defined := set{name: s.name, fields: grantKey4, interval: s.interval, timeout: true, size: cutSize, lasting: true}
		if s.v6 {
			defined.fields = grantKey6
		}
		if s.interval {
			defined.size = cutNetworksSize
		}
		all = append(all, defined)
	}
	return all
}

var (
	// What a service of this host sends is cut as well, so that its end of a session ends at
	// once, and nothing leaks. Behind a translation, as in a container, only the service knows
	// the port that was asked here, and nft cannot write a rule for both. There the source, whose
	// end was reset, answers with a reset, which passes. See [cutRules].
	cutOutputChain = chain{name: "cut_output", kind: "filter", hook: unix.NF_INET_LOCAL_OUT, priority: -150}
	// Rules jump to this.
	cutAnswersChain = chain{name: "cut_answers"}
)

// cutChains returns the chains that cut what services of this host send.
func cutChains(answer Answer) []ruledChain {
	return []ruledChain{
		{cutAnswersChain, cutAnswers(answer)},
		{cutOutputChain, []rule{{"of a guarded port", join(protocol(unix.IPPROTO_TCP), sourcePortOf(reg), in("guarded", reg), goTo(cutAnswersChain))}}},
	}
}

// cutRules cut what a source sends. In the order of the rules they come after grants, and before
// all that lets sessions and flows go on.
func cutRules(answer Answer) []rule {
	var rules []rule
	for _, s := range cutSets {
		cut := join(sourceAndPort(s.v6), in(s.name, reg), in("guarded", portIn(s.v6)))
		rules = append(rules,
			// Only what would pass as part of a session. A SYN is refused as without a cut. A
			// reset passes, and ends the session at the service.
			rule{"of a cut session", join(protocol(unix.IPPROTO_TCP), tcpFlags(reg),
				masked(reg, []byte{tcpACK | tcpRST}), equal(reg, []byte{tcpACK}), cut, counter("dropped"), cutOff(answer))},
			// Also when the service itself began a flow to the source.
			rule{"of a cut flow", join(protocol(unix.IPPROTO_UDP), state(expr.CtStateBitESTABLISHED), cut, counter("dropped"), drop)})
	}
	return rules
}

// cutAnswers cut what a service sends to a cut source. A reset passes: it is also how a refused
// packet is answered.
func cutAnswers(answer Answer) []rule {
	rules := []rule{{"reset", join(tcpFlags(reg), masked(reg, []byte{tcpRST}), differs(reg, []byte{0}), accept)}}
	for _, s := range grantSets {
		rules = append(rules, rule{"granted", join(destinationAndPort(s.v6), in(s.name, reg), accept)})
	}
	for _, s := range cutSets {
		rules = append(rules, rule{"of a cut session", join(destinationAndPort(s.v6), in(s.name, reg), cutOff(answer))})
	}
	return rules
}

// cutOff ends a session: who sends a packet of it is told, unless nothing is to be answered.
func cutOff(answer Answer) []expr.Any {
	if answer == AnswerDrop {
		return drop
	}
	return resetTCP
}

// portIn returns the register in which a key of a grant has its protocol and port.
func portIn(v6 bool) uint32 {
	if v6 {
		return reg5
	}
	return reg2
}

// destinationAndPort loads the destination address (RFC 791, section 3.1, and RFC 8200, section 3)
// and the source port of an answer, as the key of a grant.
func destinationAndPort(v6 bool) []expr.Any {
	if v6 {
		return join(family(unix.NFPROTO_IPV6), load(expr.PayloadBaseNetworkHeader, 24, 16, reg), sourcePortOf(reg5))
	}
	return join(family(unix.NFPROTO_IPV4), load(expr.PayloadBaseNetworkHeader, 16, 4, reg), sourcePortOf(reg2))
}
