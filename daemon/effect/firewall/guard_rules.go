package firewall

import (
	"slices"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// guardChain comes after connection tracking (priority -200) and the defragmentation that
// goes with it (-400), and before the translation of destination addresses (-100); see
// include/uapi/linux/netfilter_ipv4.h. It also comes after chains that set the packet mark
// (mangle, -150; -140 of firewalld), such as those that restore it from the connection: they
// would take our mark away.
var guardChain = chain{name: "guard", kind: "filter", hook: unix.NF_INET_PRE_ROUTING, priority: -110}

var (
	// translateChain translates refused flows. The kernel calls all chains that translate at
	// -100, in the order of their priorities, and the first that translates a flow is the only
	// one. -199 is the lowest that the kernel allows, so ours comes before all chains of others,
	// such as Docker's, but for one of the same priority that was made later.
	translateChain = chain{name: "translate", kind: "nat", hook: unix.NF_INET_PRE_ROUTING, priority: -199}
	// inputChain comes after the chains of others, so that they see a refused flow and decide
	// whether it is answered, as they do for closed ports. It comes before the flow is
	// confirmed (INT_MAX): the translation of a flow that it rejects is forgotten.
	inputChain = chain{name: "input", kind: "filter", hook: unix.NF_INET_LOCAL_IN, priority: 2147483000}
	// forwardChain stops refused flows that others translated to another host all the same.
	forwardChain = chain{name: "forward", kind: "filter", hook: unix.NF_INET_FORWARD, priority: 2147483000}
	// outputChain comes after connection tracking, which knows the answers that it translates
	// back itself.
	outputChain = chain{name: "output", kind: "filter", hook: unix.NF_INET_LOCAL_OUT, priority: -150}

	// Rules jump to these.
	spoofedChain = chain{name: "spoofed"}
	refuseChain  = chain{name: "refuse"}
	// See guard_measure.go.
	grantedChain   = chain{name: "granted"}
	trackedChain   = chain{name: "tracked"}
	untrackedChain = chain{name: "untracked"}
	quietChain     = chain{name: "quiet"}
	listChain      = chain{name: "listed"}
)

// A ruledChain is a chain of our table with its rules.
type ruledChain struct {
	chain
	rules []rule
}

// guardChains returns the chains of our table. Those that a rule names come before it.
func guardChains(mark uint32, answer Answer) []ruledChain {
	chains := []ruledChain{{spoofedChain, spoofedRules()}, {listChain, listRules()}, {refuseChain, refuseRules(answer)},
		{quietChain, quietRules()}, {trackedChain, trackedRules()}, {untrackedChain, firstRules()}, {grantedChain, grantedChainRules()}}
	if answer == AnswerAuto {
		chains = append(chains,
			ruledChain{translateChain, translateRules()},
			ruledChain{forwardChain, []rule{{"refused", join(labelled(labelRefused), counter("dropped"), drop)}}},
			ruledChain{outputChain, outputRules()})
	}
	chains = append(chains, cutChains(answer)...)
	return append(chains, ruledChain{guardChain, guardRules(mark, answer)}, ruledChain{inputChain, inputRules(mark, answer)})
}

// guardRules returns the rules of our chain at prerouting, in order. The first verdict holds.
// Packets to ports without a guard, and to other hosts, are accepted first. After that a packet
// passes only for a reason, so what no rule knows is refused.
func guardRules(mark uint32, answer Answer) []rule {
	rules := []rule{
		loopbackRule,
		// Such a packet may be on its way to another host. That host's answer would come to a
		// guarded port, and pass as the answer to a flow that began here.
		{"from an address of this host", join(sourcePortOf(reg), in("guarded", reg), jump(spoofedChain))},
		// The same for what a container of this host seems to send from the port that a guarded
		// one leads to. Once it is masqueraded, its answer comes to any port.
		{"from elsewhere", join(sourcePortOf(reg), in("inner", reg), fromElsewhere)},
		{"answer to what came from elsewhere", join(protocol(unix.IPPROTO_UDP), ofReply, labelled(labelElsewhere),
			fib(destination, false), equal(reg, fibType(unix.RTN_LOCAL)), counter("dropped"), drop)},
		{"nobody guards this port", join(port(reg), notIn("guarded", reg), port(reg), notIn("watched", reg), accept)},
		// Only unicast to another host: a broadcast and a multicast reach sockets of this
		// one. The destination is looked up twice, also as seen from the interface: the
		// main table lacks local addresses of a routing domain (VRF) of its own. See
		// nft(8), FIB EXPRESSIONS. What policy routing delivers here in spite of that meets
		// the chain at the hook input.
		{"to another host", join(
			fib(destination, false), equal(reg, fibType(unix.RTN_UNICAST)),
			fib(destination, true), equal(reg, fibType(unix.RTN_UNICAST)), accept)},
	}
	rules = slices.Concat(rules, trustedRules(), measuredRules(mark), cutRules(answer), standingRules(),
		[]rule{{"guarded", join(port(reg), in("guarded", reg), goTo(refuseChain))}})
	for _, s := range exemptSets {
		rules = append(rules, rule{"would be granted", join(sourceAndPort(s.v6), in(s.name, reg), accept)})
	}
	rules = append(rules, rule{"would be stopped", join(counter("observed"))})
	for _, s := range stoppedSets {
		rules = append(rules, rule{"would be stopped", join(sourceAndPort(s.v6), remember(s.name, reg, stoppedLife, &expr.Counter{}))})
	}
	return rules
}

var loopbackRule = rule{"loopback", join(meta(expr.MetaKeyIIFTYPE, reg), equal(reg, binaryutil.NativeEndian.PutUint16(unix.ARPHRD_LOOPBACK)), accept)}

func trustedRules() []rule {
	return []rule{
		{"trusted", join(family(unix.NFPROTO_IPV4), source4(reg), in("trusted4", reg), accept)},
		{"trusted", join(family(unix.NFPROTO_IPV6), source6(reg), in("trusted6", reg), accept)},
		{"trusted interface", join(meta(expr.MetaKeyIIFNAME, reg), in("interfaces", reg), accept)},
	}
}

// grantedRules accept what a grant lets in, behind the chains of others. The label on its
// connection outlives the grant. No rule here reads the label: a packet of no connection, as with
// notrack, would not match.
func grantedRules(mark uint32) []rule {
	var rules []rule
	for _, s := range grantSets {
		rules = append(rules, rule{"granted", join(sourceAndPort(s.v6), in(s.name, reg), setMark(mark), setLabel(labelGranted), accept)})
	}
	return rules
}

// standingRules accept what goes on without a grant.
func standingRules() []rule {
	rules := []rule{
		// By the flags of the packet, not by the state of its connection. When the guard is
		// the first to need connection tracking, the kernel takes each session that exists
		// already for a new one, and a rule for new connections would end it. A SYN without
		// ACK is the only packet that can open one (RFC 9293, section 3.5). Other packets
		// without ACK and RST belong to no session: a listening socket ignores them, and a
		// closed port answers.
		{"of a standing session", join(protocol(unix.IPPROTO_TCP), tcpFlags(reg),
			masked(reg, []byte{tcpACK | tcpRST}), differs(reg, []byte{0}), accept)},
		// A flow to all hosts of a network may have been planted, since our own come back: see
		// spoofedRules. No host answers from an address that hosts share. A host may be set to
		// believe such a source (accept_local).
		{"answer to a flow that began here", join(protocol(unix.IPPROTO_UDP), state(expr.CtStateBitESTABLISHED), ofReply,
			fib(source, false), differs(reg, fibType(unix.RTN_BROADCAST)), differs(reg, fibType(unix.RTN_MULTICAST)),
			unlabelled(labelElsewhere), accept)},
		{"of a granted flow", join(protocol(unix.IPPROTO_UDP), labelled(labelGranted), accept)},
	}
	for _, s := range standingSets {
		rules = append(rules, rule{"of a flow from before the guard", join(protocol(unix.IPPROTO_UDP), state(expr.CtStateBitESTABLISHED),
			flow(s.v6), in(s.name, reg), remember(s.name, reg, standingLife), accept)})
	}
	return rules
}

// spoofedRules drop what has a source address of this host and did not begin here. Our own
// multicasts and broadcasts come back from the network, so they pass. Of an address in a routing
// domain (VRF) only its interface knows that it is one of this host.
func spoofedRules() []rule {
	return []rule{
		// A broadcast address is nobody's source. A host may believe it (accept_local), and
		// takes what is sent to it for the answer.
		{"spoofed", join(fib(source, false), equal(reg, fibType(unix.RTN_BROADCAST)), counter("dropped"), drop)},
		{"our own comes back", join(fib(destination, false), equal(reg, fibType(unix.RTN_MULTICAST)), back)},
		{"our own comes back", join(fib(destination, false), equal(reg, fibType(unix.RTN_BROADCAST)), back)},
		{"spoofed", join(fib(source, false), equal(reg, fibType(unix.RTN_LOCAL)), counter("dropped"), drop)},
		{"spoofed", join(fib(source, true), equal(reg, fibType(unix.RTN_LOCAL)), counter("dropped"), drop)},
		// It may claim to come from a host behind this one, which masquerades that host. The way
		// back may be another one all the same, so the packet goes on.
		{"from elsewhere", fromElsewhere},
	}
}

// fromElsewhere labels a flow whose first packet came by another way than the one to its source.
var fromElsewhere = join(protocol(unix.IPPROTO_UDP), state(expr.CtStateBitNEW), noWayBack, setLabel(labelElsewhere))

// refuseRules refuse a packet at prerouting.
func refuseRules(answer Answer) []rule {
	rules := []rule{{"listed", jump(listChain)}}
	switch answer {
	case AnswerDrop:
		return append(rules, rule{"dropped", join(counter("dropped"), drop)})
	case AnswerReject:
		return append(append(rules, rule{"refused", counter("dropped")}), rejectRules()...)
	case AnswerAuto:
	}
	return append(rules, []rule{
		// Only a connection without an entry in the kernel's table is translated. One with an
		// entry, from before the guard or after a grant, would go to its service.
		{"first of a flow", join(state(expr.CtStateBitNEW), unconfirmed, setLabel(labelRefused))},
		// Where the label found no room, nothing would be translated.
		{"first of a flow", join(unconfirmed, labelled(labelRefused), counter("dropped"), accept)},
		// These are never translated, so they reach no other host. The chain at the hook input
		// refuses them, after the chains of others.
		{"of no flow", join(ofNoFlow, accept)},
		{"of another flow", join(counter("dropped"), drop)},
	}...)
}

// rejectRules answer as nft does.
func rejectRules() []rule {
	return []rule{
		{"refused", join(protocol(unix.IPPROTO_TCP), resetTCP)},
		{"refused", portUnreachable},
	}
}

// translateRules translate refused flows to a closed port, without a change of the address. Each
// guarded TCP port has one of its own, since the kernel derives the flow label of an IPv6 answer
// from it.
func translateRules() []rule {
	rules := []rule{
		{"refused", join(protocol(unix.IPPROTO_TCP), labelled(labelRefused), destinationPort(reg), lookUp("closed", reg, reg), translateTo(reg))},
	}
	for _, p := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} { // nft reads no translation of a port without a protocol
		rules = append(rules, rule{"refused", join(protocol(p), labelled(labelRefused), immediatePort(closedPort, reg), translateTo(reg))})
	}
	return rules
}

