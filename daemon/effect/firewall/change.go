package firewall

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// An edit is one change of what the kernel holds at a place.
type edit struct {
	place
	in        sourceSet
	remaining time.Duration // zero and less: it goes
	grant     uint64
	door      string
	at        int // index of the error to answer with
}

// maxEdits is how many changes go into one transaction.
const maxEdits = 5000

// A changer carries edits out, as few transactions as it can, and notes an error
// for each that fails.
type changer struct {
	socket *socket
	// find returns the set for a place, or why there is none.
	find func(place) (sourceSet, error)
	errs []error
}

// apply is [effect.Firewall.Apply] for both modes.
func (c *changer) apply(elements []effect.Element) []error {
	c.errs = make([]error, len(elements))
	edits := make([]edit, 0, len(elements))
	last := make(map[place]int, len(elements)) // index in edits
	same := make([]int, len(elements))         // the later change of the same place, which answers for this one
	for i, e := range elements {
		same[i] = i
		p, err := placeOf(e)
		if err == nil {
			var in sourceSet
			if in, err = c.find(p); err == nil {
				if was, ok := last[p]; ok {
					same[edits[was].at] = i
					edits[was].at = -1
				}
				last[p] = len(edits)
				edits = append(edits, edit{p, in, e.Remaining, e.Grant, e.Door, i})
			}
		}
		c.errs[i] = err
	}
	edits = slices.DeleteFunc(edits, func(e edit) bool { return e.at < 0 })
	c.carryOut(edits)
	for i := len(elements) - 1; i >= 0; i-- {
		c.errs[i] = c.errs[same[i]]
	}
	if slices.ContainsFunc(c.errs, func(err error) bool { return err != nil }) {
		return c.errs
	}
	return nil
}

// carryOut carries edits out, each of which notes its own error.
func (c *changer) carryOut(edits []edit) {
	for part := range slices.Chunk(edits, maxEdits) {
		c.do(part)
	}
}

// do carries edits out in one transaction, and in smaller ones when some of them
// are refused for what they are.
func (c *changer) do(edits []edit) {
	for len(edits) > 0 {
		batch, removals := write(edits)
		err := c.socket.transact(batch)
		if err == nil {
			return
		}
		refused, _ := errors.AsType[refusals](err)
		missing := absent(refused, removals)
		switch {
		case len(missing) > 0: // somebody, or the time, was faster
			edits = slices.DeleteFunc(slices.Clone(edits), func(e edit) bool { return missing[e.at] })
			continue
		case errors.Is(err, unix.ENOENT):
			c.fail(edits, fmt.Errorf("%w: %w", effect.ErrGone, err))
		case !theirOwn(err):
			c.fail(edits, fmt.Errorf("changing the firewall: %w", err))
		case len(edits) == 1:
			c.fail(edits, fmt.Errorf("%v to %v: %w", edits[0].source, edits[0].port, explain(err)))
		default:
			half := len(edits) / 2
			c.do(edits[:half])
			c.do(edits[half:])
		}
		return
	}
}

func (c *changer) fail(edits []edit, err error) {
	for _, e := range edits {
		c.errs[e.at] = err
	}
}

// absent returns the edits, by the index of their errors, that removed what was
// not there.
func absent(refused refusals, removals map[int]int) map[int]bool {
	missing := map[int]bool{}
	for _, r := range refused {
		if at, ok := removals[r.at]; ok && r.err == unix.ENOENT {
			missing[at] = true
		}
	}
	return missing
}

// theirOwn reports whether a refusal may be due to one of many edits.
func theirOwn(err error) bool {
	for _, errno := range []error{unix.EEXIST, unix.ENOTEMPTY, unix.EINVAL, unix.ERANGE, unix.ENFILE, unix.ENOSPC, unix.EMSGSIZE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func explain(err error) error {
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("it overlaps a network that has access already: end that one first (%w)", err)
	}
	return err
}

// write returns the messages that carry edits out: first what goes, then what
// comes, so that a network can take the place of those inside it. It also returns
// which messages remove one thing that may be gone already, and whose edit each
// of them is.
func write(edits []edit) (batch []message, removals map[int]int) {
	removals = map[int]int{}
	for _, in := range setsOf(edits) {
		var going []member
		for _, e := range edits {
			switch {
			case e.in != in || e.remaining > 0:
			case in.interval:
				// One cannot be put there first, as below, where a wider network is.
				removals[len(batch)] = e.at
				batch = append(batch, in.table.change(unix.NFT_MSG_DELSETELEM, in.name, in.key(e.place))...)
			default:
				going = append(going, in.member(e.place, time.Hour, e.grant, e.door)...)
			}
		}
		// Removing what is not there would undo the whole transaction.
		batch = append(batch, in.table.change(unix.NFT_MSG_NEWSETELEM, in.name, going)...)
		batch = append(batch, in.table.change(unix.NFT_MSG_DELSETELEM, in.name, going)...)
	}
	for _, in := range setsOf(edits) {
		var coming []member
		for _, e := range edits {
			if e.in == in && e.remaining > 0 {
				coming = append(coming, in.member(e.place, e.remaining, e.grant, e.door)...)
			}
		}
		batch = append(batch, in.renew(coming)...)
	}
	return batch, removals
}

// renew returns messages after which members are there with their times, whether
// they were before or not: the kernel does not change the end of one that it has.
func (s sourceSet) renew(members []member) []message {
	return slices.Concat(
		s.table.change(unix.NFT_MSG_NEWSETELEM, s.name, members),
		s.table.change(unix.NFT_MSG_DELSETELEM, s.name, members),
		s.table.change(unix.NFT_MSG_NEWSETELEM, s.name, members))
}

func setsOf(edits []edit) []sourceSet {
	var sets []sourceSet
	for _, e := range edits {
		if !slices.Contains(sets, e.in) {
			sets = append(sets, e.in)
		}
	}
	return sets
}
