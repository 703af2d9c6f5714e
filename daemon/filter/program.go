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
// The program tells ports apart by bisection, in about four instructions for
// each port that stands alone, and for each range of ports as well. Beyond
// the kernel's limit, some 1,000 of them, it is coarse: every port passes of a
// protocol of which any is watched, with the TCP flags tested as ever.
func (f *Filter) Program() (program []bpf.Instruction, coarse bool) {
	if program = f.fine(); len(program) <= maxProgram {
		return program, false
	}
	return f.coarse(), true
}

func (f *Filter) fine() []bpf.Instruction {
	return f.program(tree(f.tcp.edges(), false), tree(f.udp.edges(), false))
}

func (f *Filter) coarse() []bpf.Instruction {
	return f.program(tree(nil, f.tcp != ports{}), tree(nil, f.udp != ports{}))
}

// edges returns, in ascending order, the ports at which the set begins or ends:
// a port is in the set when the number of edges up to it is odd.
func (s *ports) edges() []uint32 {
	var edges []uint32
	inside := false
	for port := range uint32(1 << 16) {
		if s.has(uint16(port)) != inside {
			inside = !inside
			edges = append(edges, port)
		}
	}
	return edges
}

// tree returns a program that bisects the edges to find the port that stands in
// the accumulator. Below the first edge, a port is watched if inside is true.
func tree(edges []uint32, inside bool) []bpf.Instruction {
	if len(edges) == 0 {
		if inside {
			return []bpf.Instruction{pass}
		}
		return []bpf.Instruction{reject}
	}
	middle := len(edges) / 2
	low := tree(edges[:middle], inside)
	high := tree(edges[middle+1:], inside != (middle%2 == 0))
	return slices.Concat(skipIfAtLeast(edges[middle], len(low)), low, high)
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
