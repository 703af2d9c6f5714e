package capture

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	defaultBuffer  = 64 << 20
	smallestBuffer = 64 << 10
	largestBuffer  = 1 << 30
)

// configure sets the filter and the options of a packet socket, and binds it. Until it is bound to
// a protocol, the socket receives nothing, so no packet comes before the filter.
func configure(fd int, cfg Config) error {
	// A packet sent over the loopback comes twice, on its way out and in. Before Linux 4.20 this
	// option does not exist. Packets on their way out then have a type that does not count.
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return fmt.Errorf("leaving out packets sent: %w", err)
	}
	if err := attachPackets(fd, cfg.Program); err != nil {
		return err
	}
	if err := setBuffer(fd, cfg.Buffer); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("asking for the VLANs of packets: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("asking for the times of packets: %w", err)
	}
	// A socket bound to no interface receives from all, also from those that are made later, and no
	// error of an interface ends it.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL)}); err != nil {
		return fmt.Errorf("binding the packet socket: %w", err)
	}
	return nil
}

// setBuffer sets how many bytes of packets may wait in the kernel; 0: defaultBuffer. Without
// CAP_NET_ADMIN it is at most what the sysctl net.core.rmem_max allows.
func setBuffer(fd, size int) error {
	if size <= 0 {
		size = defaultBuffer
	}
	half := max(smallestBuffer, min(size, largestBuffer)) / 2 // the kernel doubles it (socket(7))
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, half)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, half)
	}
	if err != nil {
		return fmt.Errorf("setting a buffer of %d bytes: %w", size, err)
	}
	return nil
}

// maxProgram is the largest number of instructions that the kernel accepts (BPF_MAXINSNS).
const maxProgram = 4096

// notOurs drops packets that are addressed to another host of the link. In the kernel they then
// take no room in the buffer.
var notOurs = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtType},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OTHERHOST, SkipTrue: 1},
	bpf.RetConstant{Val: 0},
}

// everything passes all packets, with all their bytes.
var everything = []bpf.Instruction{bpf.RetConstant{Val: 1 << 18}}

// attachPackets sets the filter of a packet socket: notOurs and program, or program alone if both
// are too long together.
func attachPackets(fd int, program []bpf.Instruction) error {
	if program == nil {
		program = everything
	}
	if len(notOurs)+len(program) <= maxProgram {
		program = slices.Concat(notOurs, program)
	}
	return attach(fd, program)
}

func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assembling a kernel filter: %w", err)
	}
	if len(raw) == 0 || len(raw) > maxProgram {
		return fmt.Errorf("a kernel filter of %d instructions: expected 1 to %d", len(raw), maxProgram)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	filter := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
	if errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("giving the kernel a filter of %d instructions: %w: raise the sysctl net.core.optmem_max", len(code), err)
	}
	if err != nil {
		return fmt.Errorf("giving the kernel a filter of %d instructions: %w", len(code), err)
	}
	return nil
}
