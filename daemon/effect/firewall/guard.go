package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/effect/listing"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// DefaultMark is a bit of the packet mark that neither Kubernetes, Docker, Tailscale nor
// OpenWrt uses: theirs lie in the two middle bytes, or below.
const DefaultMark = 0x10000000

// GuardConfig describes how a [Guard] is made.
type GuardConfig struct {
	// Mark is or-ed into the packet mark of a granted packet, so that chains of others
	// can accept it: an accept of ours ends our chain, and no other (nft(8), VERDICT
	// STATEMENT). 0: [DefaultMark].
	Mark uint32
	// Packets from Trusted networks, and those that arrive on TrustedInterfaces, are
	// never stopped.
	Trusted           []netip.Prefix
	TrustedInterfaces []string
	// Answer is what a guarded port answers without a grant. "", or unknown: [AnswerAuto].
	Answer Answer
	// Daemon means that the caller knows all grants, as a daemon does: see [Guard.Whole].
	Daemon bool
	// Text returns the text of a rule of another program. nil: [listing.Text], which starts the
	// program that prints it.
	Text func(context.Context, listing.Rule) (string, error)
}

// An Answer is how a guarded port answers who has no grant.
type Answer string

const (
	// AnswerAuto lets the port answer as a closed port of this host does. The refused flow is
	// translated to a closed port, so chains of others see it, and decide about the answer.
	AnswerAuto Answer = "auto"
	// AnswerDrop answers nothing.
	AnswerDrop Answer = "drop"
	// AnswerReject answers at once, before other chains, as reject of nft does: TCP with a
	// reset, UDP with an ICMP error.
	AnswerReject Answer = "reject"
)

// A Guard is an [effect.Firewall] with a table of its own, "inet sesame". Its first chain is at
// the hook prerouting, before destination addresses are translated, so it also guards a
// port that is forwarded into a container. Another is at the hook input, and guards a port that
// others are translated to. It stops nothing but packets to guarded ports of this host, and
// packets from them that only claim to be of this host.
//
// All methods may be called while no daemon runs, and from any goroutine; the caller
// orders its own changes. The table outlives the Guard and the process: only
// [Guard.Remove] removes it.
type Guard struct {
	socket *socket
	mark   uint32
	// What the table holds beside guards and elements.
	trusted    []netip.Prefix
	interfaces []string
	answer     Answer
	daemon     bool
	text       func(context.Context, listing.Rule) (string, error)
	bootID     func() (string, error) // which boot this is, read once: see [Guard.Whole]
	chains     []ruledChain

	repairs atomic.Uint64
	cuts    atomic.Int32 // [cutsUnknown] and the other two

	mu       sync.Mutex
	standing standing
	reached  reach.Book
	rules    []byte // as the kernel listed them after we wrote them; nil: not written yet
}

// NewGuard returns a Guard for the network namespace of the thread that first uses it.
func NewGuard(cfg GuardConfig) *Guard {
	g := &Guard{socket: &socket{}, mark: cfg.Mark, trusted: merged(cfg.Trusted), interfaces: slices.Clone(cfg.TrustedInterfaces), daemon: cfg.Daemon, text: cfg.Text}
	if g.text == nil {
		g.text = listing.Text
	}
	g.bootID = sync.OnceValues(readBootID)
	if g.mark == 0 {
		g.mark = DefaultMark
	}
	g.answer = AnswerAuto
	if cfg.Answer == AnswerDrop || cfg.Answer == AnswerReject {
		g.answer = cfg.Answer
	}
	g.chains = guardChains(g.mark, g.answer)
	return g
}

// Close closes the connection to the kernel. The table stays, and guards.
func (g *Guard) Close() error { return g.socket.close() }

// Repairs returns how many installs found a table that differs from the one to install: the
// first one, those with other guards, and those after a change by another program.
func (g *Guard) Repairs() uint64 { return g.repairs.Load() }

// Mark returns the bits of the packet mark that a granted packet has.
func (g *Guard) Mark() uint32 { return g.mark }

