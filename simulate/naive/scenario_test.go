package naive_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file makes doors, and packets that have a fair chance to open them.

var start = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC).UnixNano()

var (
	here4    = netip.MustParseAddr("192.0.2.1")
	here6    = netip.MustParseAddr("2001:db8::1")
	there4   = netip.MustParseAddr("198.51.100.1")
	everyone = netip.MustParseAddr("255.255.255.255")
	sources4 = addresses("203.0.113.9", "203.0.113.10", "203.0.113.11")
	sources6 = addresses("2001:db8:9::9", "2001:db8:9::a")
	guarded  = packet.Port{Proto: packet.TCP, Number: 22}
)

func addresses(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// A scenario is a script set, and what was captured.
type scenario struct {
	set        *engine.Set
	wires      []engine.Knock // the tripwires of the set
	local      []netip.Prefix
	interfaces []*link
	layout     layout
	format     format
	packets    []sent // in the order of the captures
}

// A layout is how packets are divided into files.
type layout uint8

const (
	onePcap   layout = iota // of one interface, or of all by SLL2
	onePcapng               // with all interfaces
	several                 // a file for each interface
)

// headers reports whether the link header of a packet tells one way from another.
func (s *scenario) headers(p *sent) bool { return s.interfaces[p.iface].headers }

// An allows is the function of a door that gives access to ports.
type allows struct{ ports []packet.Port }

func (a allows) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: []engine.Operation{engine.Allow{Ports: a.ports}}}, nil
}

// admits is the only condition: it refuses one of the sources.
func admits(source netip.Addr) bool { return source != sources4[2] }

type most struct{}

