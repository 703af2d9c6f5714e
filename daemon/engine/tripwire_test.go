package engine

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"sesame/daemon/packet"
)

// randomDoors returns doors of four knocks at random ports.
func randomDoors(n int, seed uint64) (doors []*Door) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		d := &Door{Name: fmt.Sprint("d", i), Within: 1e10, Tripwires: 64}
		for range 4 {
			k := Knock{packet.Port{Proto: packet.TCP, Number: uint16(1024 + r.IntN(64000))}, SYN}
			if r.IntN(3) == 0 {
				k = Knock{Port: packet.Port{Proto: packet.UDP, Number: k.Port.Number}}
			}
			d.Sequence = append(d.Sequence, k)
		}
		doors = append(doors, d)
	}
	return doors
}

// The pool is bounded, has no knock and no port 0, is the same each time, and is in every gap that
// has a free port, also when a guard and an exception take the first that was there.
func TestTripwiresAreInEachGap(t *testing.T) {
	for n, want := range map[int]int{1: 64, 10: 640, 100: MaxTripwires, 400: MaxTripwires} {
		doors := randomDoors(n, uint64(n))
		set := &Set{Doors: doors}
		pool := set.Tripwires()
		doors[0].Guards = []packet.Port{pool[0].Port, pool[1].Port}
		doors[0].Except = []packet.Port{pool[2].Port}
		if pool = set.Tripwires(); len(pool) != want || !slices.Equal(pool, set.Tripwires()) {
			t.Errorf("%d doors: %d tripwires, want %d, the same each time", n, len(pool), want)
		}
		knocks := map[packet.Port]bool{}
		for _, d := range doors {
			for k := range d.Knocks() {
				knocks[k.Port] = true
			}
		}
		seen := map[Knock]bool{}
		for _, k := range pool {
			if knocks[k.Port] || k.Port.Number == 0 || seen[k] {
				t.Errorf("%d doors: %v is a knock, or port 0, or there twice", n, k)
			}
			seen[k] = true
		}
		masked := func(d *Door, port packet.Port) bool {
			return slices.Contains(doors[0].Guards, port) || slices.Contains(d.Except, port)
		}
		for i, d := range doors {
			for _, g := range newShare(d, i).all {
				coverable := false
				for number := g.low + 1; number < g.high && !coverable; number++ {
					port := packet.Port{Proto: g.proto, Number: uint16(number)}
					coverable = !knocks[port] && !masked(d, port)
				}
				covered := slices.ContainsFunc(pool, func(k Knock) bool {
					return (kind{k.Port.Proto, k.Flags}) == g.kind && g.low < int(k.Port.Number) && int(k.Port.Number) < g.high && !masked(d, k.Port)
				})
				if coverable && !covered {
					t.Errorf("%d doors: no tripwire for door %d from %d to %d", n, i, g.low, g.high)
				}
			}
		}
	}
}

// A recording of today replays with the tripwires of today. So a change of the rules by which they
// are placed needs a way to replay with the old ones.
func TestTripwiresStayWhereTheyAre(t *testing.T) {
	for n, want := range map[int]string{1: "abcd5c203691c616", 10: "3ad50b765ea5fc43", 400: "42463458a8d52d82"} {
		doors := randomDoors(n, 5)
		doors[0].Guards = ports(t, "tcp/22", "udp/7000", "tcp/7001")
		doors[0].Except = ports(t, "tcp/7002")
		if n > 1 {
			doors[1].OneTime, doors[1].Tripwires = &OneTime{}, 100
			for _, other := range randomDoors(20, 6) {
				doors[1].OneTime.Sequences = append(doors[1].OneTime.Sequences, OneTimeSequence{Knocks: other.Sequence})
			}
		}
		pool := fmt.Sprint((&Set{Doors: doors}).Tripwires())
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(pool)))[:16]; got != want {
			t.Errorf("%d doors: the sum of the tripwires is %s, want %s", n, got, want)
		}
	}
}

// BenchmarkTripwires places the tripwires of n doors, and of 400 doors with 100 one-time sequences
// each.
func BenchmarkTripwires(b *testing.B) {
	oneTime := randomDoors(400, 1)
	for i, d := range oneTime {
		d.OneTime = &OneTime{}
		for _, other := range randomDoors(100, uint64(i)) {
			d.OneTime.Sequences = append(d.OneTime.Sequences, OneTimeSequence{Knocks: other.Sequence})
		}
	}
	for name, doors := range map[string][]*Door{"1": randomDoors(1, 1), "1000": randomDoors(1000, 1), "10000": randomDoors(10_000, 1), "one-time": oneTime} {
		b.Run(name, func(b *testing.B) {
			set := &Set{Doors: doors}
			for b.Loop() {
				set.Tripwires()
			}
		})
	}
}

// BenchmarkTripwire is a packet to a tripwire of a source that has no attempt, while others have
// one in each of n doors.
func BenchmarkTripwire(b *testing.B) {
	for _, n := range []int{1, fewDoors, 400} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doors := randomDoors(n, 1)
			for _, d := range doors {
				d.Within = 1 << 60
			}
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			for i := range 100_000 {
				spoofed(&p, i, 100_000, doors[i%n].Sequence[0].Port)
				e.Packet(&p)
			}
			b.ReportAllocs()
			i := 200_000
			for b.Loop() {
				spoofed(&p, i, 1<<24, e.index.pool[i%len(e.index.pool)].Port)
				e.Packet(&p)
				i++
			}
		})
	}
}

// Doors add tripwires in turn. So the first of two that ask for all there can be leaves the other
// its half.
func TestDoorsShareTheTripwires(t *testing.T) {
	a, b := aDoor(t, "a", "7421", "2904", "6117", "9133"), aDoor(t, "b", "udp/7421", "udp/2904", "udp/6117", "udp/9133")
	a.Tripwires, b.Tripwires = MaxTripwires, MaxTripwires
	count := map[packet.Proto]int{}
	for _, k := range (&Set{Doors: []*Door{a, b}}).Tripwires() {
		count[k.Port.Proto]++
	}
	if count[packet.TCP] != MaxTripwires/2 || count[packet.UDP] != MaxTripwires/2 {
		t.Errorf("%v, want %d of each", count, MaxTripwires/2)
	}
}

// TestAPlacedSetHasTheSameTripwires compares a set with its copy that has them already, and engines
// that get one of them.
func TestAPlacedSetHasTheSameTripwires(t *testing.T) {
	for _, doors := range [][]*Door{nil, {{Name: "ssh", Within: 1e10, Tripwires: 64, Sequence: []Knock{{Port: packet.Port{Proto: packet.TCP, Number: 7421}, Flags: SYN}, {Port: packet.Port{Proto: packet.TCP, Number: 2904}, Flags: SYN}}}}} {
		set := &Set{Doors: doors}
		placed := set.Placed()
		if !slices.Equal(placed.Tripwires(), set.Tripwires()) || !slices.Equal(placed.Doors, set.Doors) {
			t.Errorf("%d doors: %d tripwires, want the %d of the set", len(doors), len(placed.Tripwires()), len(set.Tripwires()))
		}
		// What is placed is not placed again.
		if placed.Doors = append(placed.Doors, &Door{Name: "other", Within: 1e10, Tripwires: 64, Sequence: []Knock{{Port: packet.Port{Proto: packet.UDP, Number: 1}}, {Port: packet.Port{Proto: packet.UDP, Number: 9}}}}); !slices.Equal(placed.Tripwires(), set.Tripwires()) {
			t.Errorf("%d doors: the tripwires were placed again", len(doors))
		}
	}
}
