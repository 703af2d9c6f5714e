package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// A naiveTable has the attempts of a table in the order in which they were added.
type naiveTable []naiveAttempt

type naiveAttempt struct {
	key  attemptKey
	door uint32
	slot int32
}

// compare reports each difference between a table and the naive one.
func (n naiveTable) compare(t *rapid.T, a *table, sources int) {
	keys, entries := map[attemptKey][]int32{}, 0
	for _, one := range n {
		keys[one.key] = append(keys[one.key], one.slot)
		if at := a.slots.at(one.slot); at.key != one.key || at.door != one.door {
			t.Fatalf("slot %d has %+v, want %+v", one.slot, at, one)
		}
	}
	for key, want := range keys {
		if got := slices.Collect(a.all(key)); !slices.Equal(got, want) {
			t.Fatalf("the attempts with the key %+v are %v, want %v", key, got, want)
		}
	}
	bySource := 0
	for i := range sources {
		var want []int32
		for _, one := range n {
			if one.key.source == sourceNumber(i) {
				want = append(want, one.slot)
			}
		}
		if !a.bySource {
			continue
		}
		if len(want) > 0 {
			bySource++
		}
		got := slices.Sorted(a.ofSource(sourceNumber(i)))
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Fatalf("the attempts of source %d are %v, want %v", i, got, want)
		}
		for _, slot := range got {
			at := *a.neighbours.at(slot)
			if a.neighbours.at(at.before).after != slot || a.neighbours.at(at.after).before != slot {
				t.Fatalf("the ring of source %d is not closed at %d", i, slot)
			}
		}
	}
	for _, entry := range a.index {
		if entry != 0 {
			entries++
		}
	}
	if entries != a.keys || entries != len(keys)+bySource || 2*entries > len(a.index) {
		t.Fatalf("%d entries in an index of %d, %d counted; want %d keys and %d sources", entries, len(a.index), a.keys, len(keys), bySource)
	}
	if a.used != len(n) || a.full() != (len(n) >= a.capacity) {
		t.Fatalf("%d attempts, full %v; want %d of %d", a.used, a.full(), len(n), a.capacity)
	}
}

func sourceNumber(i int) (source [16]byte) {
	binary.BigEndian.PutUint32(source[:], uint32(i)) // 0 has the zero source
	return source
}

// A table agrees with a list, whatever is added and removed, with the rings of sources and without.
func TestTheRingsOfSourcesAgreeWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.SampledFrom([]int{1, 3, 60}).Draw(t, "sources")
		a, n := newTable(rapid.SampledFrom([]int{5, 300}).Draw(t, "capacity")), naiveTable{}
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 1))
		add := func() {
			key := attemptKey{sourceNumber(r.IntN(sources)), 1 + uint32(r.IntN(20))}
			door := key.group + 100*uint32(r.IntN(3))
			if a.full() || a.isIn(key, door) {
				return
			}
			n = append(n, naiveAttempt{key, door, a.add(key, door)})
		}
		remove := func(i int) {
			a.remove(n[i].slot)
			n = slices.Delete(n, i, i+1)
		}
		t.Repeat(map[string]func(*rapid.T){
			"one more": func(*rapid.T) { add() },
			"a flood": func(*rapid.T) {
				for range r.IntN(200) {
					add()
				}
			},
			"one less": func(t *rapid.T) {
				if len(n) == 0 {
					t.Skip("there is none")
				}
				remove(rapid.IntRange(0, len(n)-1).Draw(t, "which"))
			},
			"the end of a flood": func(t *rapid.T) {
				order := rapid.SampledFrom([]string{"oldest first", "newest first", "any"}).Draw(t, "order")
				for range r.IntN(len(n) + 1) {
					remove(map[string]int{"oldest first": 0, "newest first": len(n) - 1, "any": r.IntN(len(n))}[order])
				}
			},
			"a reload": func(t *rapid.T) { a.groupBySource(rapid.Bool().Draw(t, "rings")) },
			"":         func(t *rapid.T) { n.compare(t, a, sources) },
		})
	})
}

