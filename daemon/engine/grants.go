package engine

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// A Grant is access that was given, or a command that ran and whose undo is pending.
type Grant struct {
	ID      uint64
	Door    string     // empty: a person's grant
	By      netip.Addr // who knocked; invalid: a person
	Source  netip.Prefix
	Port    packet.Port // zero for a command
	Argv    []string    // nil for a port
	Undo    []string
	Timeout time.Duration // of Undo
	// AnyStatus means that an Undo that ran is not pending any more, whatever its exit status.
	AnyStatus bool
	// Shared means that grants of other sources share the run of Argv and its Undo.
	Shared bool
	TTL    time.Duration // as it was given, or prolonged, last
	End    time.Time     // engine time, absolute
	// WindowEnd is what the wall clock shows when the window ends that the grant must not
	// outlast. TTLEnd is when it would end without the window, in engine time. Both are zero when
	// there is no window.
	WindowEnd, TTLEnd time.Time
	// Observed means that the door only observed when it gave the grant: nothing was done, and
	// nothing will be.
	Observed bool
	// Cut means that sessions and flows end with the grant, however it ends. It is that of the
	// door when it gave the grant, or extended it, last.
	Cut bool
}

// holder returns who has the grant, for handlers: the address that has access, or for a network the
// one that knocked.
func (g *Grant) holder() netip.Addr {
	if g.Source.IsSingleIP() {
		return g.Source.Addr()
	}
	return g.By
}

// A grant is a live Grant.
type grant struct {
	Grant
	key   grantKey
	run   uint64 // the effect that ran its command; other grants of the key may share it
	timer timer
}

// isNetwork reports whether a grant has an element that others may overlap.
func (g *grant) isNetwork() bool {
	return g.Argv == nil && !g.Source.IsSingleIP() && !g.Observed
}

// A grantKey is what grants share that give the same thing: the kernel has one element for all
// grants of a key, and a command runs once for all of them. An observed grant shares nothing
// with an enforced one.
type grantKey struct {
	source   netip.Prefix
	port     packet.Port
	run      string // argv and undo
	observed bool
	shared   bool // then source is not set
}

// keyOf returns the key of a grant.
func keyOf(g *Grant) grantKey {
	key := grantKey{source: g.Source, port: g.Port, observed: g.Observed}
	if g.Argv != nil {
		key.run = strings.Join(g.Argv, "\x00") + "\x01" + strings.Join(g.Undo, "\x00")
		if key.shared = g.Shared; g.Shared {
			key.source = netip.Prefix{}
		}
	}
	return key
}

// grants finds the live grants. All of its lists hold the same grants.
type grants struct {
	lastID   uint64
	byID     map[uint64]*grant
	byKey    map[grantKey][]*grant // one for each door and knocker
	byGiver  map[giver][]*grant
	byHolder map[holder][]*grant
	networks map[packet.Port][]*grant // those wider than one address, and real
	widths   map[width]int            // how many networks of each width there are
	lengths  map[family][]length      // of the sources of all grants of ports, the widest first
}

// A width is a prefix length of the networks on a port.
type width struct {
	port packet.Port
	bits int
	is4  bool
}

func widthOf(g *grant) width { return width{g.Port, g.Source.Bits(), g.Source.Addr().Is4()} }

// A family is a port for IPv4 or for IPv6.
type family struct {
	port packet.Port
	is4  bool
}

// A length is a prefix length, and how many grants have it.
type length struct{ bits, grants int }

// counts adds n to the number of the grants that have the prefix length of g.
func (s *grants) counts(g *grant, n int) {
	if g.Argv != nil {
		return
	}
	key, bits := family{g.Port, g.Source.Addr().Is4()}, g.Source.Bits()
	all := s.lengths[key]
	i, there := slices.BinarySearchFunc(all, bits, func(l length, bits int) int { return cmp.Compare(l.bits, bits) })
	if !there {
		all = slices.Insert(all, i, length{bits: bits})
	}
	if all[i].grants += n; all[i].grants == 0 {
		all = slices.Delete(all, i, i+1)
	}
	if s.lengths[key] = all; len(all) == 0 {
		delete(s.lengths, key)
	}
}

// A giver is a door and who knocked it.
type giver struct {
	door string
	by   netip.Addr
}

// A holder is a door and who has its grants.
type holder struct {
	door   string
	source netip.Prefix
}

func newGrants() *grants {
	return &grants{
		byID:     make(map[uint64]*grant),
		byKey:    make(map[grantKey][]*grant),
		byGiver:  make(map[giver][]*grant),
		byHolder: make(map[holder][]*grant),
		networks: make(map[packet.Port][]*grant),
		widths:   make(map[width]int),
		lengths:  make(map[family][]length),
	}
}

func (s *grants) count() int { return len(s.byID) }

// all returns the live grants in the order of their ids.
func (s *grants) all() []*grant {
	return slices.SortedFunc(maps.Values(s.byID), byAge)
}

// of returns the grants of a door that a asked for or has, in the order of their ids.
func (s *grants) of(door string, a netip.Addr) []*grant {
	all := slices.Concat(s.byGiver[giver{door, a}], s.byHolder[holder{door, single(a)}])
	slices.SortFunc(all, byAge)
	return slices.Compact(all)
}

