package engine

import (
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// TestWhateverComesTheStateIsWhole gives an engine inputs of all kinds in random
// order and compares, after each, everything that it keeps twice.
func TestWhateverComesTheStateIsWhole(t *testing.T) {
	for seed := range uint64(200) {
		c := newChaos(t, seed)
		for range 300 {
			c.input()
			c.check()
			if seed%2 == 1 && c.r.IntN(20) == 0 {
				c.past = append(c.past, "resume")
				c.e = c.resumed(c.e)
				c.check()
			}
			if t.Failed() {
				t.Fatalf("seed %d, after the inputs %v", seed, c.past)
			}
		}
	}
}

// A chaos is an engine, a host that carries out effects badly and in no order,
// and what was done so far.
type chaos struct {
	owner   string // under which the script of all doors keeps its values
	t       *testing.T
	r       *rand.Rand
	e       *Engine
	twin    *Engine // gets the same inputs; nil: there is none
	now     time.Time
	sent    int
	copies  bool // packets come more than once
	latest  packet.Packet
	set     []*Door
	awaited []uint64
	journal map[uint64]Grant // what a restart would find
	blind   bool             // the journal lacks what was before
	cut     bool             // the latest revoke was with cut
	past    []string
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), now: monday, journal: map[uint64]Grant{},
		e: New(Config{Attempts: 24, Grants: 40, Seed: seed}, monday),
	}
	c.do(c.newSet())
	return c
}

// do gives an input to the engine, and to its twin, which must say the same.
func (c *chaos) do(in input) {
	events := in(c.e)
	c.see(events)
	if c.twin == nil {
		return
	}
	if want, got := whole(events...), whole(in(c.twin)...); got != want {
		c.t.Errorf("the twin says\n%s\nwant\n%s", got, want)
	}
}

// An input is given to an engine.
type input func(*Engine) []Event

// whole writes all that events say.
func whole(events ...Event) string {
	var all strings.Builder
	for _, event := range events {
		if r := event.Persist; r != nil {
			fmt.Fprintf(&all, "persist %v %v %v %+v %+v %+v\n", r.Ended, r.Script, r.Source, r.Grant, r.Store, r.Consumed)
			event.Persist = nil
		}
		fmt.Fprintf(&all, "%+v\n", event)
	}
	return all.String()
}

// see takes note of what a runner would answer and a journal would hold.
func (c *chaos) see(events []Event) {
	last := c.now.Add(-1 << 62)
	for _, event := range events {
		if event.Time.Before(last) {
			c.t.Errorf("%s comes after %v", brief(event), last)
		}
		last = event.Time
		if event.ID != 0 {
			c.awaited = append(c.awaited, event.ID)
		}
		if event.Kind == EventClose && !c.blind {
			c.checkCut(event)
		}
		if r := event.Persist; r != nil && r.Grant != nil {
			c.journal[r.Grant.ID] = *r.Grant
			if r.Ended {
				delete(c.journal, r.Grant.ID)
			}
		}
	}
}

var chaosPorts = []string{"tcp/1", "tcp/2", "tcp/3", "udp/4", "udp/5"}

