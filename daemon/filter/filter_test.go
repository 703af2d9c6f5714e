package filter

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// matters is the specification of the filter.
func (i Interest) matters(p *packet.Packet) bool {
	switch p.Port.Proto {
	case packet.TCP:
		flags := i.AnyFlags || p.Flags&(packet.SYN|packet.ACK) == packet.SYN
		return flags && (i.All || slices.Contains(i.TCP, p.Port.Number))
	case packet.UDP:
		return i.All || slices.Contains(i.UDP, p.Port.Number)
	case packet.NoProto, packet.ICMP:
	}
	return false
}

// coarsely is the specification of the coarse program.
func (i Interest) coarsely(p *packet.Packet) bool {
	i.All = p.Port.Proto == packet.TCP && len(i.TCP) > 0 || p.Port.Proto == packet.UDP && len(i.UDP) > 0 || i.All
	return i.matters(p)
}

// A bench holds all forms of one filter.
type bench struct {
	interest     Interest
	filter       *Filter
	fine, coarse *bpf.VM
	decoder      *packet.Decoder
}

func newBench(t fataler, w Interest) *bench {
	f := New(w)
	return &bench{
		interest: w, filter: f, decoder: packet.NewDecoder(),
		fine: machine(t, f.fine()), coarse: machine(t, f.Coarse()),
	}
}

type fataler interface{ Fatalf(string, ...any) }

func machine(t fataler, program []bpf.Instruction) *bpf.VM {
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return vm
}

func run(t fataler, vm *bpf.VM, data []byte) bool {
	n, err := vm.Run(data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return n > 0
}

// check compares all forms of the filter with the decoder, for one frame.
func (b *bench) check(t fataler, link packet.LinkType, frame []byte, wire int) {
	var p packet.Packet
	if b.decoder.Decode(link, frame, wire, &p) != packet.NotDropped {
		return // every form may do as it likes: the decoder has the last word
	}
	_, offset := link.Network(frame)
	ip := frame[offset:]
	unseen := ip[0]>>4 == 6 && packet.Extension(ip[6])
	b.compare(t, "match", frame, b.filter.Match(link, frame), b.interest.matters(&p), unseen || p.Port.Proto == packet.ICMP)
	unseen = unseen || tagLike(ip)
	b.compare(t, "fine program", frame, run(t, b.fine, ip), b.interest.matters(&p), unseen)
	b.compare(t, "coarse program", frame, run(t, b.coarse, ip), b.interest.coarsely(&p), unseen)
}

// compare fails if a form rejects a packet that matters, or passes one whose headers it can read
// and that does not matter.
func (b *bench) compare(t fataler, form string, frame []byte, got, want, unseen bool) {
	if want && !got {
		t.Fatalf("%s rejects what matters: %x", form, frame)
	}
	if got && !want && !unseen {
		t.Fatalf("%s passes what does not matter: %x", form, frame)
	}
}

// tagLike reports whether the program takes an IP packet for a VLAN tag by coincidence: its IPv4
// length, or a part of its IPv6 flow label, equals an EtherType.
func tagLike(ip []byte) bool {
	switch binary.BigEndian.Uint16(ip[2:]) {
	case packet.EtherTypeIPv4, packet.EtherTypeIPv6, packet.EtherTypeVLAN, packet.EtherTypeQinQ, packet.EtherTypeQinQ2:
		return true
	}
	return false
}

func interests() *rapid.Generator[Interest] {
	return rapid.Custom(func(t *rapid.T) Interest {
		port := rapid.OneOf(rapid.Uint16(), rapid.Uint16Range(1, 20), rapid.Uint16Range(65530, 65535))
		return Interest{
			TCP:      rapid.SliceOfN(port, 0, 60).Draw(t, "tcp"),
			UDP:      rapid.SliceOfN(port, 0, 60).Draw(t, "udp"),
			AnyFlags: rapid.Bool().Draw(t, "any flags"),
			All:      rapid.IntRange(0, 9).Draw(t, "all") == 0,
		}
	})
}

func TestAllFormsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, interests().Draw(t, "interest"))
		for range 50 {
			f := frames(b.interest).Draw(t, "frame")
			b.check(t, f.link, f.data, f.wire)
		}
	})
}

