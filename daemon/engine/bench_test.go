package engine

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// spoofed returns packet i of a flood: the first knock of one of n sources.
func spoofed(p *packet.Packet, i, n int, port packet.Port) {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x0a000000+uint32(i%n)*2654435761%(1<<24))
	p.Source = netip.AddrFrom4(a)
	p.SourcePort, p.Sequence, p.Port = uint16(i), uint32(i), port
	p.Time = p.Time.Add(time.Microsecond)
}

// BenchmarkSources is a watched packet that reaches no Lua, from n sources that
// all have an attempt in progress: the first knock again, of a new connection.
func BenchmarkSources(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := classic(b)
			d.Within = time.Hour
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: []*Door{d}})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			for i := range n {
				spoofed(&p, i, n, d.Sequence[0].Port)
				e.Packet(&p)
			}
			b.ReportAllocs()
			i := n
			for b.Loop() {
				spoofed(&p, i, n, d.Sequence[0].Port)
				e.Packet(&p)
				i++
			}
		})
	}
}

// BenchmarkExplain is what judgments cost: three knocks in turn of each of a thousand sources.
func BenchmarkExplain(b *testing.B) {
	for _, asked := range []bool{false, true} {
		b.Run(fmt.Sprint(asked), func(b *testing.B) {
			d := classic(b)
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: []*Door{d}})
			if asked {
				e.Explain(func(*Judgment) {})
			}
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				spoofed(&p, i, 1000, d.Sequence[i/1000%3].Port)
				p.Digest = uint64(i)
				e.Packet(&p)
				i++
			}
		})
	}
}

// BenchmarkFlood is the first knock of a source that was never seen, with all
// room taken: it evicts.
func BenchmarkFlood(b *testing.B) {
	d := classic(b)
	d.Within = time.Hour
	e := New(Config{}, monday)
	e.Swap(monday, &Set{Doors: []*Door{d}})
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	i := 0
	next := func() {
		spoofed(&p, i, 1<<24, d.Sequence[0].Port)
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
}

// BenchmarkDoors is a watched packet among n doors, of which one awaits it.
func BenchmarkDoors(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doors := []*Door{}
			for i := range n {
				d := aDoor(b, fmt.Sprint("d", i), "tcp/1")
				for k := range 4 {
					d.Sequence = append(d.Sequence[:k], Knock{packet.Port{Proto: packet.TCP, Number: uint16(1000 + 4*i + k)}, SYN})
				}
				doors = append(doors, d)
			}
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				spoofed(&p, i, 1000, doors[i%n].Sequence[0].Port)
				e.Packet(&p)
				i++
			}
		})
	}
}

// BenchmarkSleepers is a watched packet to a port that is the last knock of n
// doors, of which nobody attempts any.
func BenchmarkSleepers(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			doors := []*Door{}
			for i := range n {
				d := aDoor(b, fmt.Sprint("d", i), "tcp/1")
				d.Sequence = []Knock{{packet.Port{Proto: packet.TCP, Number: uint16(1000 + i)}, SYN}, {packet.Port{Proto: packet.TCP, Number: 999}, SYN}}
				doors = append(doors, d)
			}
			e := New(Config{}, monday)
			e.Swap(monday, &Set{Doors: doors})
			p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				spoofed(&p, i, 1000, packet.Port{Proto: packet.TCP, Number: 999})
				e.Packet(&p)
				i++
			}
		})
	}
}

// BenchmarkUnmatched is a packet to a port that no door watches.
func BenchmarkUnmatched(b *testing.B) {
	e := New(Config{}, monday)
	e.Swap(monday, &Set{Doors: []*Door{classic(b)}})
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		spoofed(&p, i, 1000, packet.Port{Proto: packet.TCP, Number: 443})
		e.Packet(&p)
		i++
	}
}

// BenchmarkMemory reports the heap bytes that one of a million first-stage
// attempts takes, the memory of retransmits included.
func BenchmarkMemory(b *testing.B) {
	d := classic(b)
	d.Within = time.Hour
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := New(Config{}, monday)
		e.Swap(monday, &Set{Doors: []*Door{d}})
		p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
		for i := range 1 << 20 {
			spoofed(&p, i, 1<<20, d.Sequence[0].Port)
			e.Packet(&p)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(e.attempts.used), "B/attempt")
		runtime.KeepAlive(e)
	}
}

func TestAnUnmatchedPacketAllocatesNothing(t *testing.T) {
	e := New(Config{}, monday)
	e.Swap(monday, &Set{Doors: []*Door{classic(t)}})
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		spoofed(&p, i, 1000, packet.Port{Proto: packet.TCP, Number: 443})
		e.Packet(&p)
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