// input does one thing.
func (c *chaos) input() {
	inputs := []struct {
		name   string
		weight int
		make   func() input
	}{
		{"packet", 60, c.packet},
		{"tick", 6, func() input {
			now := c.pass(8 * time.Second)
			return func(e *Engine) []Event { return e.Tick(now) }
		}},
		{"swap", 4, c.newSet},
		{"result", 25, c.result},
		{"grant", 3, func() input {
			now, source, port, ttl := c.pass(time.Second), c.network(), c.guarded(), time.Duration(1+c.r.IntN(30))*time.Second
			return func(e *Engine) []Event { return e.Grant(now, source, port, ttl) }
		}},
		{"revoke", 2, func() input {
			now, source, port, cut := c.pass(time.Second), c.network(), c.guarded(), c.r.IntN(2) == 0
			c.cut = cut
			return func(e *Engine) []Event { return e.Revoke(now, source, port, cut) }
		}},
		{"restore", 2, c.restore},
		{"forget", 1, func() input {
			now, chosen := c.pass(time.Second), Selection{Script: []string{"s.lua", "name"}[c.r.IntN(2)], Shared: c.r.IntN(2) == 0}
			return func(e *Engine) []Event { return e.Forget(now, chosen) }
		}},
		{"local", 1, func() input {
			now, local := c.pass(time.Second), []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.0.1/32")}
			if c.r.IntN(2) == 0 {
				local = nil
			}
			return func(e *Engine) []Event { return e.Local(now, local) }
		}},
		{"clock", 1, func() input {
			now, doubt := c.pass(time.Second), c.r.IntN(4) == 0
			return func(e *Engine) []Event { return e.Clock(now, doubt) }
		}},
		{"step", 1, func() input {
			now, offset := c.pass(time.Second), time.Duration(c.r.IntN(100))*time.Hour
			if c.r.IntN(2) == 0 {
				offset = time.Duration(c.r.IntN(60)-30) * time.Second
			}
			return func(e *Engine) []Event { return e.Step(now, offset) }
		}},
		{"end", 1, func() input {
			now := c.pass(time.Second)
			return func(e *Engine) []Event { return e.End(now, now.Add(time.Minute)) }
		}},
		{"shutdown", 1, func() input {
			now := c.pass(time.Second)
			return func(e *Engine) []Event { return e.Shutdown(now) }
		}},
	}
	n := c.r.IntN(108)
	for _, in := range inputs {
		if n -= in.weight; n < 0 {
			c.past = append(c.past, in.name)
			c.do(in.make())
			return
		}
	}
}

// pass lets time pass, often none.
func (c *chaos) pass(most time.Duration) time.Time {
	if c.r.IntN(3) == 0 {
		c.now = c.now.Add(time.Duration(c.r.Int64N(int64(most)/1e9+1)) * time.Second)
	}
	return c.now
}

func (c *chaos) packet() input {
	c.sent++
	p := packet.Packet{
		Time: c.pass(3 * time.Second), Number: c.sent, Source: c.source(), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: uint16(20000 + c.r.IntN(40000)), Port: c.port(chaosPorts...), Flags: packet.SYN, Sequence: uint32(c.sent),
	}
	p.Digest = uint64(c.sent)
	if c.copies && c.latest.Source.IsValid() && c.r.IntN(6) == 0 { // the latest packet again, often a copy
		c.now = c.now.Add(time.Duration(c.r.IntN(3)) * 2 * time.Millisecond)
		p = c.latest
		p.Time, p.Number = c.now, c.sent
		p.Interface, p.LinkDigest, p.ID = uint32(c.r.IntN(2)), uint64(c.r.IntN(2)), uint16(c.r.IntN(2))
		return func(e *Engine) []Event { return e.Packet(&p) }
	}
	switch c.r.IntN(8) {
	case 0: // a retransmit of something recent, often
		p.SourcePort, p.Sequence = 20000, uint32(c.r.IntN(3))
	case 1: // a flow that this host begins
		p.Source, p.Dest, p.Port.Proto = p.Dest, p.Source, packet.UDP
	case 2:
		p.Dest = virtual
	case 3:
		p.Flags |= packet.ACK
	case 4:
		if pool := c.e.index.pool; len(pool) > 0 {
			p.Port = pool[c.r.IntN(len(pool))].Port
		}
	}
	c.latest = p
	return func(e *Engine) []Event { return e.Packet(&p) }
}

func (c *chaos) result() input {
	if len(c.awaited) == 0 {
		return func(*Engine) []Event { return nil }
	}
	i := c.r.IntN(min(len(c.awaited), 4))
	id := c.awaited[i]
	c.awaited = slices.Delete(c.awaited, i, i+1)
	var err error
	if c.r.IntN(3) == 0 {
		err = errors.New("no such device")
	}
	now := c.pass(time.Second)
	return func(e *Engine) []Event { return e.Result(now, id, err) }
}

