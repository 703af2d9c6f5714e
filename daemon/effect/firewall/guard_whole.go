package firewall

import (
	"fmt"
	"hash/fnv"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// restoredMark begins the name of a counter that counts nothing. A daemon makes it when it has
// installed its grants. Its name ends with a number of this boot and of the handle that the
// kernel gave the table: who saves the ruleset and loads it again makes another table, in which
// the saved counter marks nothing.
const restoredMark = "restored_"

// tableHandle is NFTA_TABLE_HANDLE of linux/netfilter/nf_tables.h.
const tableHandle = 4

// Whole is [effect.Firewall.Whole]. The table that is loaded at boot, or by a person without a
// daemon, has no mark, and what removes the table removes the mark.
func (g *Guard) Whole() (bool, error) {
	mark, err := g.wholeMark()
	if err != nil || mark == "" {
		return false, err
	}
	counters, err := g.socket.counters(guardTable)
	_, whole := counters[mark]
	return whole, err
}

// wholeMark returns the name that the mark of the table must have; empty: there is no table.
func (g *Guard) wholeMark() (string, error) {
	handle := uint64(0)
	exists, _, err := g.socket.tableState(guardTable, &handle)
	if err != nil || !exists {
		return "", err
	}
	boot, err := g.bootID()
	if err != nil {
		return "", err
	}
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, boot, " ", handle)
	return fmt.Sprintf("%s%016x", restoredMark, sum.Sum64()), nil
}

// readBootID returns what the kernel calls this boot; see random(4). It is read once, at the
// start: a repair must not fail because no file descriptor is left.
func readBootID() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading which boot this is: %w", err)
	}
	return strings.TrimSpace(string(boot)), nil
}

// markWhole marks the table, whose counters were these before the install, and takes away the
// marks of other tables.
func (g *Guard) markWhole(counters map[string]uint64) error {
	if !g.daemon {
		return nil
	}
	mark, err := g.wholeMark()
	if err != nil || mark == "" {
		return err
	}
	var batch []message
	for name := range counters {
		if strings.HasPrefix(name, restoredMark) && name != mark {
			batch = append(batch, guardTable.addCounter(name))
		}
	}
	batch = deleting(batch)
	for i := range batch {
		batch[i].kind = unix.NFT_MSG_DELOBJ
	}
	if _, made := counters[mark]; !made {
		batch = append(batch, guardTable.addCounter(mark))
	}
	if len(batch) == 0 {
		return nil
	}
	return g.socket.transact(batch)
}
