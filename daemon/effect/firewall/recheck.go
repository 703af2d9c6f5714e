package firewall

import (
	"fmt"
	"slices"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// Recheck forgets results whose cause is gone: the rule or the policy that dropped the packets is
// no longer there, or its table now has a rule with our mark, or one of firewalld that names the
// port. What becomes of the next packets is not known then, so the outcome is [reach.Unused] until
// they come. A result without a cause that can be read stays until then.
func (g *Guard) Recheck() error {
	seen := map[table]*tableSeen{}
	for _, r := range g.reached.Results() {
		if r.Blocker == nil {
			continue
		}
		t := tableOf(r.Blocker.Table)
		if seen[t] == nil {
			read, err := g.readTable(t)
			if err != nil {
				return fmt.Errorf("looking at chains that dropped granted packets: %w", err)
			}
			seen[t] = read
		}
		if seen[t].gone(g, r) {
			g.reached.Forget(func(o reach.Result) bool { return o.Source == r.Source && o.Port == r.Port && o.Last.Equal(r.Last) })
		}
	}
	return nil
}

// A tableSeen is a table of another program as it is now.
type tableSeen struct {
	chains []chainFound
	rules  []ruleFound
}

func (g *Guard) readTable(t table) (*tableSeen, error) {
	chains, err := g.socket.allChains()
	if err != nil {
		return nil, err
	}
	rules, err := g.socket.rulesOf(t)
	return &tableSeen{chains, rules}, err
}

// gone reports whether what caused a result is no longer there.
func (s *tableSeen) gone(g *Guard, r reach.Result) bool {
	t := tableOf(r.Blocker.Table)
	there := slices.ContainsFunc(s.rules, func(f ruleFound) bool { return f.chain == r.Blocker.Chain && f.handle == r.Blocker.Handle })
	if r.Blocker.Policy {
		there = slices.ContainsFunc(s.chains, func(c chainFound) bool {
			return c.table == t && c.chain.name == r.Blocker.Chain && c.policy != verdictAccept
		})
	}
	return !there || knowsMark(s.rules, g.mark) ||
		t.name == "firewalld" && len(g.socket.unnamed(t, s.rules, []packet.Port{r.Port})) == 0
}