func (c *chaos) restore() input {
	now := c.pass(time.Second)
	c.do(func(e *Engine) []Event { return e.Tick(now) }) // so that no timer takes the id first
	g := Grant{
		ID: c.e.grants.lastID + 1 + uint64(c.r.IntN(3)), Door: c.name(), By: c.source(), Source: c.network(),
		Port: c.guarded(), TTL: time.Minute, End: c.now.Add(time.Duration(c.r.IntN(40)-10) * time.Second),
	}
	if c.r.IntN(2) == 0 {
		g.Port, g.Argv, g.Undo, g.Timeout, g.Shared = packet.Port{}, mount.Argv, mount.Undo, time.Second, c.r.IntN(2) == 0
	}
	c.journal[g.ID] = g
	value := Put{Key: fmt.Sprint(c.r.IntN(50)), Value: "old", Until: c.now.Add(time.Minute)}
	if len(c.e.store.values) == c.e.cfg.Grants {
		value.Value = nil
	}
	use := Consumed{fmt.Sprint("/once", c.r.IntN(2)), fmt.Sprint(1 + c.r.IntN(7))}
	return func(e *Engine) []Event {
		return e.Restore(now, []Record{{Grant: &g}, {Grant: &g}, {Store: &value, Script: "s.lua"}, {Consumed: &use}})
	}
}

func (c *chaos) source() netip.Addr {
	if c.r.IntN(4) == 0 {
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 7: byte(c.r.IntN(2)), 15: byte(c.r.IntN(4))})
	}
	return netip.AddrFrom4([4]byte{203, 0, byte(c.r.IntN(3)), byte(c.r.IntN(4))})
}

func (c *chaos) network() netip.Prefix {
	a := c.source()
	p, err := a.Prefix(a.BitLen() - []int{0, 0, 2, 8, 16}[c.r.IntN(5)])
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *chaos) port(names ...string) packet.Port {
	return ports(c.t, names[c.r.IntN(len(names))])[0]
}

func (c *chaos) guarded() packet.Port { return c.port("tcp/22", "tcp/443", "udp/53") }

func (c *chaos) name() string { return fmt.Sprint("door", c.r.IntN(7)) }

// newSet returns a set that keeps some doors as they were, changes and drops
// others, and puts them in another order.
func (c *chaos) newSet() input {
	now := c.pass(time.Second)
	next := map[string]*Door{}
	for _, d := range c.set {
		if c.r.IntN(3) > 0 {
			same := *d
			next[d.Name] = &same
		}
	}
	for range 3 {
		d := c.newDoor()
		next[d.Name] = d
	}
	c.set = slices.SortedFunc(maps.Values(next), func(a, b *Door) int { return a.Line - b.Line })
	c.r.Shuffle(len(c.set), func(i, j int) { c.set[i], c.set[j] = c.set[j], c.set[i] })
	c.owner = []string{"s.lua", "name"}[c.r.IntN(2)]
	for _, d := range c.set {
		d.Owner = c.owner
	}
	set := c.engineSet()
	return func(e *Engine) []Event { return e.Swap(now, set) }
}

func (c *chaos) engineSet() *Set {
	return &Set{
		Doors: slices.Clone(c.set), Scripts: []Script{{"s.lua", c.owner}},
		Timers: []Timer{{Script: "s.lua", Owner: c.owner, Name: "later", Handler: handlerFunc(c.handle)}},
	}
}

func (c *chaos) newDoor() *Door {
	sequence := []string{}
	for range 1 + c.r.IntN(4) {
		sequence = append(sequence, chaosPorts[c.r.IntN(len(chaosPorts))])
	}
	d := guarding(c.t, aDoor(c.t, c.name(), sequence...), "tcp/22")
	c.sent++
	d.Script, d.Line = "s.lua", c.sent
	d.Listen, d.Strict = c.r.IntN(8) == 0, c.r.IntN(4) == 0
	d.StepTimeout = time.Duration(c.r.IntN(3)) * 2 * time.Second
	d.Tripwires = 20 * c.r.IntN(3)
	d.NoteCompletions, d.Cut = c.r.IntN(2) == 0, c.r.IntN(2) == 0
	d.OnWrong, d.Duplicates = OnWrong(c.r.IntN(2)), Duplicates(c.r.IntN(2))
	if c.r.IntN(3) == 0 {
		asking(inGroup(d, fmt.Sprint("group", c.r.IntN(2))), []FlagTest{SYN, anySYN, {}}[c.r.IntN(3)])
		d.StepTimeout, d.Within = 0, d.Within*time.Duration(min(1, c.r.IntN(6)))
	}
	if c.r.IntN(6) == 0 {
		d.Target = virtual
	}
	if c.r.IntN(4) == 0 {
		d.OneTime = c.oneTime(d)
	}
	if c.r.IntN(3) == 0 {
		d.Limit = &Limit{Count: 2, Per: 10 * time.Second, PerSource: c.r.IntN(2) == 0}
	}
	if c.r.IntN(3) == 0 {
		d.EndsWith = hourly{time.Hour - time.Duration(c.r.IntN(2))*50*time.Minute}
	}
	if d.Listen || c.r.IntN(2) == 0 {
		scripted(d, Hooks(c.r.IntN(32)), c.handle)
	}
	return d
}

