package firewall

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// An edit is one change of what the kernel holds at a place.
type edit struct {
	place
	asked     packet.Port // of the element: the place lacks what the keys of its set lack
	in        sourceSet
	remaining time.Duration // zero or less: the element is removed
	grant     uint64
	door      string
	at        int // index of its error in [changer.errs]
}

// maxEdits is how many changes go into one transaction. It bounds the memory of a
// batch, which is some 300 bytes for a change, and how long the kernel holds the lock
// under which all of nftables changes.
const maxEdits = 5000

// A changer applies edits in as few transactions as possible, and stores the error of
// each that fails.
type changer struct {
	socket   *socket
	errs     []error
	fullSets map[string]error // of sets that were found full, by their names
}

// apply is [effect.Firewall.Apply]. editOf returns the edit for an element; one that is in no
// set changes nothing. Of several changes of one place only the last is sent, since removals
// are sent before additions whatever their order was. All of them are answered with its error.
func (s *socket) apply(elements []effect.Element, editOf func(effect.Element) (edit, error)) []error {
	c := changer{socket: s, errs: make([]error, len(elements))}
	places := make([]place, len(elements))
	last := make(map[place]int, len(elements))
	edits := make([]edit, 0, len(elements))
	for i, e := range elements {
		var change edit
		if change, c.errs[i] = editOf(e); c.errs[i] == nil && change.in.name != "" {
			change.at, change.asked, places[i] = i, e.Port, change.place
			last[change.place] = i
			edits = append(edits, change)
		}
	}
	c.change(slices.DeleteFunc(edits, func(e edit) bool { return last[e.place] != e.at }))
	for i, p := range places {
		if at, ok := last[p]; ok {
			c.errs[i] = c.errs[at]
		}
	}
	if slices.ContainsFunc(c.errs, func(err error) bool { return err != nil }) {
		return c.errs
	}
	return nil
}

// change applies any number of edits, and returns their errors as one.
func (s *socket) change(edits []edit) error {
	c := changer{socket: s, errs: make([]error, len(edits))}
	for i := range edits {
		edits[i].at = i
	}
	c.change(edits)
	return errors.Join(c.errs...)
}

// differences returns edits after which a set that has these members holds what is wanted of
// it, and no others of ours. What is right already, and what is removed, is taken out of
// wanted. An element is right when its comment names the same grant and it ends at the same
// time. placeOf returns the place of a member, and false for one that is not ours.
func differences(in sourceSet, members []member, wanted map[place]edit, placeOf func(member) (place, bool)) []edit {
	var edits []edit
	for _, m := range members {
		p, ours := placeOf(m)
		wish, ok := wanted[p]
		switch {
		case !ours:
		case !ok || wish.remaining <= 0:
			edits = append(edits, edit{place: p, in: in})
			delete(wanted, p)
		case (wish.remaining-m.expires).Abs() <= endTolerance && m.timeout > 0 && m.comment == comment(wish.grant, wish.door):
			delete(wanted, p)
		}
	}
	return edits
}

// change applies any number of edits.
func (c *changer) change(edits []edit) {
	for part := range slices.Chunk(edits, maxEdits) {
		c.transact(part)
	}
}

// transact applies edits in one transaction. The kernel does all of a transaction or
// nothing, so when it refuses an edit for what the edit is, the halves are tried
// alone: n edits of which one is bad take 2 log2(n) transactions.
func (c *changer) transact(edits []edit) {
	for len(edits) > 0 {
		batch, removals := write(edits)
		err := c.socket.transact(batch)
		if err == nil {
			return
		}
		refused, _ := errors.AsType[refusals](err)
		missing := absent(refused, removals)
		switch {
		case len(missing) > 0: // another program removed it, or it expired: without it once more
			edits = slices.DeleteFunc(slices.Clone(edits), func(e edit) bool { return missing[e.at] })
			continue
		case errors.Is(err, unix.ENOENT) && !theirOwn(refused):
			c.fail(edits, fmt.Errorf("%w: %w", effect.ErrGone, err))
		case !theirOwn(refused):
			c.fail(edits, fmt.Errorf("changing the firewall: %w", err))
		case len(edits) == 1:
			c.fail(edits, c.explain(edits[0], refused))
		default:
			half := len(edits) / 2
			c.transact(edits[:half])
			c.transact(edits[half:])
		}
		return
	}
}

