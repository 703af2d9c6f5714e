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

// The table that is ours, as nft would list it:
//
//	table inet sesame {
//		counter dropped, observed
//		set guarded, watched             proto . port
//		set trusted4, trusted6           networks
//		set interfaces                   names
//		set grants4, grants6             source . proto . port, each with its end
//		set networks4, networks6         the same for networks
//		set exempt4, exempt6             the same for what is only observed
//		set stopped4, stopped6           who would have been stopped at a watched port
//		chain guard                      see guardRules
//	}
var guardTable = table{unix.NFPROTO_INET, "sesame"}

// guardChain stands after connection tracking (-200), and with it the putting
// together of fragments, and before the translation of destinations (-100).
var guardChain = chain{"guard", unix.NF_INET_PRE_ROUTING, -150}

const (
	// stoppedLife is how long a source that would have been stopped is remembered
	// after its last packet.
	stoppedLife = time.Hour
	// stoppedSize bounds them: whoever sends under false addresses fills it, and
	// then nobody new is remembered, while all are counted.
	stoppedSize = 4096
)

var guardSets = func() []set {
	var (
		v4, v6  = nftables.TypeIPAddr, nftables.TypeIP6Addr
		proto   = nftables.TypeInetProto
		service = nftables.TypeInetService
		of      = func(fields ...nftables.SetDatatype) []nftables.SetDatatype { return fields }
	)
	return []set{
		{name: "guarded", fields: of(proto, service)},
		{name: "watched", fields: of(proto, service)},
		{name: "trusted4", fields: of(v4), interval: true},
		{name: "trusted6", fields: of(v6), interval: true},
		{name: "interfaces", fields: of(nftables.TypeIFName)},
		{name: "grants4", fields: of(v4, proto, service), timeout: true},
		{name: "grants6", fields: of(v6, proto, service), timeout: true},
		{name: "networks4", fields: of(v4, proto, service), interval: true, timeout: true},
		{name: "networks6", fields: of(v6, proto, service), interval: true, timeout: true},
		{name: "exempt4", fields: of(v4, proto, service), timeout: true},
		{name: "exempt6", fields: of(v6, proto, service), timeout: true},
		{name: "stopped4", fields: of(v4, proto, service), timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
		{name: "stopped6", fields: of(v6, proto, service), timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
	}
}()

var grantSets = []sourceSet{
	{table: guardTable, name: "grants4", layout: sourcePort},
	{table: guardTable, name: "grants6", v6: true, layout: sourcePort},
	{table: guardTable, name: "networks4", layout: sourcePort, interval: true},
	{table: guardTable, name: "networks6", v6: true, layout: sourcePort, interval: true},
}

// exemptSets hold what observed doors gave. It lets nobody in; who has it is not
// one of those who would have been stopped.
var exemptSets = []sourceSet{
	{table: guardTable, name: "exempt4", layout: sourcePort, observed: true},
	{table: guardTable, name: "exempt6", v6: true, layout: sourcePort, observed: true},
}

// heldSets are all sets with elements of ours.
var heldSets = slices.Concat(grantSets, exemptSets)

var stoppedSets = []sourceSet{
	{table: guardTable, name: "stopped4", layout: sourcePort},
	{table: guardTable, name: "stopped6", v6: true, layout: sourcePort},
}

var guardCounters = []string{"dropped", "observed"}

// The registers of 32 bits.
const (
	reg  = unix.NFT_REG32_00
	reg2 = reg + 1
	reg5 = reg + 4
)

// guardRules are the rules of our chain, in their order. The first that decides
// holds, and what cannot be told apart is dropped: a packet to a guarded port
// passes only for a reason.
func guardRules(mark uint32) []rule {
	rules := []rule{
		{"loopback", join(meta(expr.MetaKeyIIFTYPE, reg), equal(reg, binaryutil.NativeEndian.PutUint16(unix.ARPHRD_LOOPBACK)), accept)},
		{"nobody guards this port", join(port(reg), notIn("guarded", reg), port(reg), notIn("watched", reg), accept)},
		// Everything but what is on its way to another host: a broadcast reaches
		// sockets too. Asked for the interface as well, since the table of all local
		// addresses lacks those of a routing domain of its own.
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
		// By the flags of a packet, not by the state of its connection: a session that
		// stood before its connection was tracked would be new, and die.
		rule{"of a standing session", join(protocol(unix.IPPROTO_TCP), tcpFlags(reg),
			masked(reg, []byte{tcpSYN | tcpACK}), differs(reg, []byte{tcpSYN}), accept)},
		// Nothing but established: where connections are not tracked all packets are
		// untracked or invalid, and would pass a test for new ones.
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

// port loads protocol and destination port into two registers.
func port(to uint32) []expr.Any {
	return join(meta(expr.MetaKeyL4PROTO, to), load(expr.PayloadBaseTransportHeader, 2, 2, to+1))
}

func load(base expr.PayloadBase, offset, length, to uint32) []expr.Any {
	return one(&expr.Payload{DestRegister: to, Base: base, Offset: offset, Len: length})
}

func source4(to uint32) []expr.Any { return load(expr.PayloadBaseNetworkHeader, 12, 4, to) }

func source6(to uint32) []expr.Any { return load(expr.PayloadBaseNetworkHeader, 8, 16, to) }

func tcpFlags(to uint32) []expr.Any { return load(expr.PayloadBaseTransportHeader, 13, 1, to) }

// sourceAndPort loads the key of a grant.
func sourceAndPort(v6 bool) []expr.Any {
	if v6 {
		return join(family(unix.NFPROTO_IPV6), source6(reg), port(reg5))
	}
	return join(family(unix.NFPROTO_IPV4), source4(reg), port(reg2))
}

// fib loads what kind of address the destination is, to the interface it came by
// or to the whole host.
func fib(interfaceOnly bool) []expr.Any {
	return one(&expr.Fib{Register: reg, FlagDADDR: true, FlagIIF: interfaceOnly, ResultADDRTYPE: true})
}

// state tests the state of a connection.
func state(bits uint32) []expr.Any {
	return join(one(&expr.Ct{Register: reg, Key: expr.CtKeySTATE}),
		masked(reg, binaryutil.NativeEndian.PutUint32(bits)), differs(reg, make([]byte, 4)))
}

func setMark(mark uint32) []expr.Any {
	return join(meta(expr.MetaKeyMARK, reg),
		one(&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(^mark), Xor: binaryutil.NativeEndian.PutUint32(mark)}),
		one(&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg}))
}

func counter(name string) []expr.Any {
	return one(&expr.Objref{Type: objectCounter, Name: name})
}

// remember puts the key into a set, or moves its end, and counts.
func remember(set string, key uint32) []expr.Any {
	return one(&expr.Dynset{SrcRegKey: key, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: stoppedLife,
		Exprs: []expr.Any{&expr.Counter{}}})
}

// portMembers are ports as members of a set, in order.
func portMembers(ports []packet.Port) []member {
	var members []member
	for _, p := range ports {
		if number := protocolNumber(p.Proto); number != 0 && p.Number != 0 {
			members = append(members, member{key: []byte{number, 0, 0, 0, byte(p.Number >> 8), byte(p.Number), 0, 0}})
		}
	}
	return ordered(members)
}

// networkMembers are the networks of one family as members of a set, in order.
func networkMembers(networks []netip.Prefix, v6 bool) []member {
	s := sourceSet{v6: v6, layout: sourceAlone, interval: true}
	var members []member
	for _, n := range networks {
		if n.IsValid() && n.Addr().Is6() == v6 {
			members = append(members, s.key(place{source: n})...)
		}
	}
	members = ordered(members)
	// Where one network ends and the next begins there is neither an end nor a
	// beginning: the kernel takes the two for an overlap.
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

func interfaceMembers(names []string) []member {
	var members []member
	for _, name := range names {
		key := make([]byte, unix.IFNAMSIZ)
		copy(key[:unix.IFNAMSIZ-1], name)
		members = append(members, member{key: key})
	}
	return ordered(members)
}

// ordered sorts members, and leaves one of equal ones.
func ordered(members []member) []member {
	slices.SortFunc(members, compareMembers)
	return slices.CompactFunc(members, func(a, b member) bool { return compareMembers(a, b) == 0 })
}

func compareMembers(a, b member) int {
	if c := bytes.Compare(a.key, b.key); c != 0 || a.boundary == b.boundary {
		return c
	}
	if a.boundary { // one network ends where the next begins
		return -1
	}
	return 1
}