// oneTime returns some of the lines of one of two files; a line has the same
// knocks in each door that asks for the same flags.
func (c *chaos) oneTime(d *Door) *OneTime {
	list := &OneTime{File: fmt.Sprint("/once", c.r.IntN(2))}
	for range c.r.IntN(6) {
		n := c.r.IntN(8)
		s := OneTimeSequence{Line: fmt.Sprint(n)}
		if n == 0 {
			s.Line = ""
		}
		for i := range 1 + n%3 {
			s.Knocks = append(s.Knocks, Knock{Port: ports(c.t, chaosPorts[(n+i)%len(chaosPorts)])[0], Flags: d.Flags})
		}
		list.Sequences = append(list.Sequences, s)
	}
	return list
}

// handle answers with what its moment permits, and sometimes with what it does
// not. The same moment gives the same answer.
func (c *chaos) handle(m *Call) (Decision, error) {
	r := rand.New(rand.NewPCG(m.Seed, uint64(m.Wall.Unix())))
	m.Spend(int64(r.IntN(4) / 3 * r.IntN(5_000_000)))
	if r.IntN(12) == 0 {
		return Decision{}, errors.New("a fault")
	}
	reply := Decision{Refused: r.IntN(8) == 0}
	if n, ok := m.Store.Get("s.lua", m.Source, "7", m.Time).(float64); ok {
		reply.Verdict.Detail = fmt.Sprint(n)
	}
	for range r.IntN(4) {
		reply.Operations = append(reply.Operations, c.operation(m, r))
	}
	return reply, nil
}

func (c *chaos) operation(m *Call, r *rand.Rand) Operation {
	n, ttl := r.IntN(9), time.Duration(r.IntN(20))*time.Second
	switch {
	case n < 3 && (m.Kind == CallOpen || m.Kind == CallKnock):
		ssh := packet.Port{Proto: packet.TCP, Number: []uint16{22, 443}[r.IntN(2)]}
		allow := Allow{Ports: []packet.Port{ssh}, TTL: ttl, Bits4: []int{0, 16, 24}[r.IntN(3)], Bits6: []int{0, 32, 64}[r.IntN(3)]}
		if r.IntN(4) == 0 {
			allow.For = Completion{Door: c.set[r.IntN(len(c.set))].Name, Within: time.Minute}
		}
		return allow
	case n < 5 && m.Kind != CallClose:
		return Exec{Argv: []string{"/bin/mount", string("\xff /mnt"[r.IntN(2):])}, Undo: mount.Undo, TTL: time.Second + ttl, Timeout: time.Second, Required: r.IntN(2) == 0, Shared: r.IntN(2) == 0}
	case n == 5 && len(c.set) > 0:
		return Close{Door: c.set[r.IntN(len(c.set))].Name}
	case n == 6:
		return After{Delay: time.Second + ttl, Name: "later", Value: []any{nil, true, math.Inf(1), "a\xfe\x00b"}[r.IntN(4)]}
	case n == 7:
		return Log{Text: fmt.Sprint(m.Kind, m.Value, m.Name, m.Stage, m.Reason)}
	}
	return Put{Key: fmt.Sprint(r.IntN(50)), Value: []any{true, 0.1, "x", nil}[r.IntN(4)], Until: m.Time.Add(ttl), PerSource: r.IntN(2) == 0}
}

func (c *chaos) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf(format, args...)
}

func (c *chaos) check() {
	c.checkTable()
	c.checkDoors()
	c.checkRuns()
	c.checkTimers()
	c.checkGrants()
	c.checkElements()
	c.checkLimits()
	c.checkBounds()
	c.checkTotals()
}

// checkLimits compares the buckets of the limits with their queues, and with the bound.
func (c *chaos) checkLimits() {
	l, used := c.e.limits, 0
	for key, a := range l.byLimit {
		used += len(a.queue)
		if len(a.queue) != len(a.sources) {
			c.errorf("%v: %d in the queue, %d sources", key, len(a.queue), len(a.sources))
		}
		for i, b := range a.queue {
			if b.index != i || a.sources[b.source] != b || i > 0 && a.queue.Less(i, (i-1)/2) {
				c.errorf("%v: %+v is at %d in the queue", key, b, i)
			}
		}
	}
	if l.used != used || used > l.capacity {
		c.errorf("%d buckets, %d counted, %d may be", used, l.used, l.capacity)
	}
}

