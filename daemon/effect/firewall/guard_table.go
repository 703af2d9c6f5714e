package firewall

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// guardTable is our table. As nft lists it:
//
//	table inet sesame {
//		counter dropped, observed
//		set guarded, watched             proto . port: dropped, or only counted
//		set trusted4, trusted6           networks
//		set interfaces                   names of trusted interfaces
//		set grants4, grants6             source . proto . port, each with its end
//		set networks4, networks6         the same for networks
//		set exempt4, exempt6             what doors granted that only observe
//		set stopped4, stopped6           sources that a guard would stop at a watched port
//		chain guard                      see guardRules
//	}
//
// The names are what an older version's table is compared with, so none may change
// without need: a table that differs is made anew.
var guardTable = table{unix.NFPROTO_INET, "sesame"}

// guardChain comes after connection tracking (priority -200) and the defragmentation that
// goes with it (-400), and before the translation of destination addresses (-100); see
// include/uapi/linux/netfilter_ipv4.h.
var guardChain = chain{"guard", unix.NF_INET_PRE_ROUTING, -150}

const (
	// stoppedLife is how long a source that a guard would stop is listed after its last
	// packet.
	stoppedLife = time.Hour
	// stoppedSize bounds how many are listed. A sender that forges source addresses can
	// fill the set; no new source is listed then, while all packets are still counted.
	stoppedSize = 4096
)

