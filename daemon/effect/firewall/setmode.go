package firewall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// SetConfig names the sets of a [Sets].
type SetConfig struct {
	Family, Table string // as nft names them: "inet", "filter"
	Set4, Set6    string // either may be ""
	// Now returns the time that the ends of elements are computed from. It is monotonic.
	Now func() time.Time
}

// A Sets is an [effect.Firewall] that guards nothing: it puts elements into sets of the
// user, whose own rules read them. It never touches an element that it did not put there;
// it knows its own by their comments. Its methods may be called from any goroutine.
type Sets struct {
	socket *socket
	cfg    SetConfig
	table  table

	mu      sync.Mutex
	sets    []sourceSet // as found in the kernel; nil: not read yet
	held    map[place]map[packet.Port]holding
	foreign map[string]bool      // keys of elements that are not ours; those of the two families differ
	refused map[string]sourceSet // sets that had no room for an element, by their names
}

// A holding is what one grant needs an element of a user's set for. Where the keys lack the
// protocol or the port, several grants of a source share an element. It ends with the last of
// them.
type holding struct {
	end   time.Time
	grant uint64
	door  string
}

// NewSets returns a Sets for the network namespace of the thread that first uses it. It
// fails when the configuration names no set, or a family without addresses.
func NewSets(cfg SetConfig) (*Sets, error) {
	family, known := map[string]uint8{"inet": unix.NFPROTO_INET, "ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6}[cfg.Family]
	switch {
	case !known:
		return nil, fmt.Errorf("firewall table %q: expected a family (inet, ip or ip6) and a name, such as \"inet filter\"", cfg.Family+" "+cfg.Table)
	case cfg.Table == "" || cfg.Set4 == "" && cfg.Set6 == "":
		return nil, errors.New("firewall: expected a table and at least one set in it")
	}
	return &Sets{socket: &socket{}, cfg: cfg, table: table{family, cfg.Table}, held: map[place]map[packet.Port]holding{}, refused: map[string]sourceSet{}}, nil
}

// Close closes the connection to the kernel. Elements stay until their ends.
func (s *Sets) Close() error { return s.socket.close() }

// Monitor is like [Guard.Monitor], for the table with the sets.
func (s *Sets) Monitor(ctx context.Context, changed func()) error {
	return monitorChanges(ctx, changes{s.table, s.socket.owns}, changed)
}

// keyTypes returns the types of keys that a set may have, indexed by layout. The last one has
// the most fields.
func keyTypes(v6 bool) []nftables.SetDatatype {
	address := nftables.TypeIPAddr
	if v6 {
		address = nftables.TypeIP6Addr
	}
	return []nftables.SetDatatype{
		sourceAlone:  address,
		sourceNumber: nftables.MustConcatSetType(address, nftables.TypeInetService),
		sourcePort:   nftables.MustConcatSetType(address, nftables.TypeInetProto, nftables.TypeInetService),
	}
}

// setOf returns the set for a place, and the place without what the set's keys lack.
func (s *Sets) setOf(p place) (sourceSet, place, error) {
	// There are two sets at most, one for each family.
	i := slices.IndexFunc(s.sets, func(in sourceSet) bool { return in.v6 == p.source.Addr().Is6() })
	if i < 0 {
		name := "set4"
		if p.source.Addr().Is6() {
			name = "set6"
		}
		return sourceSet{}, p, fmt.Errorf("%v: the configuration names no set for such addresses: expected firewall.%s", p.source.Addr(), name)
	}
	in := s.sets[i]
	if !in.interval && !p.source.IsSingleIP() {
		return in, p, fmt.Errorf("%v: set %s holds single addresses alone: expected one with the flag interval", p.source, in.name)
	}
	switch in.layout {
	case sourceAlone:
		p.port = packet.Port{}
	case sourceNumber:
		p.port.Proto = packet.NoProto
	case sourcePort:
	}
	return in, p, nil
}

// hold notes what an element is needed for, and returns the edit that it needs now.
func (s *Sets) hold(e effect.Element, now time.Time) (edit, error) {
	p, err := placeOf(e)
	if err != nil {
		return edit{}, err
	}
	in, at, err := s.setOf(p)
	if err != nil {
		return edit{}, err
	}
	if s.held[at] == nil {
		s.held[at] = map[packet.Port]holding{}
	}
	if e.Remaining > 0 {
		s.held[at][e.Port] = holding{now.Add(e.Remaining), e.Grant, e.Door}
	} else {
		delete(s.held[at], e.Port)
	}
	// What has ended in the kernel has ended here. Nobody closes such a grant again.
	maps.DeleteFunc(s.held[at], func(_ packet.Port, h holding) bool { return !h.end.After(now) })
	var last holding
	for _, h := range s.held[at] {
		if h.end.After(last.end) {
			last = h
		}
	}
	if len(s.held[at]) == 0 {
		delete(s.held, at)
	}
	result := edit{place: at, in: in, grant: last.grant, door: last.door}
	if !last.end.IsZero() {
		result.remaining = last.end.Sub(now)
	}
	return result, nil
}

// Apply is [effect.Firewall.Apply]. An address that the user put into the set has
// access without Sesame, and is left alone. Of what must be cut only UDP flows end.
func (s *Sets) Apply(elements []effect.Element) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil {
		if err := s.find(); err != nil {
			return slices.Repeat([]error{err}, len(elements))
		}
	}
	now := s.cfg.Now()
	errs := s.socket.apply(elements, func(e effect.Element) (edit, error) {
		if e.Observed {
			return edit{}, nil // a Sets counts nothing
		}
		// Of several changes of one place the last edit has the end of all of its grants.
		change, err := s.hold(e, now)
		if err != nil || s.isForeign(change) {
			return edit{}, err
		}
		return change, nil
	})
	s.noteFull(errs)
	return s.socket.forgetFlows(elements, errs)
}

