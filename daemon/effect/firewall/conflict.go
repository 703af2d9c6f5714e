package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// A Conflict is a chain of another program that drops packets which we have granted. An accept
// in our chain cannot overrule it: at each hook a packet passes all base chains in the order
// of their priorities, and the first drop is final (nft(8), CHAINS).
type Conflict struct {
	Table   string // as nft names it; of iptables-legacy, which nftables cannot see, "iptables-legacy filter"
	Chain   string
	Hook    string // "prerouting", "input" or "forward"
	Manager string // the program that made the chain: "ufw", "firewalld", "iptables", "iptables-legacy" or "nft"
	Ports   []packet.Port
	// Remedies let granted packets through. All of them are needed.
	Remedies []Remedy
	// Note is what a person has to know beside the remedies; may be "".
	Note string
}

// A Remedy is one line to run as a command, or to write into a file.
type Remedy struct {
	File  string // "": Line is a command
	After string // the line of the file after which it must come; "": anywhere
	Line  string
}

// The hooks whose base chains a granted packet may pass after ours.
const (
	hookPrerouting = unix.NF_INET_PRE_ROUTING
	hookInput      = unix.NF_INET_LOCAL_IN
	hookForward    = unix.NF_INET_FORWARD
)

var hookNames = map[uint32]string{hookPrerouting: "prerouting", hookInput: "input", hookForward: "forward"}

const (
	// maxProbed bounds the guarded ports and the interfaces that are tried, and so the work:
	// their product for each base chain. More of them would show the same chains.
	maxProbed = 64
)

// Conflicts returns the chains that drop granted packets to guarded ports, over whichever
// interface the packets arrive. It follows a packet through all base chains of others. Only
// its port, our mark and the interface are known, so a rule that accepts under other
// conditions is not relied on.
//
// A chain at the hook forward counts for ports whose destination is translated, and only
// when no rule in it could accept them.
func (g *Guard) Conflicts() ([]Conflict, error) {
	found, err := g.look()
	if err != nil {
		return nil, fmt.Errorf("looking for conflicting chains: %w", err)
	}
	return g.ConflictsFor(slices.Concat(portsOf(found.members["guarded"]), portsOf(found.members["watched"])))
}

// ConflictsFor is [Guard.Conflicts] for ports that need not be guarded yet.
func (g *Guard) ConflictsFor(ports []packet.Port) (found []Conflict, err error) {
	if len(ports) == 0 {
		return nil, nil
	}
	s := survey{mark: g.mark, ports: ports[:min(len(ports), maxProbed)], links: linkNames()}
	for range tries {
		err = s.read(g.socket)
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking for conflicting chains: %w", err)
	}
	chains, err := s.conflicts()
	return append(chains, legacy(s.mark, s.ports)...), err
}

