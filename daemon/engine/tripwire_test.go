package engine

import (
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
		p := &placement{pool: pool, knocks: knocks, guards: map[packet.Port]bool{doors[0].Guards[0]: true, doors[0].Guards[1]: true}}
		for i, d := range doors {
			for _, g := range newShare(d, i).all {
				if p.coverable(g) && !p.covered(g) {
					t.Errorf("%d doors: no tripwire for door %d from %d to %d", n, i, g.low, g.high)
				}
			}
		}
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