// inProgressOf returns the attempts of a source in a set's doors, found without any index: the
// stage, by the name of the door. Those that have expired are left out.
func inProgressOf(e *Engine, source netip.Addr) map[string]int {
	all := map[string]int{}
	note := func(slot int32) {
		a := e.attempts.slots.at(slot)
		if d := e.index.byID[a.door]; d != nil && a.key.addr() == source && !e.expired(slot, d) {
			all[d.Name] = e.stage(slot)
		}
	}
	for slot := e.attempts.oldest; slot != 0; slot = e.attempts.slots.at(slot).newer {
		note(slot)
	}
	for _, r := range e.attempts.runs {
		if r != nil {
			note(r.slot)
		}
	}
	return all
}

// A packet to a tripwire ends what a search through all attempts finds, in few doors and in many,
// through reloads from one to the other and at the capacity of the table.
func TestTripwiresEndWhatASearchOfAllAttemptsFinds(t *testing.T) {
	ended, switches := 0, 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 8))
		var doors []*Door
		for i := range 3 * fewDoors {
			d := wired(t, fmt.Sprint("d", i), fmt.Sprint("tcp/", 2000+10*(i%7)), fmt.Sprint("tcp/", 9000+10*(i%5)), "tcp/500")
			d.OnWrong, d.Within = WrongIgnored, time.Duration(1+r.IntN(9))*time.Second
			if i%4 == 3 {
				d.Tripwires = 0
			}
			if i%4 == 2 {
				d.Except = ports(t, wireOf(t, packet.TCP, r.IntN(40), d))
			}
			doors = append(doors, d)
		}
		e, now := New(Config{Attempts: 200}, monday), monday
		set := &Set{Doors: doors}
		e.Swap(now, set)
		for i := range 3000 {
			if r.IntN(3) == 0 {
				now = now.Add(time.Duration(r.IntN(100)) * time.Millisecond)
			}
			if r.IntN(100) == 0 {
				was := e.attempts.bySource
				r.Shuffle(len(doors), func(i, j int) { doors[i], doors[j] = doors[j], doors[i] })
				set = &Set{Doors: slices.Clone(doors[:1+r.IntN(len(doors))])}
				e.Swap(now, set)
				if was != e.attempts.bySource {
					switches++
				}
			}
			if r.IntN(200) == 0 {
				next, err := Resume(Config{Attempts: 200}, e.State(), set)
				if err != nil {
					t.Fatal(err)
				}
				e = next
			}
			p := packet.Packet{Time: now, Number: i, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN, Sequence: uint32(i),
				Source: netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(6))}), SourcePort: uint16(i)}
			pool := e.index.pool
			if len(pool) == 0 || r.IntN(6) > 0 {
				if r.IntN(3) == 0 { // a flood
					p.Source = netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
				}
				d := set.Doors[r.IntN(len(set.Doors))]
				p.Port = d.Sequence[r.IntN(2)].Port
				e.Packet(&p)
				continue
			}
			p.Port = pool[r.IntN(len(pool))].Port
			e.Tick(now)
			before, want := inProgressOf(e, p.Source), []string{}
			left := maps.Clone(before)
			for _, d := range set.Doors {
				if stage := before[d.Name]; stage > 0 && d.Tripwires > 0 && p.Port.Proto == packet.TCP && !slices.Contains(d.Except, p.Port) {
					ended++
					delete(left, d.Name)
					if stage > 1 {
						want = append(want, fmt.Sprintf("%s %d", d.Name, stage))
					}
				}
			}
			got := []string{}
			for _, event := range e.Packet(&p) {
				if event.Kind != EventMiss || event.Reason != Tripwire || event.Port != p.Port {
					t.Fatalf("seed %d, packet %d: %s", seed, i, brief(event))
				}
				got = append(got, fmt.Sprintf("%s %d", event.Door, event.Stage))
			}
			if !slices.Equal(got, want) || !maps.Equal(inProgressOf(e, p.Source), left) {
				t.Fatalf("seed %d, packet %d to %v: ended %v, left %v; want %v, %v", seed, i, p.Port, got, inProgressOf(e, p.Source), want, left)
			}
		}
	}
	if ended < 1000 || switches < 50 {
		t.Errorf("%d attempts ended, %d reloads between few doors and many: the test proves little", ended, switches)
	}
}