// The generator must make frames that the decoder keeps.
func TestFramesAreOftenKept(t *testing.T) {
	kept, matter, total := 0, 0, 0
	decoder := packet.NewDecoder()
	rapid.Check(t, func(t *rapid.T) {
		w := Interest{TCP: []uint16{7421}, UDP: []uint16{9133}}
		var p packet.Packet
		for range 50 {
			f := frames(w).Draw(t, "frame")
			total++
			if decoder.Decode(f.link, f.data, f.wire, &p) != packet.NotDropped {
				continue
			}
			kept++
			if w.matters(&p) {
				matter++
			}
		}
	})
	t.Logf("of %d frames %d are kept, %d matter", total, kept, matter)
	if kept < total/3 || matter < total/10 {
		t.Errorf("of %d frames %d are kept, %d matter", total, kept, matter)
	}
}

// spread returns n ports over the whole range, without neighbours.
func spread(n int) []uint16 {
	list := make([]uint16, n)
	for i := range list {
		list[i] = uint16(1 + i*(65534/n))
	}
	return list
}

// shifted returns the ports plus a constant.
func shifted(list []uint16, by uint16) []uint16 {
	for i := range list {
		list[i] += by
	}
	return list
}

func TestEveryPort(t *testing.T) {
	for _, test := range []struct {
		interest Interest
		coarse   bool
	}{
		{Interest{}, false},
		{Interest{TCP: []uint16{0, 1, 65535}, UDP: []uint16{65534, 65535}}, false},
		{Interest{TCP: spread(400)}, false},
		{Interest{TCP: spread(900)}, false},
		{Interest{TCP: spread(500), UDP: spread(490)}, false},
		{Interest{TCP: spread(1000), UDP: spread(1000)}, false},
		{Interest{TCP: spread(2600)}, false},
		{Interest{TCP: slices.Concat(spread(1000), shifted(spread(1000), 1), shifted(spread(500), 2))}, false},
		{Interest{TCP: spread(3000)}, true},
		{Interest{TCP: spread(1500), UDP: spread(1500)}, true},
		{Interest{All: true}, false},
		{Interest{All: true, AnyFlags: true, TCP: spread(3000)}, false},
	} {
		name := fmt.Sprintf("%d tcp, %d udp, all %v", len(test.interest.TCP), len(test.interest.UDP), test.interest.All)
		t.Run(name, func(t *testing.T) {
			f := New(test.interest)
			program, coarse := f.Program()
			if coarse != test.coarse {
				t.Fatalf("coarse is %v, with %d instructions", coarse, len(program))
			}
			vm := machine(t, program)
			testEveryPort(t, test.interest, f, vm, coarse)
			t.Logf("%d instructions", len(program))
		})
	}
}

// Sets of many doors, each of four knocks, with 64 tripwires each and at most 1,000 together.
func TestManyDoorsAreExact(t *testing.T) {
	for _, doors := range []int{10, 100, 400} {
		knocks, tripwires := 4*doors, min(64*doors, 1000)
		interest := Interest{TCP: spread((knocks + tripwires) / 2), UDP: shifted(spread((knocks+tripwires)/2), 1)}
		program, coarse := New(interest).Program()
		t.Logf("%d doors: %d instructions", doors, len(program))
		if coarse {
			t.Errorf("%d doors: the program is coarse", doors)
		}
	}
}

func testEveryPort(t *testing.T, w Interest, f *Filter, vm *bpf.VM, coarse bool) {
	for _, test := range []struct {
		proto packet.Proto
		ip    []byte
		port  int // offset of the destination port
	}{
		{packet.TCP, build(frame{version: 4, protocol: protocolTCP, flags: packet.SYN}), 22},
		{packet.UDP, build(frame{version: 6, protocol: protocolUDP}), 42},
	} {
		for number := range 1 << 16 {
			p := packet.Packet{Port: packet.Port{Proto: test.proto, Number: uint16(number)}, Flags: packet.SYN}
			binary.BigEndian.PutUint16(test.ip[test.port:], p.Port.Number)
			want := w.matters(&p)
			if got := f.Match(packet.Raw, test.ip); got != want {
				t.Fatalf("%v: match says %v", p.Port, got)
			}
			if coarse {
				want = w.coarsely(&p)
			}
			if got := run(t, vm, test.ip); got != want {
				t.Fatalf("%v: the program says %v", p.Port, got)
			}
		}
	}
}

