package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// cutError says what an error of [Guard.changeAllCuts] means.
func cutError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("cutting sessions: %w: %w", effect.ErrGone, err)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("cutting sessions: %d sources, or %d networks, were cut in the last %v, and more are not remembered: %w", cutSize, cutNetworksSize, cutLife, effect.ErrSetFull)
	}
	return fmt.Errorf("cutting sessions: %w", err)
}

// changeAllCuts makes the kernel remember which sources are cut, and forget it for those that have
// a grant again. It changes the cut sets in one transaction, or in some when there are more than
// 5,000 changes.
func (g *Guard) changeAllCuts(cuts, grants []place) error {
	if len(cuts)+len(grants) == 0 {
		return nil
	}
	if len(cuts)+len(grants) <= maxEdits {
		return g.tryCuts(cuts, grants)
	}
	var errs []error
	for part := range slices.Chunk(cuts, maxEdits) {
		errs = append(errs, g.tryCuts(part, nil))
	}
	for part := range slices.Chunk(grants, maxEdits) {
		errs = append(errs, g.tryCuts(nil, part))
	}
	return errors.Join(errs...)
}

// tryCuts is changeCuts, again when an element ended by itself since it looked.
func (g *Guard) tryCuts(cuts, grants []place) (err error) {
	for range tries {
		err = g.changeCuts(cuts, grants)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, errInterrupted) {
			break
		}
	}
	return err
}

// latest returns the places whose last change cuts, and those whose last change gives access.
func latest(elements []effect.Element) (cuts, grants []place) {
	last := make(map[place]int, len(elements))
	for i, e := range elements {
		if p, err := placeOf(e); err == nil && !e.Observed {
			last[p] = i
		}
	}
	for i, e := range elements {
		p, err := placeOf(e)
		switch {
		case err != nil || e.Observed || last[p] != i:
		case e.Remaining > 0:
			grants = append(grants, p)
		case e.Cut:
			cuts = append(cuts, p)
		}
	}
	return cuts, grants
}

// withError adds an error to those of the elements that it is about.
func withError(elements []effect.Element, errs []error, err error, about func(effect.Element) bool) []error {
	if err == nil {
		return errs
	}
	if errs == nil {
		errs = make([]error, len(elements))
	}
	for i, e := range elements {
		if about(e) {
			errs[i] = cmp.Or(errs[i], err)
		}
	}
	return errs
}

// What is known of the cuts in the kernel. An earlier daemon may have left some.
const (
	cutsUnknown = iota
	noCuts
	someCuts // there may be some
)

// manyGrants is how many elements are looked up one by one. For more the set is read, which takes
// some 10 ms for 10,000 elements.
const manyGrants = 100

// changeCuts changes the cut sets in one transaction.
func (g *Guard) changeCuts(cuts, grants []place) error {
	readAll := g.cuts.Load() == cutsUnknown || len(grants) > manyGrants ||
		slices.ContainsFunc(grants, func(p place) bool { return !p.source.IsSingleIP() })
	if len(cuts) > 0 {
		g.cuts.Store(someCuts)
	}
	var batch []message
	held := 0
	for _, s := range cutSets {
		members, err := g.cutMembers(s, grants, readAll)
		if err != nil {
			return err
		}
		held += len(members)
		if s.interval {
			batch = append(batch, networkChanges(s, members, cuts, grants)...)
		} else {
			batch = append(batch, addressChanges(s, members, cuts, grants)...)
		}
	}
	if err := g.socket.transact(batch); err != nil {
		return err
	}
	switch {
	case held > 0 || len(cuts) > 0:
		g.cuts.Store(someCuts)
	case readAll:
		g.cuts.Store(noCuts)
	}
	return nil
}

// cutMembers reads a cut set: all of it, or of addresses those that get a grant. It is empty when
// it is not there: then the change of the set fails, if there is one.
func (g *Guard) cutMembers(s sourceSet, grants []place, all bool) (members []member, err error) {
	if all || s.interval {
		if members, err = g.socket.stableMembers(guardTable, s.name); errors.Is(err, effect.ErrGone) {
			err = nil
		}
		return members, err
	}
	for _, p := range grants {
		if p.source.Addr().Is6() != s.v6 {
			continue
		}
		found, err := g.socket.member(guardTable, s.name, s.key(p)[0])
		if err != nil {
			return nil, err
		}
		if found != nil {
			members = append(members, *found)
		}
	}
	return members, nil
}

