package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// A machine evaluates one rule for a probe, as the kernel would (nft_do_chain in
// nf_tables_core.c): expressions load values into 16 registers of 4 bytes, change and
// compare them. Of some bytes the value is not known.
type machine struct {
	rules   *ruleset
	table   table
	probe   *probe
	value   [64]byte
	known   [64]bool
	verdict expr.Verdict
	decided bool
}

// nextRule is the verdict of a rule without one, or of one that does not match.
var nextRule = expr.Verdict{Kind: expr.VerdictContinue}

// run returns the verdict of a rule, and whether it is certain that the rule matches. Of a
// rule that certainly does not match, the verdict is nextRule.
func (m *machine) run(rule expressions) (verdict expr.Verdict, certain bool, err error) {
	certain = true
	for _, e := range rule {
		matched, err := m.step(e)
		if err != nil || matched == no {
			return nextRule, true, err
		}
		certain = certain && matched == yes
		if m.decided {
			return m.verdict, certain, nil
		}
	}
	return nextRule, true, nil
}

// decide ends the rule with a verdict.
func (m *machine) decide(v expr.Verdict) match {
	m.verdict, m.decided = v, true
	return yes
}

// step evaluates one expression. An expression that this machine does not know is taken for
// a condition that perhaps holds.
func (m *machine) step(e expression) (match, error) {
	switch e.name {
	case "counter", "log", "notrack", "objref", "last":
		return yes, nil // they match always, and change nothing that is known
	case "reject": // drops, and answers
		return m.decide(expr.Verdict{Kind: expr.VerdictDrop}), nil
	case "meta":
		return decoded(m, e, &expr.Meta{}, (*machine).meta)
	case "payload":
		return decoded(m, e, &expr.Payload{}, (*machine).payload)
	case "ct":
		return decoded(m, e, &expr.Ct{}, (*machine).ct)
	case "fib":
		return decoded(m, e, &expr.Fib{}, (*machine).fib)
	case "cmp":
		return decoded(m, e, &expr.Cmp{}, (*machine).cmp)
	case "bitwise":
		return decoded(m, e, &expr.Bitwise{}, (*machine).bitwise)
	case "range":
		return decoded(m, e, &expr.Range{}, (*machine).inRange)
	case "lookup":
		return decoded(m, e, &expr.Lookup{}, (*machine).lookup)
	case "immediate":
		return m.immediate(e)
	case "limit":
		return decoded(m, e, &expr.Limit{}, func(_ *machine, l *expr.Limit) (match, error) {
			if l.Over { // granted packets are few: under any rate
				return no, nil
			}
			return yes, nil
		})
	case "nat":
		return decoded(m, e, &expr.NAT{}, (*machine).nat)
	case "match":
		return decoded(m, e, &expr.Match{}, (*machine).extension)
	case "target":
		return decoded(m, e, &expr.Target{}, func(m *machine, t *expr.Target) (match, error) {
			switch t.Name {
			case "REJECT":
				return m.decide(expr.Verdict{Kind: expr.VerdictDrop}), nil
			case "DNAT": // of iptables
				m.dnat(t.Info)
				return m.decide(expr.Verdict{Kind: expr.VerdictAccept}), nil
			}
			return yes, nil
		})
	}
	return perhaps, nil
}

// decoded reads the attributes of an expression and evaluates it. One that cannot be read
// perhaps holds.
func decoded[E expr.Any](m *machine, e expression, into E, run func(*machine, E) (match, error)) (match, error) {
	if err := expr.Unmarshal(m.table.family, e.data, into); err != nil {
		return perhaps, nil
	}
	return run(m, into)
}

// at returns the offset of a register: numbers 1 to 4 name registers of 16 bytes, 8 to 23
// (NFT_REG32_00 and on) the same bytes as registers of 4. -1: there is no such register.
func at(register uint32) int {
	switch {
	case register >= 1 && register <= 4:
		return int(register-1) * 16
	case register >= unix.NFT_REG32_00 && register <= unix.NFT_REG32_00+15:
		return int(register-unix.NFT_REG32_00) * 4
	}
	return -1
}

// store puts a value into a register. When value is nil, length bytes become unknown.
func (m *machine) store(register uint32, value []byte, length int) match {
	start := at(register)
	if start < 0 {
		return perhaps
	}
	for i := start; i < min(start+(length+3)&^3, len(m.value)); i++ {
		m.value[i], m.known[i] = 0, value != nil
		if i-start < len(value) {
			m.value[i] = value[i-start]
		}
	}
	return yes
}

// load returns the value of a register, and false when some of it is not known.
func (m *machine) load(register uint32, length int) ([]byte, bool) {
	start := at(register)
	if start < 0 || start+length > len(m.value) || slices.Contains(m.known[start:start+length], false) {
		return nil, false
	}
	return m.value[start : start+length], true
}

