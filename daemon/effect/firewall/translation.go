package firewall

import (
	"cmp"
	"encoding/binary"
	"errors"
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
// Those to addresses of this host are left out, and those that keep the port.
func (g *Guard) Translations() (found []Translation, err error) {
	for range tries {
		s := survey{mark: g.mark, links: linkNames()}
		if err = s.read(g.socket); err == nil {
			found, err = s.translations(localAddresses())
		}
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking for translated ports: %w", err)
	}
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

// translations tries each rule of the tables that translate before routing. A rule is tried for
// the ports that it names, so the work grows with the rules and not with the number of ports.
func (s *survey) translations(local map[netip.Addr]bool) ([]Translation, error) {
	seen := map[Translation]bool{}
	for name, rules := range s.rules.chains {
		if !s.translates(name.table) {
			continue
		}
		for _, rule := range rules {
			numbers, err := s.rules.named(name.table, rule)
			if err != nil {
				return nil, fmt.Errorf("table %s: %w", name.table.name, err)
			}
			for _, number := range numbers {
				for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
					if err := s.try(name.table, rule, packet.Port{Proto: proto, Number: number}, local, seen); err != nil {
						return nil, fmt.Errorf("table %s: %w", name.table.name, err)
					}
				}
			}
		}
	}
	found := make([]Translation, 0, len(seen))
	for one := range seen {
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b Translation) int {
		return cmp.Or(comparePorts(a.Outer, b.Outer), comparePorts(a.Inner, b.Inner))
	})
	return found, nil
}

// translates reports whether a table has a chain that translates destinations before routing.
func (s *survey) translates(t table) bool {
	return slices.ContainsFunc(s.bases, func(c chainFound) bool {
		return c.table == t && c.kind == "nat" && c.hook == hookPrerouting
	})
}

// try adds the translation of a rule for packets to a port, if it has one.
func (s *survey) try(t table, rule expressions, outer packet.Port, local map[netip.Addr]bool, seen map[Translation]bool) error {
	for _, family := range []uint8{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6} {
		if t.family != unix.NFPROTO_INET && t.family != family {
			continue
		}
		for _, link := range s.links {
			p := probe{family: family, port: outer, mark: s.mark, hook: hookPrerouting, link: link}
			m := machine{rules: &s.rules, table: t, probe: &p}
			if _, _, err := m.run(rule); err != nil {
				return err
			}
			if p.translated && p.port != outer && p.port.Number != 0 && !local[p.destination] && !p.destination.IsLoopback() {
				seen[Translation{outer, p.port}] = true
			}
		}
	}
	return nil
}

// maxNamed bounds the ports for which one rule is tried. A rule of a container engine names one.
const maxNamed = 64

// named returns the numbers that a rule may compare a port with.
func (r *ruleset) named(t table, rule expressions) (numbers []uint16, err error) {
	add := func(b []byte) {
		if len(b) == 2 && len(numbers) < maxNamed {
			numbers = append(numbers, binary.BigEndian.Uint16(b))
		}
	}
	for _, e := range rule {
		switch e.name {
		case "cmp":
			var c expr.Cmp
			if expr.Unmarshal(t.family, e.data, &c) == nil {
				add(c.Data)
			}
		case "lookup":
			var l expr.Lookup
			if expr.Unmarshal(t.family, e.data, &l) != nil {
				continue
			}
			members, err := r.members(t, l.SetName)
			if err != nil {
				return nil, err
			}
			for _, member := range members {
				add(member.key)
			}
		case "match":
			var match expr.Match
			if expr.Unmarshal(t.family, e.data, &match) == nil {
				add(binary.BigEndian.AppendUint16(nil, firstPort(match.Info)))
			}
		}
	}
	return numbers, nil
}

// firstPort returns the first destination port of a match of iptables; 0: it names none.
func firstPort(info xt.InfoAny) uint16 {
	switch i := info.(type) {
	case *xt.Tcp:
		return i.DstPorts[0]
	case *xt.Udp:
		return i.DstPorts[0]
	}
	return 0
}
