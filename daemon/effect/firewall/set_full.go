package firewall

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// isFull reports whether nftables refused an element since its set is full: ENFILE, when it has as
// many elements as its size (nft_add_set_elem), or ENOSPC, when its kind of set can hold no more
// (nft_set_pipapo.c). Only the answer to a message can mean that. The same number from
// socket(2) means that there are no descriptors left.
func isFull(refused refusals) bool {
	return len(refused) > 0 && (errors.Is(refused, unix.ENFILE) || errors.Is(refused, unix.ENOSPC))
}

// full returns the error of an element for which its set has no room. It looks at the set once,
// however many elements are refused.
func (c *changer) full(in sourceSet) error {
	if known := c.fullSets[in.name]; known != nil {
		return known
	}
	if c.fullSets == nil {
		c.fullSets = map[string]error{}
	}
	err := c.socket.fullness(in)
	c.fullSets[in.name] = err
	return err
}

// fullness describes how full a set is, as far as it can be read.
func (s *socket) fullness(in sourceSet) *effect.SetFullError {
	result := &effect.SetFullError{Set: in.name, Table: in.table.String()}
	if found, err := s.sets(in.table); err == nil {
		for _, f := range found {
			if f.name == in.name {
				result.Size, result.Raise = f.size, raise(in, f)
			}
		}
	}
	if members, err := s.stableMembers(in.table, in.name); err == nil {
		result.Elements = len(members)
	}
	return result
}

// noteFull notes which sets had no room for an element.
func (s *Sets) noteFull(errs []error) {
	for _, err := range errs {
		if full, ok := errors.AsType[*effect.SetFullError](err); ok {
			for _, in := range s.sets {
				if in.name == full.Set {
					s.refused[in.name] = in
				}
			}
		}
	}
}

// Full returns the sets that had no room for an element, and have none now, ordered by name. It
// reads the kernel for these alone.
func (s *Sets) Full() (all []*effect.SetFullError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.refused)) {
		now := s.socket.fullness(s.refused[name])
		if uint32(now.Elements) < now.Size || now.Size == 0 {
			delete(s.refused, name)
			continue
		}
		all = append(all, now)
	}
	return all
}

// leastSize is the smallest size that is advised.
const leastSize = 1024

// raise returns the line that gives a set of the user a larger size: a definition that differs from
// the one that is there in nothing else changes the size. It is "" for a set of our own, and for
// one without a size.
func raise(in sourceSet, f setFound) string {
	if f.size == 0 || in.table == guardTable {
		return ""
	}
	var flags []string
	for _, flag := range []struct {
		bit  uint32
		name string
	}{{unix.NFT_SET_INTERVAL, "interval"}, {unix.NFT_SET_TIMEOUT, "timeout"}, {unix.NFT_SET_EVAL, "dynamic"}} {
		if f.flags&flag.bit != 0 {
			flags = append(flags, flag.name)
		}
	}
	life := ""
	if f.life > 0 {
		life = fmt.Sprintf(" timeout %ds;", f.life/time.Second)
	}
	return fmt.Sprintf("nft add set %s %s '{ type %s; flags %s;%s size %d; }'",
		in.table, in.name, keyTypes(in.v6)[in.layout].Name, strings.Join(flags, ","), life, larger(f.size))
}

// larger returns a size to advise: some more than a set has that is full now.
func larger(size uint32) uint32 {
	if size > 1<<30 {
		return 1<<32 - 1
	}
	return max(leastSize, 4*size)
}

// String returns the table as nft names it.
func (t table) String() string { return familyName(t.family) + " " + t.name }