// meta loads a property of the packet, or sets the packet mark.
func (m *machine) meta(e *expr.Meta) (match, error) {
	p := m.probe
	if e.SourceRegister {
		if v, ok := m.load(e.Register, 4); e.Key == expr.MetaKeyMARK && ok {
			p.mark = binary.NativeEndian.Uint32(v)
		}
		return yes, nil
	}
	var value []byte
	switch e.Key {
	case expr.MetaKeyMARK:
		value = binary.NativeEndian.AppendUint32(nil, p.mark)
	case expr.MetaKeyL4PROTO:
		value = []byte{protocolNumber(p.port.Proto)}
	case expr.MetaKeyNFPROTO:
		value = []byte{p.family}
	case expr.MetaKeyPROTOCOL:
		value = binary.BigEndian.AppendUint16(nil, etherType(p.family))
	case expr.MetaKeyIIFNAME:
		value = make([]byte, unix.IFNAMSIZ)
		copy(value, p.link)
	}
	if value == nil {
		return m.store(e.Register, nil, unix.IFNAMSIZ), nil // the longest property
	}
	return m.store(e.Register, value, len(value)), nil
}

func etherType(family uint8) uint16 {
	if family == unix.NFPROTO_IPV6 {
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// payload loads bytes of the packet: known are the destination port, the flags of a first
// TCP packet, and the protocol in the IP header.
func (m *machine) payload(e *expr.Payload) (match, error) {
	if e.OperationType == expr.PayloadWrite {
		return yes, nil
	}
	var value []byte
	transport, network := e.Base == expr.PayloadBaseTransportHeader, e.Base == expr.PayloadBaseNetworkHeader
	switch {
	case transport && e.Offset == 2 && e.Len == 2 && m.probe.port.Number != 0:
		value = binary.BigEndian.AppendUint16(nil, m.probe.port.Number)
	case transport && e.Offset == 13 && e.Len == 1 && m.probe.port.Proto == packet.TCP:
		value = []byte{tcpSYN}
	case network && e.Len == 1 && (e.Offset == 9 && m.probe.family == unix.NFPROTO_IPV4 || e.Offset == 6 && m.probe.family == unix.NFPROTO_IPV6):
		value = []byte{protocolNumber(m.probe.port.Proto)}
	}
	return m.store(e.DestRegister, value, int(min(e.Len, 64))), nil
}

// ct loads a property of the connection. A granted packet is the first of its own.
func (m *machine) ct(e *expr.Ct) (match, error) {
	if e.SourceRegister {
		return yes, nil
	}
	if e.Key == expr.CtKeySTATE {
		return m.store(e.Register, binary.NativeEndian.AppendUint32(nil, expr.CtStateBitNEW), 4), nil
	}
	return m.store(e.Register, nil, 16), nil
}

// fib loads the type of an address. At the hooks prerouting and input the destination is an
// address of this host.
func (m *machine) fib(e *expr.Fib) (match, error) {
	if e.ResultADDRTYPE && e.FlagDADDR && !e.FlagSADDR && m.probe.hook != hookForward {
		return m.store(e.Register, binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL), 4), nil
	}
	return m.store(e.Register, nil, 16), nil
}

// immediate loads a constant, or ends the rule with a verdict.
func (m *machine) immediate(e expression) (match, error) {
	a := parse(e.data)
	if verdict := verdictOf(a.bytes(unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT)); verdict != nil {
		return m.decide(*verdict), nil
	}
	value := a.bytes(unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VALUE)
	return m.store(uint32(a.number(unix.NFTA_IMMEDIATE_DREG)), value, len(value)), nil
}

// nat ends the rule, and marks the probe as translated. In a table for both families the
// expression applies to one of them.
func (m *machine) nat(e *expr.NAT) (match, error) {
	if e.Family != unix.NFPROTO_INET && e.Family != uint32(m.probe.family) {
		return yes, nil
	}
	if e.Type == expr.NATTypeDestNAT {
		port, known := m.load(e.RegProtoMin, 2)
		m.translate(port, e.RegProtoMin == 0, known)
		length := map[uint8]int{unix.NFPROTO_IPV4: 4, unix.NFPROTO_IPV6: 16}[m.probe.family]
		if address, known := m.load(e.RegAddrMin, length); known {
			m.probe.destination, _ = netip.AddrFromSlice(address)
		}
	}
	return m.decide(expr.Verdict{Kind: expr.VerdictAccept}), nil
}

// dnat notes the new destination of a rule of iptables. What cannot be read is not known.
func (m *machine) dnat(info xt.InfoAny) {
	var flags uint
	var address net.IP
	var port uint16
	switch r := info.(type) {
	case *xt.NatRange:
		flags, address, port = r.Flags, r.MinIP, r.MinPort
	case *xt.NatRange2:
		flags, address, port = r.Flags, r.MinIP, r.MinPort
	case *xt.NatIPv4MultiRangeCompat:
		if len(*r) > 0 {
			flags, address, port = (*r)[0].Flags, (*r)[0].MinIP, (*r)[0].MinPort
		}
	}
	same := flags&uint(xt.NatRangeMapIPs) != 0 && flags&uint(xt.NatRangeProtoSpecified) == 0
	m.translate(binary.BigEndian.AppendUint16(nil, port), same, port != 0)
	if found, ok := netip.AddrFromSlice(address); ok && flags&uint(xt.NatRangeMapIPs) != 0 {
		m.probe.destination = found.Unmap()
	}
}

// translate notes a new destination. Its port is the same, or known, or neither.
func (m *machine) translate(port []byte, same, known bool) {
	m.probe.translated = true
	switch {
	case same:
	case known:
		m.probe.port.Number = binary.BigEndian.Uint16(port)
	default:
		m.probe.port.Number = 0
	}
}