// linkNames returns the interfaces on which packets from outside can arrive.
func linkNames() []string {
	links, _ := net.Interfaces()
	var names []string
	for _, l := range links {
		if l.Flags&net.FlagLoopback == 0 && len(names) < maxProbed {
			names = append(names, l.Name)
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// A survey is a search for conflicts: the packets to try, and the chains as they were read.
type survey struct {
	mark  uint32
	ports []packet.Port
	links []string
	rules ruleset
	bases []chainFound // in the order in which packets pass them
}

func (s *survey) read(from *socket) error {
	s.rules = ruleset{from, map[chainName][]expressions{}, map[chainName][]member{}}
	all, err := from.chains(unix.NFPROTO_UNSPEC)
	if err != nil {
		return err
	}
	s.bases = nil
	var tables []table
	for _, c := range all {
		if c.table == guardTable || c.kind == "" || hookNames[c.hook] == "" || !slices.Contains(families, c.family) {
			continue
		}
		s.bases = append(s.bases, c)
		if !slices.Contains(tables, c.table) {
			tables = append(tables, c.table)
		}
	}
	slices.SortStableFunc(s.bases, func(a, b chainFound) int {
		return cmp.Or(cmp.Compare(a.hook, b.hook), cmp.Compare(a.priority, b.priority))
	})
	for _, t := range tables {
		if err := s.rules.readChains(t); err != nil {
			return err
		}
	}
	return nil
}

var families = []uint8{unix.NFPROTO_INET, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}

// conflicts returns the chains that drop packets to any of the ports.
func (s *survey) conflicts() ([]Conflict, error) {
	var found []Conflict
	for _, base := range s.bases {
		if base.kind != "filter" || base.hook == hookPrerouting && base.priority <= guardChain.priority {
			continue // chains before ours see no mark yet; what they drop never reaches us
		}
		var ports []packet.Port
		where := ""
		for _, port := range s.ports {
			in, err := s.dropping(base, port)
			if err != nil {
				return nil, fmt.Errorf("looking for conflicting chains in table %s: %w", base.table.name, err)
			}
			if in != "" {
				ports, where = append(ports, port), in
			}
		}
		if len(ports) > 0 {
			found = append(found, s.conflict(base, where, ports))
		}
	}
	return found, nil
}

// dropping returns the chain in which granted packets to a port are dropped on whichever
// interface they arrive; "" when some get through. One address family that is dropped is
// enough.
func (s *survey) dropping(base chainFound, port packet.Port) (string, error) {
	for _, family := range []uint8{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6} {
		if base.family != unix.NFPROTO_INET && base.family != family {
			continue
		}
		in, passed := "", false
		for _, link := range s.links {
			p := probe{family: family, port: port, mark: s.mark, link: link}
			where, err := s.follow(base, p)
			if err != nil {
				return "", err
			}
			passed = passed || where == ""
			in = cmp.Or(in, where)
		}
		if !passed {
			return in, nil
		}
	}
	return "", nil
}

// follow returns the chain that drops a probe which enters a base chain, or "".
func (s *survey) follow(base chainFound, p probe) (string, error) {
	if base.hook == hookForward {
		if err := s.translate(&p); err != nil || !p.translated {
			return "", err
		}
		p.optimistic = true
	}
	p.hook = base.hook
	what, where, err := s.rules.walk(chainName{base.table, base.chain.name}, &p, 0)
	if what == noVerdict && base.policy != verdictAccept {
		what, where = dropped, base.chain.name
	}
	if what != dropped {
		where = ""
	}
	return where, err
}

// translate follows a probe through the chains that may translate its destination.
func (s *survey) translate(p *probe) error {
	p.hook = hookPrerouting
	for _, c := range s.bases {
		if c.kind != "nat" || c.hook != hookPrerouting || c.family != unix.NFPROTO_INET && c.family != p.family {
			continue
		}
		if _, _, err := s.rules.walk(chainName{c.table, c.chain.name}, p, 0); err != nil || p.translated {
			return err
		}
	}
	return nil
}

// legacy returns a conflict where iptables-legacy has a table filter: nftables cannot see its
// rules, so whether they drop anything is not known.
func legacy(mark uint32, ports []packet.Port) []Conflict {
	var found []Conflict
	for file, command := range map[string]string{"ip_tables_names": "iptables-legacy", "ip6_tables_names": "ip6tables-legacy"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil || !slices.Contains(strings.Fields(string(text)), "filter") {
			continue
		}
		found = append(found, Conflict{
			Table: command + " filter", Chain: "INPUT", Hook: "input", Manager: "iptables-legacy", Ports: ports,
			Remedies: []Remedy{{Line: fmt.Sprintf("%s -I INPUT %s", command, xtMark(mark))}},
			Note:     "rules of iptables-legacy cannot be read through nftables: if " + command + " -S INPUT shows that they drop by default, this line lets granted packets through",
		})
	}
	slices.SortFunc(found, func(a, b Conflict) int { return strings.Compare(b.Remedies[0].Line, a.Remedies[0].Line) })
	return found
}
