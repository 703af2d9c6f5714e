package firewall

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// guardFound is what the kernel holds under the name of our table.
type guardFound struct {
	exists   bool
	dormant  bool // the table has the flag dormant: none of its chains is called
	chains   []chainFound
	sets     []setFound
	counters map[string]uint64   // packets that they counted
	members  map[string][]member // of our sets
	rules    []byte              // as the kernel lists them
}

// A chainFound is a chain of any table.
type chainFound struct {
	table
	chain
	policy uint32
}

// look reads the table. It reads again when the table changes in the meantime, five times at
// most.
func (g *Guard) look() (found guardFound, err error) {
	for range tries {
		found, err = g.lookOnce()
		if !errors.Is(err, errInterrupted) && !errors.Is(err, effect.ErrGone) {
			return found, err
		}
	}
	return found, err
}

// lookOnce reads the table once. It sends one query for each kind of object, so another program
// may change the table in between: then one of them fails with errInterrupted or
// [effect.ErrGone], or the transaction that follows does.
func (g *Guard) lookOnce() (guardFound, error) {
	found := guardFound{members: map[string][]member{}}
	var err error
	if found.exists, found.dormant, err = g.socket.tableState(guardTable); err != nil || !found.exists {
		return found, err
	}
	all, err := g.socket.chains(guardTable.family)
	if err != nil {
		return found, err
	}
	found.chains = slices.DeleteFunc(all, func(c chainFound) bool { return c.table != guardTable })
	if found.sets, err = g.socket.sets(guardTable); err != nil {
		return found, err
	}
	for _, s := range found.sets {
		if i := slices.IndexFunc(guardSets, s.is); i < 0 || guardSets[i].dynamic || guardSets[i].lasting {
			continue // an install leaves alone what rules add, and what is cut
		}
		if found.members[s.name], err = g.socket.members(guardTable, s.name); err != nil {
			return found, err
		}
	}
	if found.rules, err = g.socket.rawRules(guardTable); err != nil {
		return found, err
	}
	found.counters, err = g.socket.counters(guardTable)
	return found, err
}

// fits reports whether the table can stay: what it has of ours is defined as we would
// define it, and it has nothing else. The kernel cannot redefine a set or a chain, so one
// that differs, as an older version's may, means a new table.
func (f guardFound) fits(chains []ruledChain) bool {
	for _, c := range f.chains {
		ours := slices.ContainsFunc(chains, func(r ruledChain) bool { return r.chain == c.chain })
		if !ours || c.policy != verdictAccept {
			return false
		}
	}
	for _, s := range f.sets {
		if !slices.ContainsFunc(guardSets, s.is) {
			return false
		}
	}
	for name := range f.counters {
		if !strings.HasPrefix(name, restoredMark) && !slices.Contains(guardCounters, name) {
			return false
		}
	}
	return true
}

// tableState reports whether a table is there, and whether it is dormant. It sets the handles to
// that of the table.
func (s *socket) tableState(t table, handles ...*uint64) (exists, dormant bool, err error) {
	err = s.query(t.named(unix.NFT_MSG_GETTABLE, 0, "table "+t.name), func(r reply) {
		exists = true
		dormant = r.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0
		for _, handle := range handles {
			*handle = r.number(tableHandle)
		}
	})
	if errors.Is(err, unix.ENOENT) {
		return false, false, nil
	}
	return exists, dormant, err
}

// chains returns the chains of all tables of a family; 0: of every family.
func (s *socket) chains(family uint8) ([]chainFound, error) {
	var found []chainFound
	question := message{kind: unix.NFT_MSG_GETCHAIN, flags: unix.NLM_F_DUMP, family: family, what: "chains"}
	err := s.query(question, func(r reply) {
		// Only a base chain has a hook, a type and a policy.
		one := chainFound{table: table{r.family, r.text(unix.NFTA_CHAIN_TABLE)}, policy: verdictAccept}
		if r.bytes(unix.NFTA_CHAIN_POLICY) != nil {
			one.policy = uint32(r.number(unix.NFTA_CHAIN_POLICY))
		}
		one.chain = chain{
			name:     r.text(unix.NFTA_CHAIN_NAME),
			kind:     r.text(unix.NFTA_CHAIN_TYPE),
			hook:     uint32(r.number(unix.NFTA_CHAIN_HOOK, unix.NFTA_HOOK_HOOKNUM)),
			priority: int32(uint32(r.number(unix.NFTA_CHAIN_HOOK, unix.NFTA_HOOK_PRIORITY))),
		}
		found = append(found, one)
	})
	return found, err
}

// rawRules returns the rules of a table as the kernel lists them. The handles are in them:
// a rule that another program replaces gets another.
func (s *socket) rawRules(t table) ([]byte, error) {
	var raw []byte
	err := s.rules(t, func(r reply) { raw = append(raw, r.body...) })
	return raw, err
}

// rules calls each for each rule of a table.
func (s *socket) rules(t table, each func(reply)) error {
	return s.query(t.named(unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, "rules of table "+t.name), func(r reply) {
		if t == (table{r.family, r.text(unix.NFTA_RULE_TABLE)}) {
			each(r)
		}
	})
}

// counters returns how many packets the named counters of a table have counted. Named
// objects of other kinds, such as quotas, are among them under a name that no counter has.
func (s *socket) counters(t table) (map[string]uint64, error) {
	question := t.named(unix.NFT_MSG_GETOBJ, unix.NLM_F_DUMP, "counters of table "+t.name)
	found := map[string]uint64{}
	err := s.query(question, func(r reply) {
		name, kind := r.text(unix.NFTA_OBJ_NAME), r.number(unix.NFTA_OBJ_TYPE)
		if kind != objectCounter { // so that fits sees that the table has something else
			name = fmt.Sprintf("%s (kind %d)", name, kind)
		}
		if r.text(unix.NFTA_OBJ_TABLE) == t.name {
			found[name] = r.number(unix.NFTA_OBJ_DATA, unix.NFTA_COUNTER_PACKETS)
		}
	})
	return found, err
}
