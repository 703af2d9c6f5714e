package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// guardFound is what the kernel holds under the name of our table.
type guardFound struct {
	exists   bool
	dormant  bool // the table has the flag dormant: none of its chains is called
	chains   []chainFound
	sets     []setFound
	counters []string
	members  map[string][]member // of our sets
	rules    []byte              // as the kernel lists them
}

// A chainFound is a chain of any table. A base chain is called by a hook and has a kind
// ("filter", "nat", "route"); a chain without a kind is called by rules alone.
type chainFound struct {
	table
	chain
	kind   string
	policy uint32
}

// look reads the table. It reads again when the table changes meanwhile, five times at
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

// lookOnce reads the table once. It takes one question for each kind of object, so somebody
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
		if i := slices.IndexFunc(guardSets, s.is); i < 0 || guardSets[i].dynamic {
			continue // an install leaves alone what rules add
		}
		if found.members[s.name], err = g.socket.members(guardTable, s.name); err != nil {
			return found, err
		}
	}
	if found.rules, err = g.socket.rawRules(guardTable); err != nil {
		return found, err
	}
	counters, err := g.socket.counters(guardTable)
	for name := range counters {
		found.counters = append(found.counters, name)
	}
	return found, err
}

// fits reports whether the table can stay: what it has of ours is defined as we would
// define it, and it has nothing else. The kernel cannot redefine a set or a chain, so one
// that differs, as an older version's may, means a new table.
func (f guardFound) fits() bool {
	for _, c := range f.chains {
		if c.chain != guardChain || c.kind != "filter" || c.policy != verdictAccept {
			return false
		}
	}
	for _, s := range f.sets {
		if !slices.ContainsFunc(guardSets, s.is) {
			return false
		}
	}
	for _, name := range f.counters {
		if !slices.Contains(guardCounters, name) {
			return false
		}
	}
	return true
}

// tableState reports whether a table is there, and whether it is dormant.
func (s *socket) tableState(t table) (exists, dormant bool, err error) {
	err = s.query(t.named(unix.NFT_MSG_GETTABLE, 0, "table "+t.name), func(r netlinkReply) error {
		exists = true
		return r.each(func(ad *netlink.AttributeDecoder) {
			if ad.Type() == unix.NFTA_TABLE_FLAGS {
				dormant = ad.Uint32()&unix.NFT_TABLE_F_DORMANT != 0
			}
		})
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
	err := s.query(question, func(r netlinkReply) error {
		one := chainFound{table: table{family: r.family}, policy: verdictAccept}
		err := r.each(one.take)
		found = append(found, one)
		return err
	})
	return found, err
}

// take reads an attribute of a chain. Only a base chain has a hook, a type and a policy.
func (c *chainFound) take(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.NFTA_CHAIN_TABLE:
		c.table.name = ad.String()
	case unix.NFTA_CHAIN_NAME:
		c.chain.name = ad.String()
	case unix.NFTA_CHAIN_POLICY:
		c.policy = ad.Uint32()
	case unix.NFTA_CHAIN_TYPE:
		c.kind = ad.String()
	case unix.NFTA_CHAIN_HOOK:
		each(ad, func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case unix.NFTA_HOOK_HOOKNUM:
				c.hook = ad.Uint32()
			case unix.NFTA_HOOK_PRIORITY:
				c.priority = ad.Int32()
			}
		})
	}
}

// rawRules returns the rules of a table as the kernel lists them. The handles are in them:
// a rule that somebody replaces gets another.
func (s *socket) rawRules(t table) ([]byte, error) {
	var raw []byte
	err := s.rules(t, func(_ string, r netlinkReply) error {
		raw = append(raw, r.body...)
		return nil
	})
	return raw, err
}

// rules calls each for each rule of a table, with the name of the rule's chain.
func (s *socket) rules(t table, each func(chain string, r netlinkReply) error) error {
	return s.query(t.named(unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, "rules of table "+t.name), func(r netlinkReply) error {
		of := table{family: r.family}
		chain := ""
		err := r.each(func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case unix.NFTA_RULE_TABLE:
				of.name = ad.String()
			case unix.NFTA_RULE_CHAIN:
				chain = ad.String()
			}
		})
		if err != nil || of != t {
			return err
		}
		return each(chain, r)
	})
}

// counters returns how many packets the named counters of a table have counted. Named
// objects of other kinds, such as quotas, are among them under a name that no counter has.
func (s *socket) counters(t table) (map[string]uint64, error) {
	question := t.named(unix.NFT_MSG_GETOBJ, unix.NLM_F_DUMP, "counters of table "+t.name)
	found := map[string]uint64{}
	err := s.query(question, func(r netlinkReply) error {
		of, name, kind, packets := "", "", uint32(0), uint64(0)
		err := r.each(func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case unix.NFTA_OBJ_TABLE:
				of = ad.String()
			case unix.NFTA_OBJ_NAME:
				name = ad.String()
			case unix.NFTA_OBJ_TYPE:
				kind = ad.Uint32()
			case unix.NFTA_OBJ_DATA:
				each(ad, func(ad *netlink.AttributeDecoder) {
					if ad.Type() == unix.NFTA_COUNTER_PACKETS {
						packets = counted(ad.Bytes())
					}
				})
			}
		})
		if kind != objectCounter { // so that fits sees that the table has something else
			name = fmt.Sprintf("%s (kind %d)", name, kind)
		}
		if of == t.name {
			found[name] = packets
		}
		return err
	})
	return found, err
}

// counted reads a number of packets. In an object of another kind the attribute with the
// same number holds something else.
func counted(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