// guardSets defines the sets of our table. Addresses of the two families need sets of their
// own, since the keys of a set have one length.
var guardSets = []set{
	{name: "guarded", fields: grantKey4[1:]},
	{name: "watched", fields: grantKey4[1:]},
	{name: "trusted4", fields: grantKey4[:1], interval: true},
	{name: "trusted6", fields: grantKey6[:1], interval: true},
	{name: "interfaces", fields: []nftables.SetDatatype{nftables.TypeIFName}},
	{name: "grants4", fields: grantKey4, timeout: true},
	{name: "grants6", fields: grantKey6, timeout: true},
	{name: "networks4", fields: grantKey4, interval: true, timeout: true},
	{name: "networks6", fields: grantKey6, interval: true, timeout: true},
	{name: "exempt4", fields: grantKey4, timeout: true},
	{name: "exempt6", fields: grantKey6, timeout: true},
	{name: "stopped4", fields: grantKey4, timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
	{name: "stopped6", fields: grantKey6, timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
}

// The keys of a grant. Other sets have some of their fields.
var (
	grantKey4 = []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService}
	grantKey6 = []nftables.SetDatatype{nftables.TypeIP6Addr, nftables.TypeInetProto, nftables.TypeInetService}
)

var grantSets = []sourceSet{
	{table: guardTable, name: "grants4", layout: sourcePort},
	{table: guardTable, name: "grants6", v6: true, layout: sourcePort},
	{table: guardTable, name: "networks4", layout: sourcePort, interval: true},
	{table: guardTable, name: "networks6", v6: true, layout: sourcePort, interval: true},
}

// exemptSets hold the grants of doors that only observe. They give no access. Their sources are
// not counted as sources that a guard would stop.
var exemptSets = []sourceSet{
	{table: guardTable, name: "exempt4", layout: sourcePort, observed: true},
	{table: guardTable, name: "exempt6", v6: true, layout: sourcePort, observed: true},
}

// heldSets are all sets that hold elements, see [effect.Element].
var heldSets = slices.Concat(grantSets, exemptSets)

var stoppedSets = []sourceSet{
	{table: guardTable, name: "stopped4", layout: sourcePort},
	{table: guardTable, name: "stopped6", v6: true, layout: sourcePort},
}

var guardCounters = []string{"dropped", "observed"}

// The 16 registers of 32 bits (NFT_REG32_00 and on). A key of several fields fills
// registers side by side: source4 needs one, source6 four.
const (
	reg  = unix.NFT_REG32_00
	reg2 = reg + 1
	reg5 = reg + 4
)

// guardRules returns the rules of our chain, in order. The first verdict holds. Packets to
// ports without a guard, and to other hosts, are accepted first. After that a packet
// passes only for a reason, so what no rule knows is dropped.
func guardRules(mark uint32) []rule {
	rules := []rule{
		{"loopback", join(meta(expr.MetaKeyIIFTYPE, reg), equal(reg, binaryutil.NativeEndian.PutUint16(unix.ARPHRD_LOOPBACK)), accept)},
		{"nobody guards this port", join(port(reg), notIn("guarded", reg), port(reg), notIn("watched", reg), accept)},
		// Only unicast to another host: a broadcast and a multicast reach sockets of this
		// one. The destination is looked up twice, also as seen from the interface: the
		// main table lacks local addresses of a routing domain (VRF) of its own. See
		// nft(8), FIB EXPRESSIONS.
		{"to another host", join(
			fib(false), equal(reg, binaryutil.NativeEndian.PutUint32(unix.RTN_UNICAST)),
			fib(true), equal(reg, binaryutil.NativeEndian.PutUint32(unix.RTN_UNICAST)), accept)},
		{"trusted", join(family(unix.NFPROTO_IPV4), source4(reg), in("trusted4", reg), accept)},
		{"trusted", join(family(unix.NFPROTO_IPV6), source6(reg), in("trusted6", reg), accept)},
		{"trusted interface", join(meta(expr.MetaKeyIIFNAME, reg), in("interfaces", reg), accept)},
	}
	for _, s := range grantSets {
		rules = append(rules, rule{"granted", join(sourceAndPort(s.v6), in(s.name, reg), setMark(mark), accept)})
	}
	rules = append(rules,
		// By the flags of the packet, not by the state of its connection. When the guard is
		// the first to need connection tracking, the kernel takes each session that exists
		// already for a new one, and a rule for new connections would end it. A SYN without
		// ACK is the only packet that can open one (RFC 9293, section 3.5).
		rule{"of a standing session", join(protocol(unix.IPPROTO_TCP), tcpFlags(reg),
			masked(reg, []byte{tcpSYN | tcpACK}), differs(reg, []byte{tcpSYN}), accept)},
		// Only established flows, and not "all but new": where connections are not tracked
		// each packet is untracked or invalid, and would pass.
		rule{"of a standing flow", join(protocol(unix.IPPROTO_UDP), state(expr.CtStateBitESTABLISHED), accept)},
		rule{"guarded", join(port(reg), in("guarded", reg), counter("dropped"), drop)},
	)
	for _, s := range exemptSets {
		rules = append(rules, rule{"would be granted", join(sourceAndPort(s.v6), in(s.name, reg), accept)})
	}
	rules = append(rules, rule{"would be stopped", join(counter("observed"))})
	for _, s := range stoppedSets {
		rules = append(rules, rule{"would be stopped", join(sourceAndPort(s.v6), remember(s.name, reg))})
	}
	return rules
}

const (
	tcpSYN = 0x02
	tcpACK = 0x10
)

func join(parts ...[]expr.Any) []expr.Any { return slices.Concat(parts...) }

func one(e expr.Any) []expr.Any { return []expr.Any{e} }

var (
	accept = one(&expr.Verdict{Kind: expr.VerdictAccept})
	drop   = one(&expr.Verdict{Kind: expr.VerdictDrop})
)

func meta(key expr.MetaKey, to uint32) []expr.Any {
	return one(&expr.Meta{Key: key, Register: to})
}

func equal(register uint32, data []byte) []expr.Any {
	return one(&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data})
}

func differs(register uint32, data []byte) []expr.Any {
	return one(&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: data})
}

func in(set string, key uint32) []expr.Any {
	return one(&expr.Lookup{SourceRegister: key, SetName: set})
}

func notIn(set string, key uint32) []expr.Any {
	return one(&expr.Lookup{SourceRegister: key, SetName: set, Invert: true})
}

func masked(register uint32, mask []byte) []expr.Any {
	return one(&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: uint32(len(mask)),
		Mask: mask, Xor: make([]byte, len(mask))})
}

func family(number byte) []expr.Any {
	return join(meta(expr.MetaKeyNFPROTO, reg), equal(reg, []byte{number}))
}

func protocol(number byte) []expr.Any {
	return join(meta(expr.MetaKeyL4PROTO, reg), equal(reg, []byte{number}))
}

// port loads the protocol and the destination port into two registers. TCP and UDP have
// the port at the same offset, 2 (RFC 9293, section 3.1, and RFC 768).
func port(to uint32) []expr.Any {
	return join(meta(expr.MetaKeyL4PROTO, to), load(expr.PayloadBaseTransportHeader, 2, 2, to+1))
}

// load reads length bytes of the packet into a register and those after it.
func load(base expr.PayloadBase, offset, length, to uint32) []expr.Any {
	return one(&expr.Payload{DestRegister: to, Base: base, Offset: offset, Len: length})
}