// checkTable reports whether the index, the order of age, the runs and the list of
// free slots share the slots among them.
func (c *chaos) checkTable() {
	a := c.e.attempts
	seen := map[int32]string{}
	is := func(slot int32, what string) {
		if was := seen[slot]; was != "" || slot == 0 {
			c.errorf("slot %d is %s and %s", slot, was, what)
		}
		seen[slot] = what
	}
	older := int32(0)
	for slot := a.oldest; slot != 0; slot = a.slots.at(slot).newer {
		is(slot, "in the order of age")
		if a.slots.at(slot).older != older || a.slots.at(slot).run != 0 {
			c.errorf("slot %d is in no order: %+v", slot, a.slots.at(slot))
		}
		older = slot
	}
	if a.newest != older {
		c.errorf("the newest slot is %d: want %d", a.newest, older)
	}
	for i, r := range a.runs {
		if r != nil {
			is(r.slot, "at a later stage")
			if int(a.slots.at(r.slot).run) != i {
				c.errorf("run %d is of slot %d, whose run is %d", i, r.slot, a.slots.at(r.slot).run)
			}
		} else if i > 0 && !slices.Contains(a.freeRuns, int32(i)) {
			c.errorf("run %d is neither used nor free", i)
		}
	}
	if len(seen) != a.used {
		c.errorf("%d attempts: %d are counted", len(seen), a.used)
	}
	for slot := range seen {
		if d := c.e.index.byID[a.slots.at(slot).door]; d != nil && d.key != a.slots.at(slot).key.group {
			c.errorf("slot %d is found by %d: want %d", slot, a.slots.at(slot).key.group, d.key)
		}
		found := 0
		for other := range a.all(a.slots.at(slot).key) {
			if other == slot {
				found++
			}
		}
		if found != 1 {
			c.errorf("slot %d is found %d times", slot, found)
		}
	}
	entries := len(slices.DeleteFunc(slices.Clone(a.index), func(entry uint64) bool { return entry == 0 }))
	for slot := a.free; slot != 0; slot = a.slots.at(slot).newer {
		is(slot, "free")
	}
	if entries != a.keys || len(seen) != a.slots.length-1 {
		c.errorf("%d entries for %d keys; %d of %d slots are used or free", entries, a.keys, len(seen), a.slots.length-1)
	}
}

// checkDoors reports whether doors know how many attempts they have, and are awake
// where they must be.
func (c *chaos) checkDoors() {
	live := map[uint32]int{}
	a := c.e.attempts
	for i := range int32(a.slots.length) {
		live[a.slots.at(i).door]++
	}
	awake := map[*portDoors][]*door{}
	grouped := map[*group]int{}
	for i, d := range c.e.index.doors {
		if d.order != i || d.live != live[d.id] || c.e.index.byID[d.id] != d || c.e.index.byName[d.Name] != d {
			c.errorf("%s is at %d and has %d attempts: want %d and %d", d.Name, d.order, d.live, i, live[d.id])
		}
		c.checkOneTime(d)
		if d.group != nil {
			grouped[d.group] += d.live
			c.checkGroup(d)
			continue
		}
		for _, k := range d.Sequence {
			here := c.at(d, k.Port)
			begins := d.Listen || d.Sequence[0].Port == k.Port
			if d.live > 0 && !begins && !slices.Contains(awake[here], d) {
				awake[here] = append(awake[here], d)
			}
		}
	}
	for port, here := range c.e.index.ports {
		all := []*portDoors{here}
		if other := here.byTarget[virtual]; other != nil {
			all = append(all, other)
		}
		for _, here := range all {
			if !slices.Equal(here.active, awake[here]) {
				c.errorf("%d doors are awake at %v: want %d", len(here.active), port, len(awake[here]))
			}
			if !slices.IsSortedFunc(here.first, func(a, b *door) int { return a.order - b.order }) {
				c.errorf("the doors that begin at %v are in no order", port)
			}
			if !slices.IsSortedFunc(here.groups, func(a, b *groupPort) int { return a.order - b.order }) {
				c.errorf("the groups at %v are in no order", port)
			}
		}
	}
	for g, live := range grouped {
		if g.live != live {
			c.errorf("group %d has %d attempts: want %d", g.id, g.live, live)
		}
	}
}

