package capture

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// Config configures a Source.
type Config struct {
	// Interfaces are the names of the interfaces on which packets count; none: all. They need not
	// exist yet: SetLinks lists those that do.
	Interfaces []string
	// RingBytes is the size of the ring, from 64 KiB to 1 GiB in steps of 64 KiB. A packet takes
	// 2,048 bytes until Next takes it. The default is 32 MiB for 16,384 packets: at half a million
	// packets per second, the reader may pause for 30 ms. When the kernel has less memory, the ring
	// is smaller, but at least 1 MiB.
	RingBytes int
	// Program is the BPF filter. It sees packets from their network header on. Nil passes every
	// packet.
	Program []bpf.Instruction
	// Links are the existing interfaces. With nil, packets count on every interface if Interfaces
	// is empty, and otherwise on none, until SetLinks is called.
	Links *Links
}

// A Frame is one received packet, from its IP header on.
type Frame struct {
	// Data holds the captured bytes, at most the first 1,968. Wire is the length of the packet, at
	// least that of Data.
	Data []byte
	Wire int
	// Link is packet.IPv4 or packet.IPv6, according to the kernel. Data may disagree.
	Link packet.LinkType
	// Stamp is the kernel's time of arrival, in UTC with nanoseconds. It is wall-clock time.
	Stamp time.Time
	// Interface is the index of the interface where it counts.
	Interface int
	// LinkDigest is a hash of what the kernel tells of the link header: see
	// [packet.Packet.LinkDigest].
	LinkDigest uint64
	// Reception says what the kernel tells of the checksum and of the interface.
	Reception packet.Reception
	// Stray means that it came in a VLAN for which there is no interface, so that no protocol of
	// this host receives it.
	Stray bool
}

// A Source returns packets in the order of their arrival, over all interfaces. Interfaces may go
// down, be deleted and be made anew; the Source continues. Only one goroutine may call Next. The
// other methods are safe for concurrent use.
type Source struct {
	names    []string
	file     *os.File
	raw      syscall.RawConn
	waiting  func(uintptr) bool // the method awaited; a method value allocates, so it is made only once
	counting atomic.Pointer[counting]
	damaged  atomic.Uint64 // slots that contradict themselves, since the last Lost

	mu   sync.Mutex
	ring ring // without memory after Close

	arrival arrival
	buffer  [slotSize]byte // the data of the frame that Next returned last
}

// Open starts to capture. From the beginning, only packets that pass the filter are received. It
// needs CAP_NET_RAW. The caller closes the Source.
func Open(cfg Config) (*Source, error) {
	s := &Source{names: cfg.Interfaces}
	s.waiting = s.awaited
	s.SetLinks(cfg.Links)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("opening a packet socket: %w: it needs root, or CAP_NET_RAW", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	s.ring.memory, err = configure(fd, cfg)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// A non-blocking descriptor uses the poller of the Go runtime: Wait then holds no thread, and
	// Close ends it.
	s.file = os.NewFile(uintptr(fd), "packet socket")
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for packets: %w", err), s.Close())
	}
	return s, nil
}

// Next takes the next packet that counts. It never blocks. It returns false when it has taken all
// packets that had arrived before the call, and after Close. The frame's data is valid until the
// next call.
func (s *Source) Next(f *Frame) bool {
	counting := s.counting.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Packets that do not count may arrive faster than this loop skips them. One turn around the
	// ring covers all packets that had arrived before the call, so the loop ends there.
	for range s.ring.slots() {
		if !s.ring.ready() {
			return false
		}
		taken := s.take(f, counting)
		s.ring.advance()
		if taken {
			return true
		}
	}
	return false
}

// take copies the packet in the next slot, if it counts. The copy is small. It frees the slot, and
// a frame never points to memory that Close unmaps.
func (s *Source) take(f *Frame, counting *counting) bool {
	a := &s.arrival
	if !a.read(s.ring.slot()) {
		s.damaged.Add(1)
		return false
	}
	if !counting.packet(a) {
		return false
	}
	link, ip := a.untag()
	if !ip || counting.elsewhere(a) {
		return false
	}
	n := copy(s.buffer[:], a.data)
	*f = Frame{Data: s.buffer[:n:n], Wire: a.wire, Link: link, Stamp: a.stamp, Interface: a.iface,
		LinkDigest: a.linkDigest(), Reception: a.reception, Stray: counting.stray(a)}
	return true
}

// Wait blocks until a packet has arrived, which may turn out not to count. The error is
// os.ErrClosed after Close.
//
// A packet that arrives between a Next without result and Wait is not missed: awaited reads the
// ring after the poller was reset.
func (s *Source) Wait() error {
	err := s.raw.Read(s.waiting)
	switch {
	case s.closed():
		return os.ErrClosed
	case err != nil:
		return fmt.Errorf("waiting for packets: %w", err)
	}
	return nil
}

// awaited reports whether Wait can return: a packet has arrived, or the Source is closed.
func (s *Source) awaited(uintptr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring.memory == nil || s.ring.ready()
}

func (s *Source) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring.memory == nil
}

// SetProgram replaces the filter. At every moment the old or the new filter is in force. Packets
// that passed the old filter may still be in the ring. On an error the old filter stays. The error
// is unix.ENOMEM when the program is longer than the sysctl net.core.optmem_max allows.
func (s *Source) SetProgram(program []bpf.Instruction) error {
	return s.control(func(fd int) error { return attachPackets(fd, program) })
}

// SetLinks sets which interfaces exist, and so on which of them packets count.
func (s *Source) SetLinks(links *Links) { s.counting.Store(newCounting(links, s.names)) }

// Lost returns how many packets passed the filter and were lost since the last call: because the
// ring was full, or because a slot contradicted itself.
func (s *Source) Lost() (uint64, error) {
	var stats *unix.TpacketStats
	err := s.control(func(fd int) (err error) {
		stats, err = unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("asking for lost packets: %w", err)
	}
	return uint64(stats.Drops) + s.damaged.Swap(0), nil
}

// control calls f with the socket, which stays open during the call.
func (s *Source) control(f func(fd int) error) error {
	var failed error
	if err := s.raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return os.ErrClosed
	}
	return failed
}

// Close ends the capture, and a Wait that blocks. The frame that Next returned last stays valid.
func (s *Source) Close() error {
	s.mu.Lock()
	memory := s.ring.memory
	s.ring = ring{}
	s.mu.Unlock()
	if memory == nil {
		return os.ErrClosed
	}
	err := unix.Munmap(memory)
	return errors.Join(err, s.file.Close())
}