// addressChanges returns the changes of a set of addresses. Its members may be those alone that a
// single address has a grant for.
func addressChanges(s sourceSet, members []member, cuts, grants []place) []message {
	granted, networks := map[string]bool{}, []place(nil)
	for _, p := range grants {
		if p.source.IsSingleIP() && p.source.Addr().Is6() == s.v6 {
			granted[string(s.key(p)[0].key)] = true
		} else {
			networks = append(networks, p)
		}
	}
	var ended, begun []member
	for _, m := range members {
		e, _ := s.element(m)
		if granted[string(m.key)] || slices.ContainsFunc(networks, func(p place) bool { return p.port == e.Port && p.source.Contains(e.Source.Addr()) }) {
			ended = append(ended, member{key: m.key})
		}
	}
	for _, p := range cuts {
		if p.source.Addr().Is6() == s.v6 && p.source.IsSingleIP() {
			begun = append(begun, s.member(p, cutLife, 0, "")...)
		}
	}
	return slices.Concat(guardTable.change(unix.NFT_MSG_DELSETELEM, s.name, ended), s.renew(begun))
}

// A span is a range of addresses that is cut at a port. It begins as a network, and loses what
// gets a grant.
type span struct {
	netipx.IPRange
	port packet.Port
	left time.Duration // until the kernel forgets it
}

// networkChanges returns the changes of a set of networks: all that differ are removed, then added.
func networkChanges(s sourceSet, members []member, cuts, grants []place) []message {
	var before []span
	for _, m := range members {
		if e, _ := s.element(m); len(m.end) > 0 {
			width := e.Source.Addr().BitLen() / 8
			before = append(before, span{netipx.IPRangeFrom(addressOf(m.key[:width]), addressOf(m.end[:width])), e.Port, m.expires})
		}
	}
	after := slices.Clone(before)
	for _, p := range cuts {
		if p.source.Addr().Is6() == s.v6 && !p.source.IsSingleIP() {
			after = cutNetwork(after, p)
		}
	}
	for _, p := range grants {
		if p.source.Addr().Is6() == s.v6 {
			after = uncutNetwork(after, p)
		}
	}
	batch := guardTable.change(unix.NFT_MSG_DELSETELEM, s.name, s.spans(missing(before, after), false))
	return append(batch, guardTable.change(unix.NFT_MSG_NEWSETELEM, s.name, s.spans(missing(after, before), true))...)
}

// missing returns the spans that are not among others.
func missing(spans, others []span) []span {
	return slices.DeleteFunc(slices.Clone(spans), func(one span) bool { return slices.Contains(others, one) })
}

// cutNetwork adds a network. The kernel refuses ranges that overlap, so it is joined with those.
func cutNetwork(spans []span, p place) []span {
	joined := span{netipx.RangeOfPrefix(p.source), p.port, cutLife}
	rest := slices.DeleteFunc(slices.Clone(spans), func(one span) bool {
		if one.port != p.port || !one.Overlaps(joined.IPRange) {
			return false
		}
		from, to := joined.From(), joined.To()
		if one.From().Less(from) {
			from = one.From()
		}
		if to.Less(one.To()) {
			to = one.To()
		}
		joined.IPRange = netipx.IPRangeFrom(from, to)
		return true
	})
	return append(rest, joined)
}

// uncutNetwork removes the addresses of a grant from all spans.
func uncutNetwork(spans []span, p place) []span {
	var rest []span
	gone := netipx.RangeOfPrefix(p.source)
	for _, one := range spans {
		if one.port != p.port || !one.Overlaps(gone) {
			rest = append(rest, one)
			continue
		}
		for _, side := range []netipx.IPRange{netipx.IPRangeFrom(one.From(), gone.From().Prev()), netipx.IPRangeFrom(gone.To().Next(), one.To())} {
			if side.IsValid() {
				rest = append(rest, span{side, one.port, one.left})
			}
		}
	}
	return rest
}

// spans returns spans as members of a set.
func (s sourceSet) spans(all []span, withEnds bool) []member {
	var members []member
	for _, one := range all {
		m := member{key: s.keyOf(one.From(), one.port), end: s.keyOf(one.To(), one.port)}
		if withEnds {
			m.timeout = one.left
		}
		members = append(members, m)
	}
	return members
}