func (most) Check(c *engine.Call) (engine.Verdict, error) {
	if admits(c.Source) {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	return engine.Verdict{Condition: "most"}, nil
}
func (most) String() string { return "most: all but one" }
func (most) Name() string   { return "most" }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// seconds returns one of several numbers of seconds.
func seconds(r *rand.Rand, of ...time.Duration) time.Duration { return pick(r, of...) * time.Second }

func chance(r *rand.Rand, in int) bool { return r.IntN(in) == 0 }

func newScenario(r *rand.Rand) *scenario {
	s := &scenario{set: &engine.Set{}, format: pick(r, formats...), layout: layout(r.IntN(3))}
	for range 1 + r.IntN(3) {
		s.addDoors(r)
	}
	s.wires = s.set.Tripwires()
	if len(s.wires) > 0 && chance(r, 3) {
		s.set.Doors[0].Except = []packet.Port{s.wires[0].Port}
		s.wires = s.set.Tripwires()
	}
	switch r.IntN(3) {
	case 1:
		s.local = []netip.Prefix{netip.PrefixFrom(here4, 32), netip.PrefixFrom(here6, 128)}
	case 2:
		s.local = []netip.Prefix{netip.PrefixFrom(here4, 32), netip.PrefixFrom(here6, 128), netip.MustParsePrefix("198.51.100.0/24")}
	}
	s.addInterfaces(r)
	s.addPackets(r)
	return s
}

var alphabet = []packet.Port{
	{Proto: packet.TCP, Number: 7001}, {Proto: packet.TCP, Number: 7002}, {Proto: packet.UDP, Number: 7001},
	{Proto: packet.UDP, Number: 7003}, {Proto: packet.TCP, Number: 7004},
}

// addDoors adds a door, or a group of some.
func (s *scenario) addDoors(r *rand.Rand) {
	n := len(s.set.Doors)
	d := &engine.Door{
		Name: fmt.Sprint("d", n), Script: "d.lua", Line: n + 1, TTL: seconds(r, 2, 30, 300),
		Within:    seconds(r, 1, 3, 8, 12, 200),
		Guards:    pick(r, nil, []packet.Port{guarded}),
		OnWrong:   engine.OnWrong(r.IntN(2)),
		Tripwires: pick(r, 0, 0, 3, 8), Duplicates: engine.Duplicates(r.IntN(2)), Strict: chance(r, 4),
	}
	if chance(r, 2) {
		d.StepTimeout = seconds(r, 1, 2, 5)
	}
	for range 1 + r.IntN(5) {
		k := engine.Knock{Port: pick(r, alphabet...), Flags: engine.SYN}
		if k.Port.Proto == packet.TCP && chance(r, 6) {
			k.Flags = pick(r, engine.FlagTest{Set: packet.FIN}, engine.FlagTest{Set: packet.SYN | packet.FIN}, engine.FlagTest{Clear: packet.SYN})
		}
		d.Sequence = append(d.Sequence, k)
	}
	if chance(r, 4) {
		d.Limit = &engine.Limit{Count: pick(r, 1, 2, 4), Per: seconds(r, 4, 60), PerSource: chance(r, 2), Text: "a limit"}
	}
	if chance(r, 4) {
		d.When = []engine.Condition{most{}}
	}
	if chance(r, 4) {
		d.Handler, d.Hooks = allows{[]packet.Port{pick(r, alphabet...), guarded}}, engine.HookOpen
	}
	if chance(r, 5) {
		d.Target = pick(r, there4, here4)
	}
	switch r.IntN(6) {
	case 0:
		s.addGroup(r, d)
		return
	case 1: // a listener
		d.Listen, d.Hooks = true, engine.HookKnock
		if d.Handler == nil {
			d.Handler = allows{alphabet[:1]}
		}
		d.Payload = pick(r, nil, somePayload(r))
	case 2:
		d.Sequence, d.Payload = d.Sequence[:1], somePayload(r)
	}
	s.set.Doors = append(s.set.Doors, d)
}

func somePayload(r *rand.Rand) *engine.PayloadTest {
	return pick(r, &engine.PayloadTest{Max: 4}, &engine.PayloadTest{Min: 4, Max: 4}, &engine.PayloadTest{Min: 2, Max: engine.AnyLength},
		&engine.PayloadTest{Max: engine.AnyLength, Bytes: []engine.PayloadBytes{{At: 1, Text: "pe"}}},
		&engine.PayloadTest{Max: engine.AnyLength, Bytes: []engine.PayloadBytes{{At: 0, Text: "o"}, {At: 3, Text: "n"}}})
}

// addGroup adds doors by the rules of knockd. They share one name of a group.
func (s *scenario) addGroup(r *rand.Rand, d *engine.Door) {
	for i := range 1 + r.IntN(3) {
		one := *d
		one.Name, one.Policy, one.Group = fmt.Sprint(d.Name, "group", i), engine.PolicyKnockd, d.Name
		one.Flags = pick(r, engine.FlagTest{Set: packet.SYN}, engine.SYN, engine.FlagTest{Set: packet.FIN})
		one.Sequence, one.Strict, one.Tripwires, one.StepTimeout = nil, false, 0, 0
		one.Within = pick(r, d.Within, 0)
		for range 1 + r.IntN(3) {
			one.Sequence = append(one.Sequence, engine.Knock{Port: pick(r, alphabet...), Flags: one.Flags})
		}
		s.set.Doors = append(s.set.Doors, &one)
	}
}

// addInterfaces chooses interfaces. A pcap file has one link type, and only SLL2 and IPNET tell in
// each frame where it was heard.
func (s *scenario) addInterfaces(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		s.interfaces = append(s.interfaces, &links[r.IntN(len(links))])
	}
	if s.layout == onePcap && (s.interfaces[0].number == 276 || s.interfaces[0].number == 226) {
		for i := range s.interfaces {
			s.interfaces[i] = s.interfaces[0]
		}
	} else if s.layout == onePcap {
		s.interfaces = s.interfaces[:1]
	}
}

// sources returns the addresses that the interfaces can carry.
func (s *scenario) sources() []netip.Addr {
	only := map[int]bool{}
	for _, l := range s.interfaces {
		only[l.only] = true
	}
	switch {
	case only[4] && only[6]:
		s.interfaces = s.interfaces[:1]
		return s.sources()
	case only[4]:
		return sources4
	case only[6]:
		return sources6
	}
	return slices.Concat(sources4, sources6)
}

func (s *scenario) String() string {
	var b strings.Builder
	for _, d := range s.set.Doors {
		fmt.Fprintf(&b, "%+v\n", *d)
		if d.Limit != nil {
			fmt.Fprintf(&b, "  limit %+v\n", *d.Limit)
		}
		if d.Payload != nil {
			fmt.Fprintf(&b, "  payload %+v\n", *d.Payload)
		}
	}
	fmt.Fprintf(&b, "tripwires %v\nlocal %v\nlayout %d\n", s.wires, s.local, s.layout)
	for i, l := range s.interfaces {
		fmt.Fprintf(&b, "interface %d: %s\n", i, l.name)
	}
	for i := range s.packets {
		fmt.Fprintf(&b, "%3d %v\n", i+1, s.packets[i])
	}
	return b.String()
}