func TestOddFramesPass(t *testing.T) {
	f := New(Interest{})
	plain := build(frame{version: 4, protocol: protocolTCP, flags: packet.SYN})
	if f.Match(packet.Raw, plain) {
		t.Fatal("a plain packet in which no door is interested passes")
	}
	for name, odd := range map[string][]byte{
		"empty":            nil,
		"short header":     plain[:19],
		"short segment":    plain[:33],
		"header length 4":  append([]byte{0x44}, plain[1:]...),
		"fragment":         append(append(slices.Clone(plain[:6]), 0x20, 0), plain[8:]...),
		"another protocol": append(append(slices.Clone(plain[:9]), 47), plain[10:]...),
		"version 5":        append([]byte{0x55}, plain[1:]...),
	} {
		if !f.Match(packet.Raw, odd) {
			t.Errorf("%s: rejected", name)
		}
	}
	if !f.Match(105, plain) {
		t.Error("unknown link type: rejected")
	}
	for n := range 14 {
		if !f.Match(packet.Ethernet, make([]byte, n)) {
			t.Errorf("%d bytes of ethernet: rejected", n)
		}
	}
}

// Of two tags, a packet socket delivers the inner one with the data.
func TestProgramPassesTags(t *testing.T) {
	program, _ := New(Interest{}).Program()
	vm := machine(t, program)
	ip := build(frame{version: 4, protocol: protocolUDP})
	for _, etherType := range []uint16{0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100} {
		for priority := range 8 {
			tag := binary.BigEndian.AppendUint16([]byte{byte(priority << 5), 42}, etherType)
			if !run(t, vm, append(tag, ip...)) {
				t.Errorf("priority %d, then %#04x: rejected", priority, etherType)
			}
		}
	}
	if run(t, vm, ip) {
		t.Error("without a tag: passed")
	}
}

func TestProgramRejects(t *testing.T) {
	program, _ := New(Interest{All: true, AnyFlags: true}).Program()
	vm := machine(t, program)
	ip := build(frame{version: 4, protocol: protocolTCP, flags: packet.SYN})
	if !run(t, vm, ip) {
		t.Fatal("a plain packet that is watched is rejected")
	}
	for name, data := range map[string][]byte{
		"empty":          nil,
		"arp":            {0, 1, 8, 1, 6, 4, 0, 1},
		"first fragment": append(append(slices.Clone(ip[:6]), 0x20, 0), ip[8:]...),
		"last fragment":  append(append(slices.Clone(ip[:6]), 0, 9), ip[8:]...),
		"gre":            append(append(slices.Clone(ip[:9]), 47), ip[10:]...),
		"icmp6":          build(frame{version: 6, protocol: 58}),
		"cut":            ip[:30],
	} {
		if run(t, vm, data) {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	f := New(Interest{TCP: spread(900)})
	data := link(packet.Ethernet, build(frame{version: 4, protocol: protocolTCP, flags: packet.SYN}), 4, 1)
	if n := testing.AllocsPerRun(100, func() { f.Match(packet.Ethernet, data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMatch(f *testing.F) {
	for _, version := range []byte{4, 6} {
		for _, protocol := range []byte{protocolTCP, protocolUDP, 58} {
			ip := build(frame{version: version, protocol: protocol, flags: packet.SYN, port: 7421})
			f.Add(uint16(packet.Ethernet), link(packet.Ethernet, ip, version, 2), 0)
			f.Add(uint16(packet.SLL2), link(packet.SLL2, ip, version, 0), 2000)
		}
	}
	var benches []*bench
	for _, w := range []Interest{
		{TCP: []uint16{7421}, UDP: []uint16{7421}}, {TCP: spread(300), AnyFlags: true}, {All: true}, {},
	} {
		benches = append(benches, newBench(f, w))
	}
	f.Fuzz(func(t *testing.T, link uint16, frame []byte, wire int) {
		for _, b := range benches {
			b.check(t, packet.LinkType(link), frame, wire)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	f := New(Interest{TCP: spread(900), UDP: spread(900)})
	for _, bench := range []struct {
		name string
		link packet.LinkType
		tags int
		frame
	}{
		{"tcp4", packet.Ethernet, 0, frame{version: 4, protocol: protocolTCP, flags: packet.SYN, port: 2}},
		{"udp4", packet.Ethernet, 0, frame{version: 4, protocol: protocolUDP, port: 2}},
		{"tcp6", packet.Ethernet, 0, frame{version: 6, protocol: protocolTCP, flags: packet.SYN, port: 2}},
		{"vlan", packet.Ethernet, 1, frame{version: 4, protocol: protocolTCP, flags: packet.SYN, port: 2}},
		{"cooked", packet.SLL2, 0, frame{version: 4, protocol: protocolTCP, flags: packet.SYN, port: 2}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			data := link(bench.link, build(bench.frame), bench.version, bench.tags)
			b.ReportAllocs()
			for b.Loop() {
				if f.Match(bench.link, data) {
					b.Fatal("passes")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpackets/s")
		})
	}
}