// source4 and source6 load the source address: RFC 791, section 3.1, and RFC 8200,
// section 3.
func source4(to uint32) []expr.Any { return load(expr.PayloadBaseNetworkHeader, 12, 4, to) }

func source6(to uint32) []expr.Any { return load(expr.PayloadBaseNetworkHeader, 8, 16, to) }

func tcpFlags(to uint32) []expr.Any { return load(expr.PayloadBaseTransportHeader, 13, 1, to) }

// sourceAndPort loads the key of a grant: source . proto . port.
func sourceAndPort(v6 bool) []expr.Any {
	if v6 {
		return join(family(unix.NFPROTO_IPV6), source6(reg), port(reg5))
	}
	return join(family(unix.NFPROTO_IPV4), source4(reg), port(reg2))
}

// fib loads the type of the destination address (RTN_LOCAL, RTN_UNICAST and so on): as
// routed from the interface that the packet arrived on, or by the host as a whole.
func fib(interfaceOnly bool) []expr.Any {
	return one(&expr.Fib{Register: reg, FlagDADDR: true, FlagIIF: interfaceOnly, ResultADDRTYPE: true})
}

// state matches packets of connections that have one of these states.
func state(bits uint32) []expr.Any {
	return join(one(&expr.Ct{Register: reg, Key: expr.CtKeySTATE}),
		masked(reg, binaryutil.NativeEndian.PutUint32(bits)), differs(reg, make([]byte, 4)))
}

// setMark or-s bits into the packet mark, and leaves the bits of others.
func setMark(mark uint32) []expr.Any {
	return join(meta(expr.MetaKeyMARK, reg),
		one(&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(^mark), Xor: binaryutil.NativeEndian.PutUint32(mark)}),
		one(&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg}))
}

func counter(name string) []expr.Any {
	return one(&expr.Objref{Type: objectCounter, Name: name})
}

// remember adds the key to a set, or prolongs it, and counts the packet there.
func remember(set string, key uint32) []expr.Any {
	return one(&expr.Dynset{SrcRegKey: key, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: stoppedLife,
		Exprs: []expr.Any{&expr.Counter{}}})
}

// portMembers returns ports as members of a set, sorted.
func portMembers(ports []packet.Port) []member {
	var members []member
	for _, p := range ports {
		if number := protocolNumber(p.Proto); number != 0 && p.Number != 0 {
			members = append(members, member{key: []byte{number, 0, 0, 0, byte(p.Number >> 8), byte(p.Number), 0, 0}})
		}
	}
	return ordered(members)
}

// networkMembers returns the networks of one family as members of a set, sorted.
func networkMembers(networks []netip.Prefix, v6 bool) []member {
	s := sourceSet{v6: v6, layout: sourceAlone, interval: true}
	var members []member
	for _, n := range networks {
		if n.IsValid() && n.Addr().Is6() == v6 {
			members = append(members, s.key(place{source: n})...)
		}
	}
	members = ordered(members)
	// Where one network ends and the next begins, the boundary is left out: the kernel
	// would take the two members with one key for an overlap.
	joined := members[:0]
	for _, m := range members {
		if n := len(joined); n > 0 && !m.boundary && joined[n-1].boundary && bytes.Equal(joined[n-1].key, m.key) {
			joined = joined[:n-1]
			continue
		}
		joined = append(joined, m)
	}
	return joined
}

// interfaceMembers returns names of interfaces as members of a set, sorted. A key is as
// long as a name may be, IFNAMSIZ, with zeros at its end.
func interfaceMembers(names []string) []member {
	var members []member
	for _, name := range names {
		key := make([]byte, unix.IFNAMSIZ)
		copy(key[:unix.IFNAMSIZ-1], name)
		members = append(members, member{key: key})
	}
	return ordered(members)
}

// ordered sorts members by key, and drops duplicates. Of two with one key the boundary of
// a network comes before the beginning of the next.
func ordered(members []member) []member {
	slices.SortFunc(members, compareMembers)
	return slices.CompactFunc(members, func(a, b member) bool { return compareMembers(a, b) == 0 })
}

func compareMembers(a, b member) int {
	if c := bytes.Compare(a.key, b.key); c != 0 || a.boundary == b.boundary {
		return c
	}
	if a.boundary {
		return -1
	}
	return 1
}
