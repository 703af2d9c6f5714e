package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

const (
	// endTolerance is how far the end of an element may be from the wanted one and still
	// be right. The kernel counts in ticks, and time passes between its answer and our
	// comparison.
	endTolerance = 200 * time.Millisecond
	// maxInstalled is how many changes of elements go into the transaction of an install.
	// It is more than [maxEdits], so that a repair of a usual host is one transaction.
	maxInstalled = 20_000
)

// Install is [effect.Firewall.Install]. What is right stays as it is, elements and counters
// included. What is in our table and is not ours is removed. When everything is right
// already, nothing is changed.
//
// A port that is guarded before and after is never open in between: all happens in one
// transaction, except the changes of elements beyond 20,000, which follow. A port that is
// both in Drop and in Count is dropped.
func (g *Guard) Install(guards effect.Guards, elements []effect.Element) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	for range tries {
		err = g.install(guards, elements)
		// Otherwise another program changed what we had just read, or an element expired.
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, errInterrupted) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("installing the guard: %w: it needs root, or CAP_NET_ADMIN", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("installing the guard: %w: %s", err, g.needs())
	}
	return fmt.Errorf("installing the guard: %w", err)
}

// needs says what the kernel must have, for people.
func (g *Guard) needs() string {
	needed := "expected Linux 5.10 or later with nf_tables, nft_ct, nft_fib and nf_conntrack"
	if g.answer != AnswerDrop {
		needed += `; firewall.answer = "` + string(g.answer) + `" also needs nft_reject, and "auto" nft_chain_nat and nft_socket: with answer = "drop" below [firewall] the guard needs none of these`
	}
	return needed
}

func (g *Guard) install(guards effect.Guards, elements []effect.Element) error {
	found, err := g.look()
	if err != nil {
		return err
	}
	var batch []message
	if found.exists && !found.fits(g.chains) {
		batch = append(batch, guardTable.remove())
		found = guardFound{}
	}
	batch = append(batch, missingParts(found)...)
	batch = append(batch, g.memberChanges(found, guards)...)
	batch = append(batch, foreignElements(found)...)
	// Containers come and go, and tables of iptables-legacy: that is no repair.
	inner := append(g.innerChanges(found, guards), quietChanges(found)...)
	standing, flows := g.standing.with(g.socket, found, guards)
	batch = append(batch, flows...)
	edits, err := guardDifferences(found, elements)
	if err != nil {
		return err
	}
	// To remove an element is no repair: it may have been about to expire.
	repairs := len(batch) > 0 || slices.ContainsFunc(edits, func(e edit) bool { return e.remaining > 0 })
	// The first part goes with the rest of the table, so that no packet meets the rules
	// without the elements.
	now, later := edits[:min(len(edits), maxInstalled)], edits[min(len(edits), maxInstalled):]
	changes, _ := write(now)
	batch = append(batch, changes...)
	rules := g.ruleChanges(found)
	if err := g.socket.transact(slices.Concat(batch, inner, rules)); err != nil {
		return err
	}
	g.standing = standing
	if repairs || len(rules) > 0 {
		g.repairs.Add(1)
	}
	if len(rules) > 0 {
		// The kernel adds to what we wrote, so what it lists is the base of comparison.
		if g.rules, err = g.socket.rawRules(guardTable); err != nil {
			return err
		}
	}
	if err := g.socket.change(later); err != nil {
		return err
	}
	return g.markWhole(found.counters)
}

// missingParts returns messages that create the missing parts, and that end the flag dormant
// of the table: the kernel calls none of the chains of a dormant table.
func missingParts(found guardFound) []message {
	var batch []message
	if !found.exists || found.dormant {
		batch = append(batch, guardTable.add(found.exists))
	}
	for _, name := range guardCounters {
		if _, ok := found.counters[name]; !ok {
			batch = append(batch, guardTable.addCounter(name))
		}
	}
	for i, s := range guardSets {
		if !slices.ContainsFunc(found.sets, func(f setFound) bool { return f.name == s.name }) {
			batch = append(batch, guardTable.addSet(s, uint32(i+1)))
		}
	}
	return batch
}