// inputRules judge by the destination after its translation, and packets that policy routing
// delivers to this host. A packet of a grant for another port, which is translated to a guarded
// one, has our mark.
func inputRules(mark uint32, answer Answer) []rule {
	rules := []rule{loopbackRule}
	unguarded := join(port(reg), notIn("guarded", reg))
	if answer == AnswerAuto {
		rules = append(rules,
			// A service may wait at the port that stands in. It must not get what was refused.
			rule{"a service stands in", join(protocol(unix.IPPROTO_TCP), labelled(labelRefused), socketWaits, resetTCP)},
			// Rejected here, its translation is forgotten. The kernel would answer the same, but
			// later datagrams would go to the closed port in spite of a grant.
			rule{"refused", join(protocol(unix.IPPROTO_UDP), labelled(labelRefused), portUnreachable)})
		// The kernel's reset from such a port would be taken for one to a refused packet.
		unguarded = join(unguarded, port(reg), notIn("stand_ins", reg))
	}
	rules = append(rules,
		rule{"nobody guards this port", join(unguarded, accept)},
		rule{"granted before", join(marked(mark), accept)})
	rules = slices.Concat(rules, trustedRules(), grantedRules(mark), cutRules(answer), standingRules())
	refused := rule{"refused here", join(jump(listChain))}
	switch answer {
	case AnswerDrop:
		return append(rules, refused, rule{"refused here", join(counter("dropped"), drop)})
	case AnswerReject:
		return append(append(rules, refused, rule{"refused here", counter("dropped")}), rejectRules()...)
	case AnswerAuto:
	}
	return append(rules, lateRules()...)
}

