package filter

import (
	"slices"

	"golang.org/x/net/bpf"

	"sesame/daemon/packet"
)

// maxProgram is the largest number of instructions that the kernel accepts (BPF_MAXINSNS).
const maxProgram = 4096

// accept is how many bytes of a packet user space gets. It is more than any packet has.
const accept = 1 << 18

var (
	pass   = bpf.RetConstant{Val: accept}
	reject = bpf.RetConstant{Val: 0}
)

// Program returns the filter for the kernel, in classic BPF without Linux extensions, so that tests
// can run it in [bpf.VM]. It is for packets that begin with their network header, as a SOCK_DGRAM
// packet socket delivers them (packet(7)).
//
// It rejects fragments, which are never knocks, and protocols other than TCP and UDP. Two kinds of
// packet pass without a test of their port: IPv6 with extension headers, since a program without
// loops cannot step over them, and packets that may begin with a VLAN tag, since the kernel removes
// only the outermost tag. A stranger can send such packets; they cost work and open nothing.
//
// The program finds a port by bisection. It needs about three instructions for two single ports,
// and five for two ranges of ports. Beyond the kernel's limit, at some 2,800 single ports, the
// program is coarse: it passes all ports of a protocol of which it should pass any. It still tests
// TCP flags.
func (f *Filter) Program() (program []bpf.Instruction, coarse bool) {
	if program = f.fine(); len(program) <= maxProgram {
		return program, false
	}
	return f.Coarse(), true
}

func (f *Filter) fine() []bpf.Instruction {
	return f.program(tree(f.tcp.spans()), tree(f.udp.spans()))
}

// Coarse returns the coarse program. A kernel may have no memory for a longer one: some allow a
// socket 20 KiB for options and filters (sysctl net.core.optmem_max).
func (f *Filter) Coarse() []bpf.Instruction {
	return f.program(tree(f.tcp.widest()), tree(f.udp.widest()))
}

// A span is a range of ports: its first port, and the first port after it.
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

// widest returns one span of all ports, or none if the set is empty.
func (s *ports) widest() []span {
	if *s == (ports{}) {
		return nil
	}
	return []span{{0, 1 << 16}}
}

// leaf is how many spans are tested one after the other where the bisection ends. A larger leaf
// makes the program shorter and slower.
const leaf = 8

// tree returns a program that passes a packet if the port in the accumulator is in one of the
// spans.
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

// program returns the whole program: the tests of the headers, then the trees of ports.
func (f *Filter) program(tcpPorts, udpPorts []bpf.Instruction) []bpf.Instruction {
	v4, v6 := header4(), header6()
	v4 = append(v4, bpf.Jump{Skip: uint32(len(v6))})
	return slices.Concat(
		// An EtherType at offset 2: the packet may begin with a VLAN tag.
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

// header4 loads the protocol of an IPv4 packet into the accumulator, and the length of its header
// into X.
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

// transportProgram tests the transport header. It expects the protocol in the accumulator, and the
// offset of the transport header in X.
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

// passIf passes the packet if the accumulator equals one of the values.
func passIf(values ...uint32) []bpf.Instruction {
	var program []bpf.Instruction
	for _, value := range values {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: 1}, pass)
	}
	return program
}