// isForeign reports whether the user put this element into the set.
func (s *Sets) isForeign(e edit) bool { return s.foreign[string(e.in.key(e.place)[0].key)] }

// Install is [effect.Firewall.Install]. It ignores the guards. The
// error is [effect.ErrGone] when a set is missing: the user has to make it.
func (s *Sets) Install(_ effect.Guards, elements []effect.Element) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.find(); err != nil {
		return fmt.Errorf("installing elements: %w", err)
	}
	// The elements are all that must be held. What earlier calls held does not count.
	clear(s.held)
	now := s.cfg.Now()
	wanted := make(map[place]edit, len(elements))
	for _, e := range elements {
		if e.Observed {
			continue
		}
		change, err := s.hold(e, now)
		if err != nil {
			continue // no set can hold it: Apply reported that, and the others must be installed
		}
		wanted[change.place] = change
	}
	edits, err := s.differences(wanted)
	if err != nil {
		return fmt.Errorf("installing elements: %w", err)
	}
	return s.socket.change(edits)
}

// differences returns what must change, and stores which elements are not ours.
func (s *Sets) differences(wanted map[place]edit) ([]edit, error) {
	s.foreign = map[string]bool{}
	var edits []edit
	for _, in := range s.sets {
		members, err := s.members(in)
		if err != nil {
			return nil, err
		}
		edits = append(edits, differences(in, members, wanted, func(m member) (place, bool) {
			e, ours := in.element(m)
			if !ours {
				s.foreign[string(m.key)] = true
			}
			return place{source: e.Source, port: e.Port}, ours
		})...)
	}
	for _, wish := range wanted {
		if wish.remaining > 0 && !s.isForeign(wish) {
			edits = append(edits, wish)
		}
	}
	return edits, nil
}

// members returns the members of a user's set. In a set of addresses alone the boundary of
// a network is a member of its own; here the network's member gets its end.
func (s *Sets) members(in sourceSet) ([]member, error) {
	members, err := s.socket.stableMembers(s.table, in.name)
	if err != nil || !in.interval || in.layout != sourceAlone {
		return members, err
	}
	return withEnds(members), nil
}

// Whole is [effect.Firewall.Whole]. It is always false: when the user's firewall is loaded again,
// its sets are empty, and nothing tells that from a revoke.
func (*Sets) Whole() (bool, error) { return false, nil }

// Elements returns the elements that we put into the sets. Sets whose keys lack the
// protocol or the port are left out: their elements do not show the access that they give.
func (s *Sets) Elements() ([]effect.Element, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.find(); err != nil {
		return nil, fmt.Errorf("reading the firewall's sets: %w", err)
	}
	var all []effect.Element
	for _, in := range s.sets {
		members, err := s.members(in)
		if err != nil {
			return nil, fmt.Errorf("reading the firewall's sets: %w", err)
		}
		for _, m := range members {
			if e, ours := in.element(m); ours && e.Remaining > 0 && in.layout == sourcePort && e.Port.Proto != packet.NoProto {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, compare)
	return all, nil
}
