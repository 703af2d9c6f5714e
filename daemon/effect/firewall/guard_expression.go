package firewall

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The 16 registers of 32 bits (NFT_REG32_00 and on). A key of several fields fills
// registers side by side: source4 needs one, source6 four.
const (
	reg  = unix.NFT_REG32_00
	reg2 = reg + 1
	reg5 = reg + 4
)

const (
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

func join(parts ...[]expr.Any) []expr.Any { return slices.Concat(parts...) }

func one(e expr.Any) []expr.Any { return []expr.Any{e} }

var (
	accept = one(&expr.Verdict{Kind: expr.VerdictAccept})
	drop   = one(&expr.Verdict{Kind: expr.VerdictDrop})
	back   = one(&expr.Verdict{Kind: expr.VerdictReturn})

	resetTCP        = one(&expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	portUnreachable = one(&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
)

// jump comes back after the last rule of the chain, goTo does not.
func jump(to chain) []expr.Any { return one(&expr.Verdict{Kind: expr.VerdictJump, Chain: to.name}) }

func goTo(to chain) []expr.Any { return one(&expr.Verdict{Kind: expr.VerdictGoto, Chain: to.name}) }

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

// sourcePortOf loads the protocol and the source port, at offset 0.
func sourcePortOf(to uint32) []expr.Any {
	return join(meta(expr.MetaKeyL4PROTO, to), load(expr.PayloadBaseTransportHeader, 0, 2, to+1))
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

// flow loads the key of a flow: source . port . destination . port.
func flow(v6 bool) []expr.Any {
	number, address := byte(unix.NFPROTO_IPV4), uint32(4)
	at := uint32(12)
	if v6 {
		number, address, at = unix.NFPROTO_IPV6, 16, 8
	}
	words := address / 4
	return join(family(number),
		load(expr.PayloadBaseNetworkHeader, at, address, reg),
		load(expr.PayloadBaseTransportHeader, 0, 2, reg+words),
		load(expr.PayloadBaseNetworkHeader, at+address, address, reg+words+1),
		load(expr.PayloadBaseTransportHeader, 2, 2, reg+2*words+1))
}

// A side is one of the two addresses of a packet.
type side bool

const (
	source      side = false
	destination side = true
)

// fib loads the type of an address (RTN_LOCAL, RTN_UNICAST and so on): as routed from the
// interface that the packet arrived on, or by the host as a whole.
func fib(of side, interfaceOnly bool) []expr.Any {
	return one(&expr.Fib{Register: reg, FlagDADDR: of == destination, FlagSADDR: of == source, FlagIIF: interfaceOnly, ResultADDRTYPE: true})
}

// noWayBack matches packets whose source is not reached by the interface that they arrived on. The
// kernel then finds the interface 0.
var noWayBack = join(one(&expr.Fib{Register: reg, FlagSADDR: true, FlagIIF: true, ResultOIF: true}), equal(reg, make([]byte, 4)))

func fibType(kind uint32) []byte { return binaryutil.NativeEndian.PutUint32(kind) }

// state matches packets of connections that have one of these states.
func state(bits uint32) []expr.Any {
	return join(one(&expr.Ct{Register: reg, Key: expr.CtKeySTATE}),
		masked(reg, binaryutil.NativeEndian.PutUint32(bits)), differs(reg, make([]byte, 4)))
}

var (
	// ofReply matches packets in the direction opposite to that of the first one.
	ofReply  = join(one(&expr.Ct{Register: reg, Key: expr.CtKeyDIRECTION}), equal(reg, []byte{1}))
	ofNoFlow = state(expr.CtStateBitINVALID | expr.CtStateBitUNTRACKED)
	// unconfirmed matches the first packet of a connection, which has no entry in the kernel's
	// table yet (IPS_CONFIRMED in nf_conntrack_common.h).
	unconfirmed = join(one(&expr.Ct{Register: reg, Key: expr.CtKeySTATUS}),
		masked(reg, binaryutil.NativeEndian.PutUint32(1<<3)), equal(reg, make([]byte, 4)))
)

// socketWaits matches packets that some socket of this host would get: of the connection, or a
// listening one. The port is looked up as it is in the packet now. It needs nft_socket. Any value
// matches; nft does not print a rule that loads it alone.
var socketWaits = join(one(&expr.Socket{Key: expr.SocketKeyTransparent, Register: reg}),
	one(&expr.Cmp{Op: expr.CmpOpLte, Register: reg, Data: []byte{1}}))

// Labels of connections: bits from 0 to 127 (XT_CONNLABEL_MAXBIT). A label is not copied to the
// packet mark and back, as the conntrack mark is by CONNMARK. People number theirs from 0 in
// connlabel.conf, so ours are high.
const (
	labelGranted = 101 // a grant let the connection in
	labelRefused = 102
	// Its first packet came from a guarded port of a host that is not where it came from.
	labelElsewhere = 103
)

// label returns the bits of a label as the kernel holds them in memory.
func label(bit int) []byte {
	bits := make([]byte, 16)
	bits[bit/8] = 1 << (bit % 8)
	return bits
}

func labelled(bit int) []expr.Any {
	return join(one(&expr.Ct{Register: reg, Key: expr.CtKeyLABELS}), masked(reg, label(bit)), differs(reg, make([]byte, 16)))
}

// unlabelled matches packets whose connection lacks a label, or that have none.
func unlabelled(bit int) []expr.Any {
	return join(one(&expr.Ct{Register: reg, Key: expr.CtKeyLABELS}), masked(reg, label(bit)), equal(reg, make([]byte, 16)))
}

// setLabel adds a label to those of the connection. It does nothing to a packet of none.
func setLabel(bit int) []expr.Any {
	return join(one(&expr.Immediate{Register: reg, Data: label(bit)}), one(&expr.Ct{Register: reg, Key: expr.CtKeyLABELS, SourceRegister: true}))
}

// translateTo translates the destination port to the one in a register, and leaves the address.
func translateTo(from uint32) []expr.Any {
	return one(&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_INET, RegProtoMin: from, Specified: true})
}

func immediatePort(number uint16, to uint32) []expr.Any {
	return one(&expr.Immediate{Register: to, Data: binary.BigEndian.AppendUint16(nil, number)})
}

func sourcePortAlone(to uint32) []expr.Any { return load(expr.PayloadBaseTransportHeader, 0, 2, to) }

func destinationPort(to uint32) []expr.Any { return load(expr.PayloadBaseTransportHeader, 2, 2, to) }

// writeTCPPort writes a port into a TCP header: at 0 that of the source, at 2 that of the
// destination. The checksum is at 16 (RFC 9293, section 3.1).
func writeTCPPort(at, from uint32) []expr.Any {
	return one(&expr.Payload{OperationType: expr.PayloadWrite, SourceRegister: from, Base: expr.PayloadBaseTransportHeader,
		Offset: at, Len: 2, CsumType: expr.CsumTypeInet, CsumOffset: 16})
}

// lookUp replaces a key by its value in a map. It matches when there is one.
func lookUp(name string, key, to uint32) []expr.Any {
	return one(&expr.Lookup{SourceRegister: key, SetName: name, DestRegister: to, IsDestRegSet: true})
}

// marked matches packets with all these bits in the packet mark.
func marked(mark uint32) []expr.Any {
	bits := binaryutil.NativeEndian.PutUint32(mark)
	return join(meta(expr.MetaKeyMARK, reg), masked(reg, bits), equal(reg, bits))
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

// deleteElement is NFT_DYNSET_OP_DELETE of nf_tables.h, which the unix package lacks.
const deleteElement = 2

// change adds a key to a set, or deletes it. The rule goes on unless the set is full.
func change(set string, key, operation uint32) []expr.Any {
	return one(&expr.Dynset{SrcRegKey: key, SetName: set, Operation: operation})
}

// remember adds the key to a set for a while, or prolongs it. In sets for people to read it counts
// the packet there.
func remember(set string, key uint32, life time.Duration, counted ...expr.Any) []expr.Any {
	return one(&expr.Dynset{SrcRegKey: key, SetName: set, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: life, Exprs: counted})
}