// lateRules make the kernel answer a refused packet as it answers one to a closed port. nft's own
// reset differs: it has another TOS, no options of IP and no flow label. A packet that belongs to
// no connection cannot be translated. So the closed port is written into it here, and outputRules
// write the port that was asked into the reset. The set late tells that reset from one to a packet
// that was sent to the closed port itself.
func lateRules() []rule {
	toStandIn := join(port(reg), in("stand_ins", reg))
	ports := join(destinationPort(reg), sourcePortAlone(reg2))
	return []rule{
		{"closed", join(toStandIn, state(expr.CtStateBitNEW), accept)},
		{"closed", join(toStandIn, ports, change("late", reg, deleteElement), accept)},
		{"refused here", counter("dropped")},
		{"refused here", jump(listChain)},
		{"refused", join(ofNoFlow, protocol(unix.IPPROTO_TCP), destinationPort(reg), lookUp("closed", reg, reg), writeTCPPort(2, reg))},
		{"a service stands in", join(toStandIn, socketWaits, destinationPort(reg), lookUp("asked", reg, reg), writeTCPPort(2, reg), resetTCP)},
		{"refused", join(toStandIn, ports, change("late", reg, unix.NFT_DYNSET_OP_ADD), accept)},
		{"too many", join(protocol(unix.IPPROTO_TCP), destinationPort(reg), lookUp("asked", reg, reg), writeTCPPort(2, reg))},
		{"refused", join(protocol(unix.IPPROTO_TCP), resetTCP)},
		{"refused", portUnreachable},
	}
}

// outputRules give the kernel's reset from a closed port the port that was asked. Only packets
// without ACK are refused, and the answers to these have RST and ACK.
func outputRules() []rule {
	return []rule{{"reset", join(ofNoFlow, protocol(unix.IPPROTO_TCP),
		tcpFlags(reg), masked(reg, []byte{tcpRST | tcpACK}), equal(reg, []byte{tcpRST | tcpACK}),
		sourcePortAlone(reg), destinationPort(reg2), in("late", reg),
		lookUp("asked", reg, reg), writeTCPPort(0, reg))}}
}
