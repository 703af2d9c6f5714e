package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// DefaultMark is a bit that neither Kubernetes, Docker, Tailscale nor OpenWrt
// uses: theirs lie in the two middle bytes, or below.
const DefaultMark = 0x10000000

// GuardConfig says how a [Guard] is made.
type GuardConfig struct {
	// Mark is or-ed into the mark of a granted packet, so that other chains can
	// accept it; 0: [DefaultMark].
	Mark uint32
	// Trusted and TrustedInterfaces are never stopped.
	Trusted           []netip.Prefix
	TrustedInterfaces []string
}

// A Guard is a [Firewall] with a table of its own, "inet sesame". Its chain stands
// at prerouting, before addresses are translated, so that it guards what is
// forwarded into a container as well. It stops nothing but packets to guarded
// ports of this host.
//
// All of its methods may be called without a daemon, and, but for the order of
// changes, from any goroutine. The table outlives the Guard: nothing but Remove
// takes it away.
type Guard struct {
	socket *socket
	mark   uint32
	wanted guardWanted

	repairs atomic.Uint64

	mu    sync.Mutex
	rules []byte // as the kernel listed them after we wrote them; nil: not yet
}

// guardWanted is what the table holds beside guards and elements.
type guardWanted struct {
	trusted    []netip.Prefix
	interfaces []string
}

// NewGuard returns a Guard of the network namespace in which it is first used.
func NewGuard(cfg GuardConfig) *Guard {
	g := &Guard{socket: &socket{}, mark: cfg.Mark, wanted: guardWanted{merged(cfg.Trusted), slices.Clone(cfg.TrustedInterfaces)}}
	if g.mark == 0 {
		g.mark = DefaultMark
	}
	return g
}

// Close closes the connection to the kernel. The guard stays.
func (g *Guard) Close() error { return g.socket.close() }

// Repairs returns how many installs found something else than they were to make:
// the first one, those of other guards, and those after somebody else's change.
func (g *Guard) Repairs() uint64 { return g.repairs.Load() }

// Mark returns the bits that a granted packet carries.
func (g *Guard) Mark() uint32 { return g.mark }

// Apply is [effect.Firewall.Apply]. All changes go into one transaction; when it is
// refused, into smaller ones, so that each has its own error.
func (g *Guard) Apply(elements []effect.Element) []error {
	c := changer{socket: g.socket, find: g.find}
	return c.apply(elements)
}

// find returns the set that a place is in: networks have sets of their own, since
// two in one set must not overlap.
func (g *Guard) find(p place) (sourceSet, error) {
	for _, s := range heldSets {
		if s.v6 == p.source.Addr().Is6() && s.interval == !p.source.IsSingleIP() && s.observed == p.observed {
			return s, nil
		}
	}
	return sourceSet{}, fmt.Errorf("no set for %v", p.source)
}

// Elements returns the grants that the kernel holds, in the order of their
// addresses; none when there is no table. What has no end was not made by us, and
// is left out.
func (g *Guard) Elements() ([]effect.Element, error) {
	var all []effect.Element
	for _, s := range grantSets {
		members, err := g.socket.settled(guardTable, s.name)
		if errors.Is(err, effect.ErrGone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the grants of the firewall: %w", err)
		}
		for _, m := range members {
			e, _ := s.element(m)
			if e.Remaining > 0 && e.Port.Number != 0 && e.Port.Proto != packet.NoProto {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, compare)
	return all, nil
}

// GrantDirectly gives a person's grant without a daemon: a daemon that starts
// later adopts it. An access that lasts longer already is left alone. The error is
// [effect.ErrGone] when there is no table, and so nothing is guarded.
func (g *Guard) GrantDirectly(source netip.Prefix, port packet.Port, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("grant for %v: expected a time above zero", ttl)
	}
	e := effect.Element{Source: source, Port: port, Remaining: ttl}
	p, err := placeOf(e)
	if err != nil {
		return err
	}
	in, err := g.find(p)
	if err != nil {
		return err
	}
	was, err := g.socket.member(guardTable, in.name, in.key(p)[0])
	if err != nil {
		return err
	}
	if was != nil && (was.expires == 0 || was.expires > ttl) {
		return nil
	}
	return errors.Join(g.Apply([]effect.Element{e})...)
}

// Remove takes the table away: what was guarded is open, but for what other
// chains drop. It reports whether there was a table.
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

// merged returns networks without those that lie in others.
func merged(networks []netip.Prefix) []netip.Prefix {
	var all []netip.Prefix
	for _, n := range networks {
		if a := n.Addr(); a.Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(a.Unmap(), n.Bits()-96)
		}
		all = append(all, n.Masked())
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	kept := all[:0]
	for _, n := range all {
		if len(kept) == 0 || !kept[len(kept)-1].Overlaps(n) { // the wider one came first
			kept = append(kept, n)
		}
	}
	return kept
}
