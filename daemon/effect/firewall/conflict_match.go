package firewall

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"

	"sesame/daemon/packet"
)

// matchIf returns yes or no.
func matchIf(is bool) match {
	if is {
		return yes
	}
	return no
}

func (m *machine) cmp(e *expr.Cmp) (match, error) {
	have, ok := m.load(e.Register, len(e.Data))
	if !ok {
		return perhaps, nil
	}
	c := bytes.Compare(have, e.Data)
	switch e.Op {
	case expr.CmpOpEq:
		return matchIf(c == 0), nil
	case expr.CmpOpNeq:
		return matchIf(c != 0), nil
	case expr.CmpOpLt:
		return matchIf(c < 0), nil
	case expr.CmpOpLte:
		return matchIf(c <= 0), nil
	case expr.CmpOpGt:
		return matchIf(c > 0), nil
	case expr.CmpOpGte:
		return matchIf(c >= 0), nil
	}
	return perhaps, nil
}

func (m *machine) inRange(e *expr.Range) (match, error) {
	have, ok := m.load(e.Register, len(e.FromData))
	if !ok || len(e.FromData) != len(e.ToData) {
		return perhaps, nil
	}
	inside := bytes.Compare(have, e.FromData) >= 0 && bytes.Compare(have, e.ToData) <= 0
	return matchIf(inside == (e.Op == expr.CmpOpEq)), nil
}

// bitwise applies a mask and an exclusive or. Of other operations, such as shifts, the result
// is not known.
func (m *machine) bitwise(e *expr.Bitwise) (match, error) {
	length := int(min(e.Len, 64))
	have, ok := m.load(e.SourceRegister, length)
	if !ok || len(e.Mask) != length || len(e.Xor) != length {
		return m.store(e.DestRegister, nil, length), nil
	}
	value := make([]byte, length)
	for i := range value {
		value[i] = have[i]&e.Mask[i] ^ e.Xor[i]
	}
	return m.store(e.DestRegister, value, length), nil
}

// lookup looks a register up in a set, or in a map of verdicts.
func (m *machine) lookup(e *expr.Lookup) (match, error) {
	members, err := m.rules.members(m.table, e.SetName)
	if err != nil {
		return perhaps, err
	}
	if e.IsDestRegSet && at(e.DestRegister) >= 0 { // a map of values
		m.store(e.DestRegister, nil, 16)
		return perhaps, nil
	}
	if len(members) == 0 {
		return matchIf(e.Invert), nil // nothing is in an empty set
	}
	key, ok := m.load(e.SourceRegister, len(members[0].key))
	if !ok {
		return perhaps, nil
	}
	found := holder(members, key)
	switch {
	case found != nil && found.verdict != nil && !e.Invert:
		return m.decide(*found.verdict), nil
	case e.IsDestRegSet:
		return no, nil
	}
	return matchIf((found != nil) != e.Invert), nil
}

// holder returns the member that contains a key, or nil. Members are sorted.
func holder(members []member, key []byte) *member {
	ranges := slices.ContainsFunc(members, func(m member) bool { return m.boundary })
	var last *member
	for i := range members {
		m := &members[i]
		switch {
		case m.end != nil:
			if within(key, m.key, m.end) {
				return m
			}
		case bytes.Equal(m.key, key) && !m.boundary:
			return m
		}
		if ranges && bytes.Compare(m.key, key) <= 0 {
			last = m
		}
	}
	if last != nil && !last.boundary {
		return last
	}
	return nil
}

// within compares field by field, as the kernel does with ranges of several fields. Fields of
// more than 4 bytes are addresses, and a probe's are not known, so they never come here.
func within(key, first, last []byte) bool {
	if len(first) != len(key) || len(last) != len(key) {
		return false
	}
	for i := 0; i < len(key); i += 4 {
		to := min(i+4, len(key))
		if bytes.Compare(key[i:to], first[i:to]) < 0 || bytes.Compare(key[i:to], last[i:to]) > 0 {
			return false
		}
	}
	return true
}