// Apply is [effect.Firewall.Apply]. All changes go into one transaction, or a few when
// there are more than 5,000. When one is refused they go into smaller ones, so that each
// change has its own error.
//
// What a source is cut from is written before, and what it is cut from no longer after that. A
// grant counts more than a cut, since its rule comes first. So a crash in between loses no cut,
// and cuts nobody who has a grant.
func (g *Guard) Apply(elements []effect.Element) []error {
	cuts, grants := latest(elements)
	failed := g.changeAllCuts(cuts, nil)
	errs := g.socket.apply(elements, guardEdit)
	errs = withError(elements, errs, cutError(failed), func(e effect.Element) bool { return e.Cut })
	if g.cuts.Load() != noCuts {
		failed = g.changeAllCuts(nil, grants)
		errs = withError(elements, errs, cutError(failed), func(e effect.Element) bool { return e.Remaining > 0 })
	}
	return g.socket.forgetFlows(elements, errs)
}

// guardEdit returns the edit for an element, with the set that it is in. Networks have sets of
// their own: intervals of one set must not overlap, and a single address may lie in a network.
func guardEdit(e effect.Element) (edit, error) {
	p, err := placeOf(e)
	if err != nil {
		return edit{}, err
	}
	for _, s := range heldSets {
		if s.v6 == p.source.Addr().Is6() && s.interval == !p.source.IsSingleIP() && s.observed == p.observed {
			return edit{place: p, in: s, remaining: e.Remaining, grant: e.Grant, door: e.Door}, nil
		}
	}
	return edit{}, fmt.Errorf("no set for %v", p.source)
}

// Elements returns the grants that the kernel holds, ordered by address. There are none
// when there is no table. Elements without an end are left out: we never make one.
func (g *Guard) Elements() ([]effect.Element, error) {
	var all []effect.Element
	err := g.each(grantSets, func(e effect.Element, _ member) {
		if e.Remaining > 0 && e.Port.Proto != packet.NoProto {
			all = append(all, e)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading the grants of the firewall: %w", err)
	}
	slices.SortFunc(all, compare)
	return all, nil
}

// each calls take for each element of these sets. A set that is missing has none.
func (g *Guard) each(sets []sourceSet, take func(effect.Element, member)) error {
	for _, s := range sets {
		members, err := g.socket.stableMembers(guardTable, s.name)
		if err != nil && !errors.Is(err, effect.ErrGone) {
			return err
		}
		for _, m := range members {
			if e, _ := s.element(m); e.Port.Number != 0 {
				take(e, m)
			}
		}
	}
	return nil
}

// GrantDirectly gives a grant for ttl while no daemon runs. A daemon that starts later
// adopts it. Access that already lasts longer is left alone. The error is
// [effect.ErrGone] when there is no table, and so nothing is guarded.
func (g *Guard) GrantDirectly(source netip.Prefix, port packet.Port, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("grant for %v: expected a time above zero", ttl)
	}
	e := effect.Element{Source: source, Port: port, Remaining: ttl}
	change, err := guardEdit(e)
	if err != nil {
		return err
	}
	was, err := g.socket.member(guardTable, change.in.name, change.in.key(change.place)[0])
	if err != nil {
		return err
	}
	if was != nil && (was.expires == 0 || was.expires > ttl) {
		return nil
	}
	return errors.Join(g.Apply([]effect.Element{e})...)
}

// Remove removes the table: what was guarded is open, unless chains of others drop it.
// It reports whether there was a table.
func (g *Guard) Remove() (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = nil
	err := g.socket.transact([]message{guardTable.remove()})
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing the firewall's table: %w", err)
	}
	return true, nil
}

// merged returns networks without those that lie in others, since intervals of a set
// must not overlap. IPv4 networks that are written as IPv6 ones become IPv4.
func merged(networks []netip.Prefix) []netip.Prefix {
	var all []netip.Prefix
	for _, n := range networks {
		all = append(all, unmapped(n).Masked())
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	apart := all[:0]
	for _, n := range all {
		if len(apart) == 0 || !apart[len(apart)-1].Overlaps(n) { // the wider one came first
			apart = append(apart, n)
		}
	}
	return apart
}