// held returns the latest end of the grants of a door to a, or to a network around it; zero when
// there is none. Grants that were only observed count when observed is set.
func (s *grants) held(door string, a netip.Addr, observed bool) time.Time {
	var end time.Time
	if len(s.byID) == 0 {
		return end
	}
	for bits := range a.BitLen() + 1 {
		around, _ := a.Prefix(bits)
		for _, g := range s.byHolder[holder{door, around}] {
			if g.End.After(end) && (observed || !g.Observed) {
				end = g.End
			}
		}
	}
	return end
}

func byAge(a, b *grant) int { return cmp.Compare(a.ID, b.ID) }

// overlapping returns the grants whose source overlaps this one, in the order of their ids.
func (s *grants) overlapping(source netip.Prefix) []*grant {
	return slices.DeleteFunc(s.all(), func(g *grant) bool { return !g.Source.Overlaps(source) })
}

// reaches reports whether a may reach port.
func (s *grants) reaches(a netip.Addr, port packet.Port) bool {
	if len(s.byID) == 0 {
		return false
	}
	return len(s.byKey[grantKey{source: single(a), port: port}]) > 0 || s.covered(single(a), port)
}

// find returns the grant that a door already gave to by on key, or nil.
func (s *grants) find(key grantKey, door string, by netip.Addr) *grant {
	for _, g := range s.byKey[key] {
		if g.Door == door && g.By == by {
			return g
		}
	}
	return nil
}

// latest returns the latest end of the grants on key; zero when there is none.
func (s *grants) latest(key grantKey) time.Time {
	var end time.Time
	for _, g := range s.byKey[key] {
		if g.End.After(end) {
			end = g.End
		}
	}
	return end
}

// covered reports whether there is a grant for a wider network than source. It looks up each
// prefix length in use, not each grant.
func (s *grants) covered(source netip.Prefix, port packet.Port) bool {
	if len(s.networks[port]) == 0 {
		return false
	}
	for bits := range source.Bits() {
		if s.widths[width{port, bits, source.Addr().Is4()}] == 0 {
			continue
		}
		wider, _ := source.Addr().Prefix(bits)
		if len(s.byKey[grantKey{source: wider, port: port}]) > 0 {
			return true
		}
	}
	return false
}

// element returns the end that the kernel's element for a key must have. It is that of the last
// of its grants. It is zero when there are none, and for a network inside a wider one, since
// the kernel refuses elements that overlap.
func (s *grants) element(key grantKey) time.Time {
	if key.run == "" && !key.observed && !key.source.IsSingleIP() && s.covered(key.source, key.port) {
		return time.Time{}
	}
	return s.latest(key)
}

// within returns the network grants on port that lie inside a wider source.
func (s *grants) within(source netip.Prefix, port packet.Port) []*grant {
	if !s.narrower(source, port) {
		return nil
	}
	var inside []*grant
	for _, g := range s.networks[port] {
		if g.Source.Bits() > source.Bits() && source.Contains(g.Source.Addr()) {
			inside = append(inside, g)
		}
	}
	return inside
}

// narrower reports whether there are grants for networks narrower than source.
func (s *grants) narrower(source netip.Prefix, port packet.Port) bool {
	for bits := source.Bits() + 1; bits < source.Addr().BitLen(); bits++ {
		if s.widths[width{port, bits, source.Addr().Is4()}] > 0 {
			return true
		}
	}
	return false
}

// insert adds a grant and sets its key.
func (s *grants) insert(g *grant) {
	g.key = keyOf(&g.Grant)
	s.lastID = max(s.lastID, g.ID)
	s.byID[g.ID] = g
	s.byKey[g.key] = append(s.byKey[g.key], g)
	s.byGiver[giver{g.Door, g.By}] = append(s.byGiver[giver{g.Door, g.By}], g)
	s.byHolder[holder{g.Door, g.Source}] = append(s.byHolder[holder{g.Door, g.Source}], g)
	s.counts(g, 1)
	if g.isNetwork() {
		s.networks[g.Port] = append(s.networks[g.Port], g)
		s.widths[widthOf(g)]++
	}
}

func (s *grants) remove(g *grant) {
	delete(s.byID, g.ID)
	drop(s.byKey, g.key, g)
	drop(s.byGiver, giver{g.Door, g.By}, g)
	drop(s.byHolder, holder{g.Door, g.Source}, g)
	s.counts(g, -1)
	if g.isNetwork() {
		drop(s.networks, g.Port, g)
		s.widths[widthOf(g)]--
	}
}

// drop removes g from the list at key, and the list from m when it is empty.
func drop[K comparable](m map[K][]*grant, key K, g *grant) {
	rest := slices.DeleteFunc(m[key], func(other *grant) bool { return other == g })
	if len(rest) == 0 {
		delete(m, key)
	} else {
		m[key] = rest
	}
}

// A pendingClose is a close whose handler is called when the present decision is done.
type pendingClose struct {
	grant  *grant
	reason Reason
	depth  int
}

// single returns the network that holds an address alone.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