// extension evaluates a match of iptables, which nftables carries as it is (xtables).
func (m *machine) extension(e *expr.Match) (match, error) {
	switch info := e.Info.(type) {
	case *xt.Tcp: // a granted packet is a SYN without options that are known
		flags := tcpSYN&info.FlagsMask == info.FlagsCmp
		if info.Option != 0 || m.probe.port.Proto != packet.TCP {
			return perhaps, nil
		}
		if info.InvFlags&xt.TcpInvFlags != 0 {
			flags = !flags
		}
		return both(matchIf(flags), m.ports(info.SrcPorts, info.DstPorts, info.InvFlags&xt.TcpInvDestPorts != 0)), nil
	case *xt.Udp:
		if m.probe.port.Proto != packet.UDP {
			return perhaps, nil
		}
		return m.ports(info.SrcPorts, info.DstPorts, info.InvFlags&xt.UdpInvDestPorts != 0), nil
	case *xt.ConntrackMtinfo1:
		return newState(info.MatchFlags, info.InvertFlags, uint16(info.StateMask)), nil
	case *xt.ConntrackMtinfo2:
		return newState(info.MatchFlags, info.InvertFlags, info.StateMask), nil
	case *xt.ConntrackMtinfo3:
		return newState(info.MatchFlags, info.InvertFlags, info.StateMask), nil
	case *xt.AddrTypeV1: // at input the destination is an address of this host
		const inverted = 2 // XT_ADDRTYPE_INVERT_DEST
		if info.Source != 0 || info.Flags&^inverted != 0 || m.probe.hook != hookInput {
			return perhaps, nil
		}
		return matchIf((info.Dest&uint16(xt.AddrTypeLocal) != 0) != (info.Flags&inverted != 0)), nil
	case *xt.Unknown:
		return m.unnamed(e.Name, *info), nil
	}
	return matchIf(e.Name == "comment" || e.Name == "limit"), nil
}

// both returns yes when both are yes, and no when one is no.
func both(a, b match) match {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	}
	return perhaps
}

// ports evaluates the port ranges of iptables' matches tcp and udp.
func (m *machine) ports(source, destination [2]uint16, inverted bool) match {
	if source != [2]uint16{0, 0xffff} {
		return perhaps
	}
	number := m.probe.port.Number
	if number == 0 && destination != [2]uint16{0, 0xffff} {
		return perhaps
	}
	return matchIf((number >= destination[0] && number <= destination[1]) != inverted)
}

// newState evaluates iptables' match conntrack for a new connection, if it looks at nothing
// but the state.
func newState(flags, inverted, states uint16) match {
	const isNew = 1 << 3 // XT_CONNTRACK_STATE_BIT(IP_CT_NEW)
	const state = uint16(xt.ConntrackState)
	const alias = uint16(xt.ConntrackStateAlias)
	if flags&^(state|alias) != 0 || flags&state == 0 {
		return perhaps
	}
	return matchIf((states&isNew != 0) != (inverted&state != 0))
}

// unnamed evaluates matches that the library returns as bytes: struct xt_mark_mtinfo1 and
// struct xt_multiport_v1 of include/uapi/linux/netfilter.
func (m *machine) unnamed(name string, info []byte) match {
	switch {
	case name == "comment" || name == "limit":
		return yes
	case name == "mark" && len(info) >= 9:
		mark, mask := binary.NativeEndian.Uint32(info), binary.NativeEndian.Uint32(info[4:])
		return matchIf((m.probe.mark&mask == mark) != (info[8] != 0))
	case name == "multiport" && len(info) >= 48:
		return m.multiport(info)
	}
	return perhaps
}

// multiport evaluates a list of destination ports and of ranges of them.
func (m *machine) multiport(info []byte) match {
	const destination, list, isRange, invert = 1, 2, 32, 47
	if info[0] != destination || m.probe.port.Number == 0 {
		return perhaps
	}
	listed := false
	for i := 0; i < min(int(info[1]), 15); i++ {
		first := binary.NativeEndian.Uint16(info[list+2*i:])
		last := first
		if info[isRange+i] != 0 && i+1 < 15 {
			i++
			last = binary.NativeEndian.Uint16(info[list+2*i:])
		}
		listed = listed || m.probe.port.Number >= first && m.probe.port.Number <= last
	}
	return matchIf(listed != (info[invert] != 0))
}