func (c *changer) fail(edits []edit, err error) {
	for _, e := range edits {
		c.errs[e.at] = err
	}
}

// absent returns the edits that were refused since they removed what was not there,
// by the index of their errors.
func absent(refused refusals, removals map[int]int) map[int]bool {
	missing := map[int]bool{}
	for _, r := range refused {
		if at, ok := removals[r.at]; ok && r.err == unix.ENOENT {
			missing[at] = true
		}
	}
	return missing
}

// theirOwn reports whether a refusal may be due to one edit among many. Other errors, such as no
// memory, no privilege or no descriptor for a socket, would meet each half as well. An element that
// was refused is missing when a later message of the batch deletes it, so ENOENT beside such an
// error does not mean that the table is gone.
func theirOwn(refused refusals) bool {
	for _, errno := range []error{unix.EEXIST, unix.ENOTEMPTY, unix.EINVAL, unix.ERANGE, unix.ENFILE, unix.ENOSPC, unix.EMSGSIZE} {
		if len(refused) > 0 && errors.Is(refused, errno) {
			return true
		}
	}
	return false
}

// explain returns the error of an edit that was refused alone.
func (c *changer) explain(e edit, refused refusals) error {
	subject := e.source.String()
	if e.source.IsSingleIP() {
		subject = e.source.Addr().String()
	}
	if e.asked.Number != 0 {
		subject += " to " + e.asked.String()
	}
	switch {
	case isFull(refused):
		return c.full(e.in)
	case errors.Is(refused, unix.EEXIST) || errors.Is(refused, unix.ENOTEMPTY):
		return fmt.Errorf("%s: it overlaps a network that has access already: end that one first (%w)", subject, refused)
	}
	return fmt.Errorf("%s: %w", subject, refused)
}

// write returns the messages of edits: first what is removed, then what is added, so
// that a network can take the place of those inside it. In removals are the messages
// that remove one element which may be gone already, each with the index of its edit's
// error.
func write(edits []edit) (batch []message, removals map[int]int) {
	removals = map[int]int{}
	for _, in := range setsOf(edits) {
		var going []member
		for _, e := range edits {
			switch {
			case e.in != in || e.remaining > 0:
			case in.interval:
				// It cannot be added first, as below: a wider network may be there, and the
				// kernel refuses intervals that overlap (nft_set_pipapo.c, nft_set_rbtree.c).
				removals[len(batch)] = e.at
				batch = append(batch, in.table.change(unix.NFT_MSG_DELSETELEM, in.name, in.key(e.place))...)
			default:
				going = append(going, in.member(e.place, time.Hour, e.grant, e.door)...)
			}
		}
		// Removing what is not there fails, and aborts the whole transaction. Adding it
		// first makes it certain that it is there. The kernel keeps an existing element
		// as it is, so this harms nothing.
		add := in.table.change(unix.NFT_MSG_NEWSETELEM, in.name, going)
		batch = append(append(batch, add...), deleting(add)...)
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

// renew returns messages after which members are there with their time-outs, whether
// they were there before or not. To add one that exists would leave its old end: the
// kernel updates time-outs only since Linux 6.12. The transaction takes effect as a
// whole, so no packet finds the element missing.
func (s sourceSet) renew(members []member) []message {
	add := s.table.change(unix.NFT_MSG_NEWSETELEM, s.name, members)
	return slices.Concat(add, deleting(add), add)
}

// deleting returns messages that delete what these add. Only their kind differs.
func deleting(messages []message) []message {
	messages = slices.Clone(messages)
	for i := range messages {
		messages[i].kind = unix.NFT_MSG_DELSETELEM
	}
	return messages
}

// setsOf returns the sets that edits are in, each once.
func setsOf(edits []edit) []sourceSet {
	var sets []sourceSet
	for _, e := range edits {
		if !slices.Contains(sets, e.in) {
			sets = append(sets, e.in)
		}
	}
	return sets
}
