package firewall

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// A Conflict is a base chain of another program that drops by default, and has no rule for packets
// which we have granted. An accept in our chain cannot overrule it: at each hook a packet passes
// all base chains in the order of their priorities, and the first drop is final (nft(8), CHAINS).
//
// It is a note before the first knock. Other rules of the chain may let granted packets in all the
// same. What becomes of them shows [Guard.Measure].
type Conflict struct {
	Table string // as nft names it
	Chain string
	Hook  string // "input" or "forward"
	Ports []packet.Port
	lines []string
}

// Lines returns what lets granted packets through: commands to run unchanged, in this order. Lines
// that begin with # explain.
func (o Conflict) Lines() []string { return o.lines }

var hookNames = map[uint32]string{unix.NF_INET_PRE_ROUTING: "prerouting", unix.NF_INET_LOCAL_IN: "input",
	unix.NF_INET_FORWARD: "forward", unix.NF_INET_LOCAL_OUT: "output", unix.NF_INET_POST_ROUTING: "postrouting"}

// Conflicts returns the chains at the hooks input and forward that drop by their policy or their
// last rule, and whose table has no rule with our mark. A chain at the hook forward counts for
// ports that are translated to another host.
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
	translations, err := g.Translations()
	if err != nil {
		return nil, err
	}
	forwarded := slices.DeleteFunc(slices.Clone(ports), func(p packet.Port) bool {
		return !slices.ContainsFunc(translations, func(t Translation) bool { return t.Outer == p })
	})
	chains, err := g.socket.allChains()
	if err != nil {
		return nil, fmt.Errorf("looking for conflicting chains: %w", err)
	}
	for _, c := range chains {
		about := map[uint32][]packet.Port{unix.NF_INET_LOCAL_IN: ports, unix.NF_INET_FORWARD: forwarded}[c.hook]
		if c.table == guardTable || c.kind != "filter" || len(about) == 0 || !slices.Contains(families, c.family) {
			continue
		}
		rules, err := g.socket.rulesOf(c.table)
		if err != nil {
			return nil, fmt.Errorf("looking for conflicting chains in table %s: %w", c.table.name, err)
		}
		if !dropsAll(c, rules) || knowsMark(rules, g.mark) {
			continue
		}
		if about = g.socket.unnamed(c.table, rules, about); len(about) > 0 {
			b := blocked{mark: g.mark, table: c.table, base: c, chains: chains, ports: about}
			if c.hook == unix.NF_INET_FORWARD && b.has("DOCKER-USER") { // its chains accept what it publishes
				continue
			}
			found = append(found, Conflict{Table: c.table.String(), Chain: c.chain.name, Hook: hookNames[c.hook], Ports: about, lines: b.lines()})
		}
	}
	return found, nil
}

var families = []uint8{unix.NFPROTO_INET, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}

// allChains returns the chains of all families.
func (s *socket) allChains() (found []chainFound, err error) {
	for range tries {
		if found, err = s.chains(unix.NFPROTO_UNSPEC); err != errInterrupted {
			break
		}
	}
	return found, err
}

// dropsAll reports whether a base chain drops what no other rule of it decides about.
func dropsAll(c chainFound, rules []ruleFound) bool {
	last := ruleFound{}
	for _, r := range rules {
		if r.chain == c.chain.name {
			last = r
		}
	}
	return c.policy != verdictAccept || last.always()
}

// knowsMark reports whether some rule compares the packet mark with ours. Bytes 0 to 3 of the match
// of iptables are the mark (struct xt_mark_mtinfo1).
func knowsMark(rules []ruleFound, mark uint32) bool {
	bits := binaryutil.NativeEndian.PutUint32(mark)
	return slices.ContainsFunc(rules, func(r ruleFound) bool {
		return r.compares(bits) || bytes.HasPrefix(r.matchInfo("mark"), bits)
	})
}

// unnamed returns the ports that no rule of a table names. A rule that does so was written with the
// port in mind.
func (s *socket) unnamed(t table, rules []ruleFound, ports []packet.Port) []packet.Port {
	named := reading{registers: map[uint32][]byte{}}
	for _, r := range rules {
		for _, e := range r.expressions {
			named.read(s, t, e)
		}
	}
	return slices.DeleteFunc(slices.Clone(ports), func(p packet.Port) bool { return slices.Contains(named.outer, p.Number) })
}
