package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// manyDoors returns doors that share no port, each with four knocks.
func manyDoors(b testing.TB, n int, policy Policy) []*Door {
	doors := []*Door{}
	for i := range n {
		d := within(aDoor(b, fmt.Sprint("d", i)), time.Hour)
		d.Policy, d.Group, d.Flags = policy, "k", SYN
		for k := range 4 {
			d.Sequence = append(d.Sequence, Knock{packet.Port{Proto: packet.TCP, Number: uint16(1000 + 4*i + k)}, SYN})
		}
		doors = append(doors, d)
	}
	return doors
}

// BenchmarkGroup is the first knock of one of 400 doors, from one of n sources
// that all knock there again and again. To a door of no group that is a repeat;
// in a group it ends the attempt, and the next one begins another.
func BenchmarkGroup(b *testing.B) {
	for policy, name := range []string{"sesame", "knockd"} {
		for _, n := range []int{400, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				doors := manyDoors(b, 400, Policy(policy))
				e := New(Config{}, monday)
				e.Swap(monday, &Set{Doors: doors})
				p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
				i := 0
				next := func() {
					spoofed(&p, i, n, doors[i%n%400].Sequence[0].Port)
					e.Packet(&p)
					i++
				}
				for range n {
					next()
				}
				b.ReportAllocs()
				for b.Loop() {
					next()
				}
			})
		}
	}
}

// BenchmarkGroupFlood is the first knock of a source that was never seen, to one
// of 400 doors, with all room taken: it evicts.
func BenchmarkGroupFlood(b *testing.B) {
	for policy, name := range []string{"sesame", "knockd"} {
		b.Run(name, func(b *testing.B) {
			doors := manyDoors(b, 400, Policy(policy))
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			i := 0
			next := func() {
				spoofed(&p, i, 1<<24, doors[i%400].Sequence[0].Port)
				e.Packet(&p)
				i++
			}
			for !e.attempts.full() {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
		})
	}
}

// BenchmarkGroupSleepers is a packet to the last knock of n doors of one group,
// from a source that attempts none, while a million others attempt some.
func BenchmarkGroupSleepers(b *testing.B) {
	for _, n := range []int{1, 400, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doors := manyDoors(b, n, PolicyKnockd)
			last := packet.Port{Proto: packet.TCP, Number: 999}
			for _, d := range doors {
				d.Sequence[3].Port = last
			}
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			for i := range 1_000_000 {
				spoofed(&p, i, 1<<24, doors[i%n].Sequence[0].Port)
				e.Packet(&p)
			}
			b.ReportAllocs()
			i := 1_000_000
			for b.Loop() {
				spoofed(&p, i, 1<<24, last)
				e.Packet(&p)
				i++
			}
		})
	}
}

// BenchmarkGroupOfOneKnock is the worst configuration: all of
// n doors begin with the same knock, so that each source has n attempts at once.
func BenchmarkGroupOfOneKnock(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doors := manyDoors(b, n, PolicyKnockd)
			for _, d := range doors {
				d.Sequence[0].Port = doors[0].Sequence[0].Port
			}
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			i := 0
			next := func() {
				spoofed(&p, i, 1<<24, doors[0].Sequence[0].Port)
				e.Packet(&p)
				i++
			}
			for !e.attempts.full() {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/attempt")
		})
	}
}

// What matches nothing, or begins or ends an attempt of a group, allocates
// nothing once there is room.
func TestAGroupAllocatesNothing(t *testing.T) {
	doors := manyDoors(t, 400, PolicyKnockd)
	for _, d := range doors[200:] {
		d.Sequence[0].Port = doors[0].Sequence[0].Port
	}
	doors[399].Target = virtual
	e := New(Config{Attempts: 5000}, monday)
	e.Swap(monday, &Set{Doors: doors})
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	i := 0
	next := func() {
		port := doors[i%400].Sequence[i/400%2*3].Port
		if i%7 == 0 {
			port.Number = 443
		}
		spoofed(&p, i/2, 1000, port)
		p.Sequence = uint32(i)
		e.Packet(&p)
		i++
	}
	for range 25_000 {
		next()
	}
	if n := testing.AllocsPerRun(10_000, next); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if e.Counts().Misses < 12_000 {
		t.Errorf("only %d attempts ended", e.Counts().Misses)
	}
}