// checkOneTime reports whether a door is at the first of its one-time sequences that
// was not used.
func (c *chaos) checkOneTime(d *door) {
	o := d.oneTime
	switch {
	case (o != nil) != (d.OneTime != nil && !d.Listen):
		c.errorf("%s has lost its one-time sequences", d.Name)
	case o == nil:
	case o.stale || len(o.unused)+len(o.used) != len(d.OneTime.Sequences):
		c.errorf("%s has %d sequences left and used %d, of %d", d.Name, len(o.unused), len(o.used), len(d.OneTime.Sequences))
	case len(o.unused) == 0 && len(d.Sequence) > 0, len(o.unused) > 0 && !slices.Equal(o.unused[0].Knocks, d.Sequence):
		c.errorf("%s is at %v", d.Name, d.Sequence)
	}
}

// at returns where a door is known at one of its ports.
func (c *chaos) at(d *door, port packet.Port) *portDoors {
	here := c.e.index.ports[port]
	if d.Target.IsValid() {
		here = here.byTarget[d.Target]
	}
	return here
}

// checkGroup reports whether the group of a door is where the door needs it.
func (c *chaos) checkGroup(d *door) {
	if c.e.index.groups[d.Group] != d.group || d.key != d.group.id || c.e.index.byID[d.group.id] != nil {
		c.errorf("%s is in group %d, and its attempts are found by %d", d.Name, d.group.id, d.key)
	}
	for i, k := range d.Sequence {
		at := slices.IndexFunc(d.group.ports, func(at *groupPort) bool { return at.here == c.at(d, k.Port) })
		if at < 0 {
			c.errorf("%s has %v, and its group does not", d.Name, k.Port)
			continue
		}
		here := d.group.ports[at]
		awake, asleep := slices.Contains(here.here.groups, here), slices.Contains(d.group.inactive, here)
		if awake == asleep || asleep && !here.idle() || !slices.Contains(here.tests, k.Flags) || i == 0 && !slices.Contains(here.first, d) {
			c.errorf("the group of %s is awake at %v: %v, and asleep: %v; %d doors begin there", d.Name, k.Port, awake, asleep, len(here.first))
		}
	}
}

// checkRuns reports whether each later-stage attempt is one that the rules permit,
// in a door of now.
func (c *chaos) checkRuns() {
	for _, r := range c.e.attempts.runs {
		switch {
		case r == nil:
		case c.e.index.byID[r.door.id] != r.door || c.e.attempts.slots.at(r.slot).door != r.door.id:
			c.errorf("a run is in %s, a door that is gone", r.door.Name)
		case len(r.hits) < 2 || len(r.hits) >= len(r.door.Sequence) || !isHead(r.door, r.hits):
			c.errorf("a run of %s has the knocks %v", r.door.Name, r.hits)
		case r.timer.index < 0 || r.timer.due != deadline(r.door, r.hits) || r.timer.run != r:
			c.errorf("a run of %s ends at %d: want %d", r.door.Name, r.timer.due, deadline(r.door, r.hits))
		}
	}
}

// checkTimers reports whether each timer is in its place, ahead of those behind it,
// and of something that still is.
func (c *chaos) checkTimers() {
	count := map[timerKind]int{}
	for i, t := range c.e.timers {
		count[t.kind]++
		if t.index != i || i > 0 && c.e.timers.Less(i, (i-1)/2) || t.due <= c.e.now && t.due < wire.Forever {
			c.errorf("timer %d says it is at %d, due at %d, which is %d: or it is before its parent", i, t.index, t.due, c.e.now)
		}
		door := ""
		switch t.kind {
		case attemptTimer:
			door = t.run.door.Name
		case grantTimer:
			door = t.grant.Door
			if c.e.grants.byID[t.grant.ID] != t.grant {
				c.errorf("a timer is of grant %d, which is over", t.grant.ID)
			}
		case scriptTimer:
			door = t.delayed.door
		}
		if t.door != c.e.index.order(door) {
			c.errorf("a timer of %s acts at %d: want %d", door, t.door, c.e.index.order(door))
		}
	}
	runs := len(c.e.attempts.runs) - 1 - len(c.e.attempts.freeRuns)
	if count[attemptTimer] != runs || count[grantTimer] != c.e.grants.count() || count[scriptTimer] != c.e.delayed {
		c.errorf("timers %v of %d runs, %d grants, %d delays", count, runs, c.e.grants.count(), c.e.delayed)
	}
}

