package firewall

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// A Translation is a rule that sends packets to a port of this host on to another port of
// another host, as container engines have one for each port that they publish. The guard sees
// the outer port, because it comes before the translation.
type Translation struct{ Outer, Inner packet.Port }

// Translations returns the translations of all tables, each once, sorted by the outer port.
// Those to addresses of this host are left out, and those that keep the port. A rule is read for
// the ports that it names. A rule with a map is not read.
func (g *Guard) Translations() (found []Translation, err error) {
	chains, err := g.socket.allChains()
	if err != nil {
		return nil, fmt.Errorf("looking for translated ports: %w", err)
	}
	local, seen := localAddresses(), map[Translation]bool{}
	var tables []table
	for _, c := range chains {
		if c.kind == "nat" && c.hook == unix.NF_INET_PRE_ROUTING && c.table != guardTable && !slices.Contains(tables, c.table) {
			tables = append(tables, c.table)
		}
	}
	for _, t := range tables {
		rules, err := g.socket.rulesOf(t)
		if err != nil {
			return nil, fmt.Errorf("looking for translated ports in table %s: %w", t.name, err)
		}
		for _, r := range rules {
			g.socket.translationsOf(t, r, local, seen)
		}
	}
	found = make([]Translation, 0, len(seen))
	for one := range seen {
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b Translation) int {
		return cmp.Or(comparePorts(a.Outer, b.Outer), comparePorts(a.Inner, b.Inner))
	})
	return found, nil
}

// localAddresses returns the addresses of this host.
func localAddresses() map[netip.Addr]bool {
	local := map[netip.Addr]bool{}
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if network, ok := a.(*net.IPNet); ok {
			address, _ := netip.AddrFromSlice(network.IP)
			local[address.Unmap()] = true
		}
	}
	return local
}

// maxNamed bounds the ports that are read of the rules of one table.
const maxNamed = 4096

// A reading is what one rule says about a translation.
type reading struct {
	protocols []packet.Proto
	outer     []uint16
	inner     uint16 // 0: it is not known, or the port stays
	to        netip.Addr
	registers map[uint32][]byte // constants
}

// translationsOf adds what a rule translates.
func (s *socket) translationsOf(t table, rule ruleFound, local map[netip.Addr]bool, seen map[Translation]bool) {
	r := reading{registers: map[uint32][]byte{}}
	for _, e := range rule.expressions {
		r.read(s, t, e)
	}
	if r.protocols == nil {
		r.protocols = []packet.Proto{packet.TCP, packet.UDP}
	}
	if r.inner == 0 || local[r.to] || r.to.IsLoopback() || !r.to.IsValid() {
		return
	}
	for _, p := range r.protocols {
		for _, number := range r.outer {
			if number != r.inner {
				seen[Translation{packet.Port{Proto: p, Number: number}, packet.Port{Proto: p, Number: r.inner}}] = true
			}
		}
	}
}

// read reads one expression. What the library does not know says nothing about a translation.
func (r *reading) read(s *socket, t table, e expression) {
	switch e.name {
	case "cmp":
		var c expr.Cmp
		if expr.Unmarshal(t.family, e.data, &c) == nil && c.Op == expr.CmpOpEq {
			r.compared(c.Data)
		}
	case "lookup":
		var l expr.Lookup
		if expr.Unmarshal(t.family, e.data, &l) == nil && !l.Invert {
			members, _ := s.stableMembers(t, l.SetName)
			for _, m := range members {
				r.name(m.key)
			}
		}
	case "match":
		var m expr.Match
		if expr.Unmarshal(t.family, e.data, &m) == nil {
			r.match(m.Info)
		}
	case "immediate":
		a := parse(e.data)
		r.registers[register(uint32(a.number(unix.NFTA_IMMEDIATE_DREG)))] = a.bytes(unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VALUE)
	case "nat":
		var n expr.NAT
		if expr.Unmarshal(t.family, e.data, &n) == nil && n.Type == expr.NATTypeDestNAT {
			r.to, _ = netip.AddrFromSlice(r.registers[register(n.RegAddrMin)])
			if port := r.registers[register(n.RegProtoMin)]; len(port) == 2 && n.RegProtoMin != 0 {
				r.inner = binary.BigEndian.Uint16(port)
			}
		}
	case "target":
		var target expr.Target
		if expr.Unmarshal(t.family, e.data, &target) == nil && target.Name == "DNAT" {
			r.target(target.Info)
		}
	}
}

// register returns one number for the two that a register has: 1 to 4 name registers of 16 bytes,
// 8 to 23 (NFT_REG32_00 and on) the same bytes as registers of 4.
func register(n uint32) uint32 {
	if n >= 1 && n <= 4 {
		return unix.NFT_REG32_00 + (n-1)*4
	}
	return n
}

// compared notes what a rule compares with: a protocol has one byte, a port two.
func (r *reading) compared(with []byte) {
	if len(with) == 1 && protocolOf(with[0]) != packet.NoProto {
		r.protocols = []packet.Proto{protocolOf(with[0])}
	}
	r.name(with)
}

func (r *reading) name(port []byte) {
	if len(port) == 2 && len(r.outer) < maxNamed {
		r.outer = append(r.outer, binary.BigEndian.Uint16(port))
	}
}

// match reads a match of iptables: the first destination port, unless it is an exception.
func (r *reading) match(info xt.InfoAny) {
	port := uint16(0)
	switch i := info.(type) {
	case *xt.Tcp:
		r.protocols = []packet.Proto{packet.TCP}
		if i.InvFlags&xt.TcpInvDestPorts == 0 {
			port = i.DstPorts[0]
		}
	case *xt.Udp:
		r.protocols = []packet.Proto{packet.UDP}
		if i.InvFlags&xt.UdpInvDestPorts == 0 {
			port = i.DstPorts[0]
		}
	}
	if port != 0 {
		r.name(binary.BigEndian.AppendUint16(nil, port))
	}
}

// target reads the target DNAT of iptables.
func (r *reading) target(info xt.InfoAny) {
	var flags uint
	var address net.IP
	switch i := info.(type) {
	case *xt.NatRange:
		flags, address, r.inner = i.Flags, i.MinIP, i.MinPort
	case *xt.NatRange2:
		flags, address, r.inner = i.Flags, i.MinIP, i.MinPort
	case *xt.NatIPv4MultiRangeCompat:
		if len(*i) > 0 {
			flags, address, r.inner = (*i)[0].Flags, (*i)[0].MinIP, (*i)[0].MinPort
		}
	}
	if found, ok := netip.AddrFromSlice(address); ok && flags&uint(xt.NatRangeMapIPs) != 0 {
		r.to = found.Unmap()
	}
}
