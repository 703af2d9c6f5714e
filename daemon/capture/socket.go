package capture

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	defaultRing  = 32 << 20
	smallestRing = 1 << 20
	largestRing  = 1 << 30
)

// configure sets the filter and the ring of a packet socket, and binds it. Until it is bound to a
// protocol, the socket receives nothing, so no packet comes before the filter. It returns the
// memory of the ring.
func configure(fd int, cfg Config) ([]byte, error) {
	// A packet sent over the loopback comes twice, on its way out and in. Before Linux 4.20 this
	// option does not exist. Packets on their way out then have a type that does not count.
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return nil, fmt.Errorf("leaving out packets sent: %w", err)
	}
	if err := attachPackets(fd, cfg.Program); err != nil {
		return nil, err
	}
	memory, err := mapRing(fd, cfg.RingBytes)
	if err != nil {
		return nil, err
	}
	// A socket bound to no interface receives from all, also from those that are made later, and no
	// error of an interface ends it.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL)}); err != nil {
		return nil, errors.Join(fmt.Errorf("binding the packet socket: %w", err), unix.Munmap(memory))
	}
	return memory, nil
}

// mapRing makes the ring and maps it into this process. When the kernel has not enough memory for
// size bytes, it tries half of them, and so on down to smallestRing.
func mapRing(fd, size int) ([]byte, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, fmt.Errorf("asking for a packet ring: %w", err)
	}
	if size <= 0 {
		size = defaultRing
	}
	size = max(blockSize, min(size, largestRing)/blockSize*blockSize)
	for {
		memory, err := mapRingOf(fd, size)
		if half := size / 2 / blockSize * blockSize; errors.Is(err, unix.ENOMEM) && half >= smallestRing {
			size = half
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("making a packet ring of %d bytes: %w", size, err)
		}
		return memory, nil
	}
}

func mapRingOf(fd, size int) ([]byte, error) {
	request := unix.TpacketReq{
		Block_size: blockSize, Block_nr: uint32(size / blockSize),
		Frame_size: slotSize, Frame_nr: uint32(size / slotSize),
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		// The kernel refuses another ring until this one is removed.
		none := unix.TpacketReq{}
		return nil, errors.Join(err, unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &none))
	}
	return memory, nil
}

// maxProgram is the largest number of instructions that the kernel accepts (BPF_MAXINSNS).
const maxProgram = 4096

// notOurs drops packets that are addressed to another host of the link. In the kernel they then
// take no slot of the ring.
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