// checkGrants reports whether a grant is in every list where it belongs, and no
// list has another.
func (c *chaos) checkGrants() {
	s := c.e.grants
	want, networks := newGrants(), 0
	byKey, byAsker := map[grantKey][]*grant{}, map[asker][]*grant{}
	byGiver, byHolder := map[giver][]*grant{}, map[holder][]*grant{}
	for _, g := range s.all() {
		if g.timer.index < 0 || g.timer.due != g.End.UnixNano() || g.key != keyOf(&g.Grant) || g.ID > s.lastID {
			c.errorf("grant %d ends at %v, its timer at %v", g.ID, g.End, wire.Time(g.timer.due))
		}
		if kept, ok := c.journal[g.ID]; !ok || !kept.End.Equal(g.End) {
			c.errorf("grant %d ends at %v: the journal has %v", g.ID, g.End, kept.End)
		}
		add(byKey, g.key, g)
		add(byAsker, askerOf(g), g)
		add(byGiver, giverOf(g), g)
		add(byHolder, holderOf(g), g)
		want.counts(g, 1)
		c.checkLetting(g)
		if g.Argv == nil && !g.Source.IsSingleIP() {
			if l, _ := s.networks[g.Port].Get(g.Source); l != s.byKey.of[g.key] {
				c.errorf("the network of grant %d, %v, is not found at %v", g.ID, g.Source, g.Port)
			}
			if len(byKey[g.key]) == 1 {
				networks++
			}
		}
	}
	same(c, s.byKey, byKey)
	same(c, s.byAsker, byAsker)
	same(c, s.byGiver, byGiver)
	same(c, s.byHolder, byHolder)
	c.checkHeld()
	if !maps.EqualFunc(s.lengths, want.lengths, slices.Equal) {
		c.errorf("prefix lengths %v: want %v", s.lengths, want.lengths)
	}
	for _, t := range s.networks {
		networks -= t.Size()
	}
	if networks != 0 || len(s.runs) > len(s.byKey.of) {
		c.errorf("%d networks too few, %d runs for %d keys", networks, len(s.runs), len(s.byKey.of))
	}
}

// checkCut reports whether a close cuts exactly when it should. The journal has the grants that
// were live at the close.
func (c *chaos) checkCut(e Event) {
	g := c.journal[e.Grant]
	want := g.Argv == nil && (g.Cut || c.cut && e.Reason == Revoked ||
		g.Port.Proto == packet.UDP && e.Reason != Expired && e.Reason != WindowEnded)
	for id, other := range c.journal {
		if id != e.Grant && other.Argv == nil && other.Port == g.Port &&
			other.Source.Bits() <= g.Source.Bits() && other.Source.Contains(g.Source.Addr()) {
			want = false
		}
	}
	if e.Cut != want {
		c.t.Errorf("%s: cut is %v, want %v", brief(e), e.Cut, want)
	}
}

// checkLetting checks that the grant which lets a source in is the one of all that lasts longest.
func (c *chaos) checkLetting(g *grant) {
	a := g.Source.Addr()
	var end time.Time
	for _, other := range c.e.grants.byID {
		if other.Argv == nil && other.Port == g.Port && other.Source.Contains(a) && other.End.After(end) {
			end = other.End
		}
	}
	switch got := c.e.grants.letting(a, g.Port); {
	case g.Argv != nil:
	case got == nil || !got.End.Equal(end):
		c.errorf("%v is let in at %v by %+v: want a grant until %v", a, g.Port, got, end)
	}
}

// checkHeld compares who has a grant with a look at each grant.
func (c *chaos) checkHeld() {
	for i := range 7 {
		door, observed := fmt.Sprint("door", i), i%2 == 0
		source := netip.AddrFrom4([4]byte{203, 0, byte(i % 3), byte(i % 4)})
		if i == 6 {
			source = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: 2})
		}
		var want time.Time
		for _, g := range c.e.grants.all() {
			if g.Door == door && g.Source.Contains(source) && (observed || !g.Observed) && g.End.After(want) {
				want = g.End
			}
		}
		if got := c.e.grants.held(door, source, observed); !got.Equal(want) {
			c.errorf("%v has a grant of %s until %v: want %v", source, door, got, want)
		}
	}
}

