package filter

import (
	"slices"

	"golang.org/x/net/bpf"

	"sesame/daemon/packet"
)

// maxProgram is how many instructions the kernel takes (BPF_MAXINSNS).
const maxProgram = 4096

// accept is the number of bytes that user space gets of a packet: all of them.
const accept = 1 << 18

var (
	pass   = bpf.RetConstant{Val: accept}
	reject = bpf.RetConstant{Val: 0}
)

// Program returns the filter for the kernel, in classic BPF without extensions,
// so that it runs in [bpf.VM] as well. It is for packets that begin with their
// network header, as a SOCK_DGRAM packet socket delivers them.
//
// It rejects fragments, which are never knocks, and protocols other than TCP
// and UDP. Two kinds of packet pass unseen, for user space to judge: IPv6 with
// extension headers, which a program without loops cannot step over, and what
// may begin with a VLAN tag, since the kernel removes the outermost tag alone.
// Whoever sends packets can make them look so; that costs work and opens nothing.
//
// The program tells ports apart by bisection, in about three instructions for
// two ports that stand alone, and in five for two ranges of ports. Beyond the
// kernel's limit, some 2,800 lone ports, it is coarse: every port passes of a
// protocol of which any is watched, with the TCP flags tested as ever.
func (f *Filter) Program() (program []bpf.Instruction, coarse bool) {
	if program = f.fine(); len(program) <= maxProgram {
		return program, false
	}
	return f.Coarse(), true
}

func (f *Filter) fine() []bpf.Instruction {
	return f.program(tree(f.tcp.spans()), tree(f.udp.spans()))
}

// Coarse returns the coarse program, for a kernel that has no room for a longer
// one: some allow a socket 20 KiB for it (net.core.optmem_max).
func (f *Filter) Coarse() []bpf.Instruction {
	return f.program(tree(f.tcp.widest()), tree(f.udp.widest()))
}

// A span is a range of ports: the first, and the first that follows.
type span struct{ first, end uint32 }

// spans returns the set as ranges that neither touch nor overlap, in ascending
// order.
func (s *ports) spans() []span {
	var spans []span
	inside := false
	for port := range uint32(1 << 16) {
		if s.has(uint16(port)) != inside {
			inside = !inside
			if inside {
				spans = append(spans, span{port, 1 << 16})
			} else {
				spans[len(spans)-1].end = port
			}
		}
	}
	return spans
}

// widest returns all ports, or none if the set has none.
func (s *ports) widest() []span {
	if *s == (ports{}) {
		return nil
	}
	return []span{{0, 1 << 16}}
}

// leaf is how many ranges are looked at one by one where bisection ends. With
// more, the program is shorter and takes longer.
const leaf = 8

// tree returns a program that finds out whether the port that stands in the
// accumulator is in one of the spans.
func tree(spans []span) []bpf.Instruction {
	if len(spans) > leaf {
		middle := (len(spans)/2 + leaf - 1) / leaf * leaf // so that leaves are full
		low, high := tree(spans[:middle]), tree(spans[middle:])
		return slices.Concat(skipIfAtLeast(spans[middle].first, len(low)), low, high)
	}
	program := []bpf.Instruction{reject, pass}
	for _, s := range spans {
		program = append(s.test(uint8(len(program)-1)), program...)
	}
	return program
}

// test jumps over n instructions if the port is in the span.
func (s span) test(n uint8) []bpf.Instruction {
	if s.end == s.first+1 {
		return []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: s.first, SkipTrue: n}}
	}
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: s.end, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: s.first, SkipTrue: n},
	}
}

// skipIfAtLeast jumps over n instructions if the accumulator is at least value.
// A conditional jump has 8 bits for the distance, an unconditional one 32.
func skipIfAtLeast(value uint32, n int) []bpf.Instruction {
	if n <= 255 {
		return []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: value, SkipTrue: uint8(n)}}
	}
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: value, SkipFalse: 1},
		bpf.Jump{Skip: uint32(n)},
	}
}

// program puts the trees behind the tests that lead to them.
func (f *Filter) program(tcpPorts, udpPorts []bpf.Instruction) []bpf.Instruction {
	v4, v6 := header4(), header6()
	v4 = append(v4, bpf.Jump{Skip: uint32(len(v6))})
	return slices.Concat(
		// A tag control field, then an EtherType: the packet begins with a tag.
		[]bpf.Instruction{bpf.LoadAbsolute{Off: 2, Size: 2}},
		passIf(packet.EtherTypeIPv4, packet.EtherTypeIPv6, packet.EtherTypeVLAN, packet.EtherTypeQinQ, packet.EtherTypeQinQ2),
		[]bpf.Instruction{
			bpf.LoadAbsolute{Off: 0, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 4, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: uint8(1 + len(v4))},
			reject,
		},
		v4, v6,
		f.transportProgram(tcpPorts, udpPorts),
	)
}

// header4 leaves the protocol of an IPv4 packet in the accumulator, and the
// length of its header in X.
func header4() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: fragmentBits, SkipTrue: 1},
		reject,
		bpf.LoadMemShift{Off: 0},
		bpf.LoadAbsolute{Off: 9, Size: 1},
	}
}

// header6 does the same for an IPv6 packet.
func header6() []bpf.Instruction {
	var extensions []uint32
	for next := range 256 {
		if packet.Extension(uint8(next)) {
			extensions = append(extensions, uint32(next))
		}
	}
	return append([]bpf.Instruction{
		bpf.LoadConstant{Dst: bpf.RegX, Val: ipv6Header},
		bpf.LoadAbsolute{Off: 6, Size: 1},
	}, passIf(extensions...)...)
}

// transportProgram goes on from the protocol in the accumulator and the offset
// of its header in X.
func (f *Filter) transportProgram(tcpPorts, udpPorts []bpf.Instruction) []bpf.Instruction {
	tcp := append([]bpf.Instruction{
		bpf.LoadIndirect{Off: flagsOffset, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(f.mask)},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(f.want), SkipTrue: 1},
		reject,
		bpf.LoadIndirect{Off: portOffset, Size: 2},
	}, tcpPorts...)
	udp := append([]bpf.Instruction{
		bpf.LoadIndirect{Off: portOffset, Size: 2},
	}, udpPorts...)
	return slices.Concat([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolUDP, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolTCP, SkipTrue: 2},
		reject,
		bpf.Jump{Skip: uint32(len(tcp))},
	}, tcp, udp)
}

// passIf accepts the packet if the accumulator is any of values.
func passIf(values ...uint32) []bpf.Instruction {
	var program []bpf.Instruction
	for _, value := range values {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: 1}, pass)
	}
	return program
}
