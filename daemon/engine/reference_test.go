package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// A reference is the matching rules as the design words them, with no thought
// for cost: it keeps every counted knock of each source and door and searches
// them all, each time.
type reference struct {
	door  *Door
	wires []Knock // tripwires
	past  map[netip.Addr][]hit
}

// run returns the longest run of the latest knocks that is a head of the
// sequence and in time.
func (r *reference) run(source netip.Addr, now int64) []hit {
	past := r.past[source]
	for n := min(len(past), len(r.door.Sequence)-1); n > 0; n-- {
		if candidate := past[len(past)-n:]; r.holds(candidate, now) {
			return candidate
		}
	}
	return nil
}

func (r *reference) holds(hits []hit, now int64) bool {
	d := r.door
	if now-hits[0].at >= int64(d.Within) {
		return false
	}
	previous := hits[0].at
	for i, h := range hits {
		if !h.is(d.Sequence[i]) || d.StepTimeout > 0 && h.at-previous >= int64(d.StepTimeout) {
			return false
		}
		previous = h.at
	}
	return d.StepTimeout == 0 || now-previous < int64(d.StepTimeout)
}

// knock takes a packet and reports whether the door opens.
func (r *reference) knock(p *packet.Packet) bool {
	d, now := r.door, p.Time.UnixNano()
	if slices.ContainsFunc(r.wires, func(k Knock) bool { return k.Holds(p) }) && !slices.Contains(d.Except, p.Port) {
		r.past[p.Source] = nil // whatever on_wrong says
		return false
	}
	wanted := slices.ContainsFunc(d.Sequence, func(k Knock) bool { return k.Holds(p) })
	if !wanted && (!d.Strict || slices.Contains(d.Except, p.Port) || isOdd(p)) {
		return false // with both flags it is malformed
	}
	h := hit{port: p.Port, flags: p.Flags, at: now}
	run := r.run(p.Source, now)
	switch {
	case d.Sequence[len(run)].Holds(p):
		if len(run)+1 == len(d.Sequence) {
			r.past[p.Source] = nil
			return true
		}
	case len(run) > 0 && d.Duplicates == DuplicatesIgnored && d.Sequence[len(run)-1].Holds(p):
		if len(run) > 1 {
			return false
		}
		r.past[p.Source] = nil
	case len(run) > 0 && d.OnWrong == WrongIgnored:
		return false
	}
	r.past[p.Source] = append(r.past[p.Source], h)
	return false
}

// stage returns how far a source is.
func (r *reference) stage(source netip.Addr, now int64) int { return len(r.run(source, now)) }

// aHistory is a door and packets that have a fair chance to open it.
type aHistory struct {
	door    *Door
	wires   []Knock // tripwires
	packets []packet.Packet
}

func randomHistory(t testing.TB, random *rand.Rand) aHistory {
	alphabet := ports(t, "tcp/1", "tcp/2", "udp/1", "tcp/3")
	d := aDoor(t, "d")
	d.Within = time.Duration(1+random.IntN(12)) * time.Second
	if random.IntN(2) == 0 {
		d.StepTimeout = time.Duration(1+random.IntN(5)) * time.Second
	}
	d.OnWrong, d.Duplicates, d.Strict = OnWrong(random.IntN(2)), Duplicates(random.IntN(2)), random.IntN(4) == 0
	for range 1 + random.IntN(6) {
		flags := SYN
		if random.IntN(5) == 0 {
			flags = FlagTest{Set: packet.FIN}
		}
		d.Sequence = append(d.Sequence, Knock{alphabet[random.IntN(3)], flags})
	}
	if random.IntN(3) > 0 {
		d.Tripwires = 1 + random.IntN(8)
	}
	h := aHistory{door: d, wires: (&Set{Doors: []*Door{d}}).Tripwires()}
	if len(h.wires) > 0 && random.IntN(3) == 0 {
		d.Except = []packet.Port{h.wires[0].Port}
	}
	now, next := monday, 0
	for i := range 5 + random.IntN(40) {
		now = now.Add([]time.Duration{0, time.Second / 2, time.Second, 2 * time.Second}[random.IntN(4)])
		port, flags := alphabet[random.IntN(len(alphabet))], packet.SYN
		if random.IntN(3) > 0 {
			k := d.Sequence[next%len(d.Sequence)]
			port, flags = k.Port, k.Flags.Set
			next++
		}
		if len(h.wires) > 0 && random.IntN(12) == 0 {
			k := h.wires[random.IntN(len(h.wires))]
			port, flags = k.Port, k.Flags.Set
		}
		if random.IntN(8) == 0 {
			flags = packet.SYN | packet.FIN
		}
		h.packets = append(h.packets, packet.Packet{
			Time: now, Number: i + 1, Port: port, Flags: flags, Sequence: uint32(i), SourcePort: uint16(i),
			Source: netip.AddrFrom4([4]byte{203, 0, 113, byte(random.IntN(2))}), Dest: netip.MustParseAddr("198.51.100.1"),
		})
	}
	return h
}

func TestEngineMatchesTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	opens := 0
	for n := range 100_000 {
		h := randomHistory(t, random)
		e := New(Config{}, monday)
		e.Swap(monday, &Set{Doors: []*Door{h.door}})
		ref := &reference{door: h.door, wires: (&Set{Doors: []*Door{h.door}}).Tripwires(), past: map[netip.Addr][]hit{}}
		for i := range h.packets {
			p := &h.packets[i]
			opened := slices.ContainsFunc(e.Packet(p), func(event Event) bool { return event.Kind == EventOpen })
			if want := ref.knock(p); opened != want {
				t.Fatalf("history %d, packet %d: opened %v, want %v\n%s", n, i+1, opened, want, describe(h))
			}
			if opened {
				opens++
			}
			if got, want := stageOf(e, p.Source), ref.stage(p.Source, p.Time.UnixNano()); got != want {
				t.Fatalf("history %d, packet %d: at stage %d, want %d\n%s", n, i+1, got, want, describe(h))
			}
		}
	}
	if opens < 10_000 {
		t.Errorf("only %d openings: the histories prove little", opens)
	}
}

// stageOf returns how far a source is in the only door.
func stageOf(e *Engine, source netip.Addr) int {
	d := e.index.doors[0]
	slot := e.attempts.find(attemptKey{source.As16(), d.id})
	if slot == 0 || e.expired(slot, d) {
		return 0
	}
	return e.stage(slot)
}

func describe(h aHistory) string {
	s := fmt.Sprintf("%+v\ntripwires %v\n", *h.door, h.wires)
	for _, p := range h.packets {
		s += fmt.Sprintf("%3d %v %v %v %08b\n", p.Number, p.Time.Sub(monday), p.Source, p.Port, p.Flags)
	}
	return s
}

// anEngine runs a random history of all inputs, and returns all events.
func anEngine(t *testing.T, random *rand.Rand, check func(*Engine, time.Time, []Event)) []string {
	h := randomHistory(t, random)
	h.door.Guards = ports(t, "tcp/22")
	other := scripted(guarding(t, aDoor(t, "e", "tcp/2", "udp/1"), "tcp/80"), HookOpen|HookClose, func(m *Call) (Decision, error) {
		if m.Kind == CallClose {
			return Decision{Operations: []Operation{Log{Text: string(m.Reason)}}}, nil
		}
		return Decision{Operations: []Operation{Allow{Bits4: 24 + int(m.Seed%8)}, mount, Close{"d"}, Put{Key: "k", Value: float64(m.Seed % 100)}}}, nil
	})
	e := New(Config{Attempts: 3, Grants: 4}, monday)
	all := []string{}
	see := func(now time.Time, events []Event) {
		check(e, now, events)
		for _, event := range slices.Clone(events) {
			all = append(all, brief(event)+fmt.Sprint(event.Until.UnixNano(), event.ID))
		}
	}
	see(monday, e.Swap(monday, &Set{Doors: []*Door{h.door, other}}))
	last := uint64(0)
	for i := range h.packets {
		p := &h.packets[i]
		p.Source = netip.AddrFrom4([4]byte{203, 0, 113, byte(random.IntN(6))})
		see(p.Time, e.Packet(p))
		switch random.IntN(6) {
		case 0:
			last = min(last+1, e.effects)
			see(p.Time, e.Result(p.Time, last, nil))
		case 1:
			last = min(last+1, e.effects)
			see(p.Time, e.Result(p.Time, last, fmt.Errorf("no")))
		case 2:
			see(p.Time, e.Swap(p.Time, &Set{Doors: []*Door{other, h.door}}))
		}
	}
	end := h.packets[len(h.packets)-1].Time
	see(end, e.End(end, end))
	for next, ok := e.Next(); ok; next, ok = e.Next() {
		end = next
		see(end, e.Tick(next))
	}
	return all
}

func TestSameInputsSameEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		nothing := func(*Engine, time.Time, []Event) {}
		first := anEngine(t, rand.New(rand.NewPCG(seed, 0)), nothing)
		second := anEngine(t, rand.New(rand.NewPCG(seed, 0)), nothing)
		if diff := cmp.Diff(first, second); diff != "" {
			r.Fatalf("two runs differ:\n%s", diff)
		}
	})
}

func TestLawsOfGrantsAndBounds(t *testing.T) {
	for seed := range uint64(3000) {
		ends := map[uint64]int64{}
		closed := map[uint64]bool{}
		anEngine(t, rand.New(rand.NewPCG(seed, 7)), func(e *Engine, now time.Time, events []Event) {
			for _, event := range events {
				switch {
				case event.Effect == EffectPersist && event.Persist.Grant != nil && !event.Persist.Ended:
					ends[event.Persist.Grant.ID] = event.Persist.Grant.End.UnixNano()
				case event.Kind == EventClose && closed[event.Grant]:
					t.Fatalf("seed %d: grant %d closed twice", seed, event.Grant)
				case event.Kind == EventClose:
					closed[event.Grant] = true
					if event.Time.UnixNano() > ends[event.Grant] {
						t.Fatalf("seed %d: grant %d outlived its end", seed, event.Grant)
					}
				}
			}
			for _, g := range e.grants.all() {
				if !g.End.After(now) {
					t.Fatalf("seed %d: grant %d is live at its end", seed, g.ID)
				}
			}
			if e.attempts.used > 3 || e.grants.count() > 4 || e.batches.pending() > 4+2*4 || len(e.store.values) > 4 {
				t.Fatalf("seed %d: beyond the bounds: %d attempts, %d grants, %d effects", seed, e.attempts.used, e.grants.count(), e.batches.pending())
			}
		})
		for id := range ends {
			if !closed[id] {
				t.Fatalf("seed %d: grant %d was never closed", seed, id)
			}
		}
	}
}

// A flood from others changes nothing for a source that is not evicted.
func TestAFloodChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		h := randomHistory(t, random)
		quiet, loud := New(Config{}, monday), New(Config{Attempts: 200 * 50}, monday)
		quiet.Swap(monday, &Set{Doors: []*Door{h.door}})
		loud.Swap(monday, &Set{Doors: []*Door{h.door}})
		var want, got []string
		for i := range h.packets {
			p := &h.packets[i]
			for range random.IntN(200) {
				q := *p
				q.Source = netip.AddrFrom4([4]byte{198, 18, byte(random.IntN(256)), byte(random.IntN(256))})
				q.Port, q.Flags = h.door.Sequence[0].Port, h.door.Sequence[0].Flags.Set
				q.SourcePort = uint16(random.IntN(65536))
				got = append(got, ofHonest(loud.Packet(&q))...)
			}
			got = append(got, ofHonest(loud.Packet(p))...)
			want = append(want, ofHonest(quiet.Packet(p))...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the flood changed something:\n%s\n%s", diff, describe(h))
		}
	}
}

// ofHonest returns the events of those who do not flood, without grant ids.
func ofHonest(events []Event) (lines []string) {
	for _, event := range events {
		if event.Source.Addr().As4()[0] == 203 && event.Effect != EffectPersist {
			event.Grant = 0
			lines = append(lines, brief(event))
		}
	}
	return lines
}

// At the bound the oldest first-stage attempt makes room, and no other.
func TestEviction(t *testing.T) {
	w := newWorld(t, classic(t))
	w.e = New(Config{Attempts: 3}, monday)
	w.e.Swap(monday, &Set{Doors: []*Door{classic(t)}})
	w.knock("203.0.113.1", "tcp/7000", "udp/8000")
	w.knock("203.0.113.2", "tcp/7000")
	w.knock("203.0.113.3", "tcp/7000")
	w.knock("203.0.113.4", "tcp/7000")
	w.got = nil
	w.knock("203.0.113.2", "udp/8000")
	w.knock("203.0.113.3", "udp/8000")
	w.knock("203.0.113.4", "udp/8000")
	w.want("0s stage ssh 203.0.113.3 2/3", "0s stage ssh 203.0.113.4 2/3")

	t.Log("# where all are at later stages the newcomer gives way")
	w.knock("203.0.113.5", "tcp/7000", "udp/8000")
	w.want()
	if n := w.e.Counts().Misses; n != 2 {
		t.Errorf("%d misses, want 2", n)
	}
}