func add[K comparable](m map[K][]*grant, key K, g *grant) { m[key] = append(m[key], g) }

// same reports whether lists are what a look at each grant makes, each with the grant on top that
// ends last.
func same[K comparable](c *chaos, got lists[K], want map[K][]*grant) {
	if len(got.of) != len(want) {
		c.errorf("%d lists of kind %d: want %d", len(got.of), got.kind, len(want))
	}
	for k, list := range want {
		l := got.of[k]
		slices.SortFunc(list, byInsertion)
		if !slices.Equal(l.inOrder(), list) {
			c.errorf("the list of %v has %d grants: want %d", k, len(l.inOrder()), len(list))
			continue
		}
		for i, g := range l.grants {
			if g.places[got.kind] != i || i > 0 && l.Less(i, (i-1)/2) {
				c.errorf("grant %d says it is at %d of the list of %v, and is at %d", g.ID, g.places[got.kind], k, i)
			}
		}
	}
}

// checkElements reports whether what the engine says of elements is what one look
// at each grant says.
func (c *chaos) checkElements() {
	all := c.e.grants.all()
	for _, g := range all {
		end, covered := time.Time{}, false
		for _, other := range all {
			if other.key == g.key && other.End.After(end) {
				end = other.End
			}
			covered = covered || g.Argv == nil && other.Argv == nil && other.Port == g.Port &&
				other.Source.Bits() < g.Source.Bits() && other.Source.Contains(g.Source.Addr())
		}
		if covered && !g.Source.IsSingleIP() {
			end = time.Time{}
		}
		if got := c.e.grants.element(g.key); !got.Equal(end) {
			c.errorf("the element of %v ends at %v: want %v", g.key, got, end)
		}
		if g.Argv == nil && !c.e.grants.reaches(g.Source.Addr(), g.Port) {
			c.errorf("%v does not reach %v", g.Source.Addr(), g.Port)
		}
	}
}

// checkUse reports whether what each script is said to have is what it has.
func (c *chaos) checkUse() {
	values, delays, pending := map[string]int{}, map[string]int{}, map[string]int{}
	for key := range c.e.store.values {
		values[key.script]++
	}
	for _, t := range c.e.timers {
		if t.kind == scriptTimer {
			delays[t.delayed.owner]++
		}
	}
	for _, p := range c.e.batches.byID {
		pending[p.batch.entries[p.index].event.Door]++
	}
	if !maps.Equal(values, c.e.store.used) || !maps.Equal(delays, c.e.delays) || !maps.Equal(pending, c.e.batches.byDoor) {
		c.errorf("scripts have %v, %v, %v: want %v, %v, %v", c.e.store.used, c.e.delays, c.e.batches.byDoor, values, delays, pending)
	}
}

// checkBounds reports whether nothing is larger than it may be, and nothing is left
// over from the input.
func (c *chaos) checkBounds() {
	e := c.e
	if e.attempts.used > e.cfg.Attempts || e.delayed > e.cfg.Grants {
		c.errorf("%d attempts, %d delays", e.attempts.used, e.delayed)
	}
	if len(e.store.values) > e.cfg.Grants {
		c.errorf("%d values in a store for %d", len(e.store.values), e.cfg.Grants)
	}
	c.checkUse()
	if len(e.pendingCloses) > 0 || e.packet != nil {
		c.errorf("%d closings are left, and the packet %v", len(e.pendingCloses), e.packet)
	}
	for id, p := range e.batches.byID {
		if p.batch.entries[p.index].event.ID != id {
			c.errorf("effect %d is found at the place of %d", id, p.batch.entries[p.index].event.ID)
		}
	}
	rest := slices.Clone(e.timers)
	for i := range rest {
		clone := *rest[i]
		rest[i] = &clone
	}
	for last := int64(-1 << 62); len(rest) > 0; {
		t := heap.Pop(&rest).(*timer)
		if t.due < last {
			c.errorf("a timer due at %d fires after one due at %d", t.due, last)
		}
		last = t.due
	}
}