// memberChanges returns messages that put the right ports, networks and interfaces into
// the sets that the rules read. A port that stays is not touched.
func (g *Guard) memberChanges(found guardFound, guards effect.Guards) []message {
	counted := slices.DeleteFunc(slices.Clone(guards.Count), func(p packet.Port) bool { return slices.Contains(guards.Drop, p) })
	closed, asked, standIns := closedMembers(guards.Drop, counted)
	var batch []message
	for _, s := range []struct {
		name   string
		wanted []member
	}{
		{"closed", closed},
		{"asked", asked},
		{"stand_ins", standIns},
		{"guarded", portMembers(guards.Drop)},
		{"watched", portMembers(counted)},
		{"interfaces", interfaceMembers(g.interfaces)},
	} {
		have := ordered(found.members[s.name])
		batch = append(batch, guardTable.change(unix.NFT_MSG_DELSETELEM, s.name, without(have, s.wanted))...)
		batch = append(batch, guardTable.change(unix.NFT_MSG_NEWSETELEM, s.name, without(s.wanted, have))...)
	}
	for _, s := range []struct {
		name string
		v6   bool
	}{{"trusted4", false}, {"trusted6", true}} {
		wanted, have := networkMembers(g.trusted, s.v6), ordered(found.members[s.name])
		if slices.EqualFunc(wanted, have, func(a, b member) bool { return compareMembers(a, b) == 0 }) {
			continue
		}
		// A network is two members, its beginning and its end, and neighbours share one: see
		// networkMembers. So all of them are replaced.
		if len(have) > 0 {
			batch = append(batch, guardTable.flushSet(s.name))
		}
		batch = append(batch, guardTable.change(unix.NFT_MSG_NEWSETELEM, s.name, wanted)...)
	}
	return batch
}

// innerChanges returns messages that put the ports of containers into their set which guarded UDP
// ports lead to. Where the rules of others cannot be read, the set stays.
func (g *Guard) innerChanges(found guardFound, guards effect.Guards) []message {
	translations, err := g.Translations()
	if err != nil {
		return nil
	}
	var ports []packet.Port
	for _, t := range translations {
		if t.Outer.Proto == packet.UDP && slices.Contains(guards.Drop, t.Outer) {
			ports = append(ports, t.Inner)
		}
	}
	wanted, have := portMembers(ports), ordered(found.members["inner"])
	return append(guardTable.change(unix.NFT_MSG_DELSETELEM, "inner", without(have, wanted)),
		guardTable.change(unix.NFT_MSG_NEWSETELEM, "inner", without(wanted, have))...)
}

// without returns the members that are not among others. Both are sorted.
func without(members, others []member) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool {
		_, found := slices.BinarySearchFunc(others, m, compareMembers)
		return found
	})
}

// guardDifferences returns what must change so that the kernel holds these elements and no
// others.
func guardDifferences(found guardFound, elements []effect.Element) ([]edit, error) {
	wanted := make(map[place]edit, len(elements))
	for _, e := range elements {
		wish, err := guardEdit(e)
		if err != nil {
			return nil, err
		}
		wanted[wish.place] = wish
	}
	var edits []edit
	for _, in := range heldSets {
		edits = append(edits, differences(in, found.members[in.name], wanted, in.place)...)
	}
	for _, wish := range wanted {
		if wish.remaining > 0 {
			edits = append(edits, wish)
		}
	}
	return edits, nil
}

// foreignElements returns messages that remove from the sets of grants what cannot be
// ours, such as a range that is no network.
func foreignElements(found guardFound) []message {
	var batch []message
	for _, in := range heldSets {
		for _, m := range found.members[in.name] {
			if _, made := in.place(m); !made {
				batch = append(batch, in.table.change(unix.NFT_MSG_DELSETELEM, in.name, []member{{key: m.key, end: m.end}})...)
			}
		}
	}
	return batch
}

// ruleChanges returns messages that write the rules of all chains again, unless the kernel still
// lists what we wrote. The comparison is byte by byte, with the rules' handles: the kernel
// gives a replaced rule a new handle. After a restart there is nothing to compare with, so
// the rules are written once.
func (g *Guard) ruleChanges(found guardFound) []message {
	if len(found.chains) == len(g.chains) && g.rules != nil && bytes.Equal(found.rules, g.rules) {
		return nil
	}
	var batch []message
	for _, c := range g.chains {
		if slices.ContainsFunc(found.chains, func(f chainFound) bool { return f.chain == c.chain }) {
			batch = append(batch, guardTable.flushChain(c.name))
		} else {
			batch = append(batch, guardTable.addChain(c.chain))
		}
	}
	for _, c := range g.chains {
		for _, r := range c.rules {
			batch = append(batch, guardTable.addRule(c.name, r))
		}
	}
	return batch
}
