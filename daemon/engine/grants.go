package engine

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gaissmai/bart"

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
	key    grantKey
	timer  timer
	order  uint64         // in which it was inserted
	places [listKinds]int // in the lists of a grants
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

// grants finds the live grants. Each of its lists holds all of them, unless it says otherwise.
type grants struct {
	lastID   uint64
	inserted uint64 // so far
	byID     map[uint64]*grant
	byKey    lists[grantKey]
	byAsker  lists[asker]
	byGiver  lists[giver]
	byHolder lists[holder]
	// networks has the lists of byKey for networks wider than one address, and real.
	networks map[packet.Port]*bart.Table[*byEnd]
	lengths  map[family][]length // of the sources of all grants of ports, the widest first
	// runs has the effect that ran the command of a key. It is 0, or not there, when the command
	// ran before a restart.
	runs map[grantKey]uint64
	// failures has why the run of a key failed, where its grants stand all the same. It decides
	// nothing, and is no part of the state.
	failures map[grantKey]*CommandError
	byDoor   map[string]int // how many each door gave; no entry is zero
	work     int            // comparisons so far: tests count them
}

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

// An asker is who asked a door for what a key gives. A repeat extends the grant.
type asker struct {
	key  grantKey
	door string
	by   netip.Addr
}

func askerOf(g *grant) asker { return asker{g.key, g.Door, g.By} }

// A giver is a door and who knocked it.
type giver struct {
	door     string
	by       netip.Addr
	observed bool
}

func giverOf(g *grant) giver { return giver{g.Door, g.By, g.Observed} }

// A holder is a door and who has its grants.
type holder struct {
	door     string
	source   netip.Prefix
	observed bool
}

func holderOf(g *grant) holder { return holder{g.Door, g.Source, g.Observed} }

func newGrants() *grants {
	s := &grants{
		byID:     make(map[uint64]*grant),
		networks: make(map[packet.Port]*bart.Table[*byEnd]),
		lengths:  make(map[family][]length),
		runs:     make(map[grantKey]uint64),
		failures: make(map[grantKey]*CommandError),
		byDoor:   make(map[string]int),
	}
	s.byKey, s.byAsker = newLists[grantKey](sameKey, &s.work), newLists[asker](sameAsker, &s.work)
	s.byGiver, s.byHolder = newLists[giver](sameGiver, &s.work), newLists[holder](sameHolder, &s.work)
	return s
}

func (s *grants) count() int { return len(s.byID) }

// all returns the live grants in the order of their ids.
func (s *grants) all() []*grant {
	return slices.SortedFunc(maps.Values(s.byID), byAge)
}

// of returns the grants of a door that a asked for or has, in the order of their ids: those that
// are only observed, or all.
func (s *grants) of(door string, a netip.Addr, onlyObserved bool) []*grant {
	var all []*grant
	for _, observed := range []bool{true, false} {
		if observed || !onlyObserved {
			all = append(all, s.byGiver.of[giver{door, a, observed}].inOrder()...)
			all = append(all, s.byHolder.of[holder{door, single(a), observed}].inOrder()...)
		}
	}
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
		if g := s.byHolder.latest(holder{door, around, false}); g != nil && g.End.After(end) {
			end = g.End
		}
		if g := s.byHolder.latest(holder{door, around, true}); observed && g != nil && g.End.After(end) {
			end = g.End
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
	return s.byKey.count(grantKey{source: single(a), port: port}) > 0 || s.covered(single(a), port)
}

// find returns the grant that a door already gave to by on key, or nil.
func (s *grants) find(key grantKey, door string, by netip.Addr) *grant {
	return s.byAsker.latest(asker{key, door, by})
}

// latest returns the latest end of the grants on key; zero when there is none.
func (s *grants) latest(key grantKey) time.Time {
	if g := s.byKey.latest(key); g != nil {
		return g.End
	}
	return time.Time{}
}

// covered reports whether there is a grant for a wider network than source.
func (s *grants) covered(source netip.Prefix, port packet.Port) bool {
	if networks := s.networks[port]; networks != nil {
		for wider := range networks.Supernets(source) {
			if wider.Bits() < source.Bits() {
				return true
			}
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

// within returns the network grants on port that lie inside a wider source, in the order in which
// they were inserted.
func (s *grants) within(source netip.Prefix, port packet.Port) []*grant {
	networks := s.networks[port]
	if networks == nil {
		return nil
	}
	var inside []*grant
	for narrower, l := range networks.Subnets(source) {
		if narrower.Bits() > source.Bits() {
			inside = append(inside, l.grants...)
		}
	}
	s.work += len(inside)
	slices.SortFunc(inside, byInsertion)
	return inside
}

// insert adds a grant and sets its key.
func (s *grants) insert(g *grant) {
	s.inserted++
	g.key, g.order = keyOf(&g.Grant), s.inserted
	s.lastID = max(s.lastID, g.ID)
	s.byID[g.ID] = g
	first := s.byKey.insert(g.key, g)
	s.byAsker.insert(askerOf(g), g)
	s.byGiver.insert(giverOf(g), g)
	s.byHolder.insert(holderOf(g), g)
	s.counts(g, 1)
	countUse(s.byDoor, g.Door, 1)
	if first && g.isNetwork() {
		if s.networks[g.Port] == nil {
			s.networks[g.Port] = &bart.Table[*byEnd]{}
		}
		s.networks[g.Port].Insert(g.Source, s.byKey.of[g.key])
	}
}

func (s *grants) remove(g *grant) {
	delete(s.byID, g.ID)
	last := s.byKey.remove(g.key, g)
	s.byAsker.remove(askerOf(g), g)
	s.byGiver.remove(giverOf(g), g)
	s.byHolder.remove(holderOf(g), g)
	s.counts(g, -1)
	countUse(s.byDoor, g.Door, -1)
	if last {
		delete(s.runs, g.key)
		delete(s.failures, g.key)
	}
	if last && g.isNetwork() {
		if s.networks[g.Port].Delete(g.Source); s.networks[g.Port].Size() == 0 {
			delete(s.networks, g.Port)
		}
	}
}

// setTerm changes when a live grant ends.
func (s *grants) setTerm(g *grant, t term) {
	g.setTerm(t)
	s.byKey.moved(g.key, g)
	s.byAsker.moved(askerOf(g), g)
	s.byGiver.moved(giverOf(g), g)
	s.byHolder.moved(holderOf(g), g)
}

// A pendingClose is a close whose handler is called when the present decision is done.
type pendingClose struct {
	grant  *grant
	reason Reason
	depth  int
}

// single returns the network that holds an address alone.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
