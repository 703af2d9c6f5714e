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

// Config says what a Source hears.
type Config struct {
	// Interfaces are names; none: all interfaces. They need not exist yet: which
	// of them do is what SetLinks says.
	Interfaces []string
	// RingBytes bounds the memory for packets that nobody has taken yet, 2,048
	// bytes for each: from 64 KiB to 1 GiB, in steps of 64 KiB. The default is
	// 32 MiB for 16,384 packets: half a million a second may come while we pause
	// for 30 ms. When the kernel has less memory, the ring is smaller, down to 1 MiB.
	RingBytes int
	// Program is the filter, for packets that begin with their network header.
	// Nil: every packet passes.
	Program []bpf.Instruction
	// Links are the interfaces that there are. Nil: until SetLinks, packets
	// count on every interface if Interfaces names none, else on none.
	Links *Links
}

// A Frame is one packet that came in, from its IP header on.
type Frame struct {
	// Data is what was captured, at most the first 1,968 bytes, and Wire the length
	// that there was, at least that of Data.
	Data []byte
	Wire int
	// Link is packet.IPv4 or packet.IPv6: as the kernel says, whatever Data does.
	Link packet.LinkType
	// Stamp is the wall clock, in UTC and nanoseconds, when the packet came in.
	Stamp time.Time
	// Interface is the index of the interface where it counts.
	Interface int
}

// A Source delivers packets in the order in which they came in, on whatever
// interface. An interface that goes away, comes back or is made anew never ends
// it. Next belongs to one goroutine, and so do the methods that call it; the
// others are safe for concurrent use.
type Source struct {
	names    []string
	file     *os.File
	raw      syscall.RawConn
	waiting  func(uintptr) bool // awaited, made once: Wait is called for every packet
	counting atomic.Pointer[counting]
	damaged  atomic.Uint64 // slots that contradict themselves, not yet told

	mu   sync.Mutex
	ring ring // without memory once closed

	arrival arrival
	buffer  [slotSize]byte // what Next returned last
}

// Open begins to capture. Not one packet is seen that the filter does not pass.
// It needs CAP_NET_RAW. The caller closes the Source.
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
	s.ring.memory, err = setUp(fd, cfg)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// A non-blocking descriptor joins the runtime's poller: Wait then costs no
	// thread, and Close ends it.
	s.file = os.NewFile(uintptr(fd), "packet socket")
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for packets: %w", err), s.Close())
	}
	return s, nil
}

// Next takes the next packet that counts. It never blocks: false says that all
// packets have been taken that were there when it was called, or that s is
// closed. The frame's data are valid until the next call.
func (s *Source) Next(f *Frame) bool {
	counting := s.counting.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Packets that do not count may come faster than they are stepped over. After
	// one turn around the ring, those that were here at the beginning are done.
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

// take copies the packet in the next slot, if it counts. The copy is small, and
// frees the slot: a frame is never memory that Close unmaps.
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
	if !ip {
		return false
	}
	n := copy(s.buffer[:], a.data)
	*f = Frame{Data: s.buffer[:n:n], Wire: a.wire, Link: link, Stamp: a.stamp, Interface: a.iface}
	return true
}

// Wait blocks until Next has something to look at, which may turn out not to
// count. The error is os.ErrClosed once s is closed.
//
// No packet can slip in between a Next that found nothing and the wait: the ring
// is looked at after the poller was told to forget what it knew.
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

// awaited reports whether there is what Wait waits for.
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

// SetProgram replaces the filter, at once and without a gap. Packets that passed
// the old one may be waiting in the ring. An error leaves the old one in place;
// it is unix.ENOMEM for a program longer than the sysctl net.core.optmem_max
// allows, where that is small.
func (s *Source) SetProgram(program []bpf.Instruction) error {
	return s.control(func(fd int) error { return attachPackets(fd, program) })
}

// SetLinks says which interfaces there are now.
func (s *Source) SetLinks(links *Links) { s.counting.Store(newCounting(links, s.names)) }

// Lost returns how many packets that passed the filter were lost since the last
// call, because the ring was full.
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

// control runs f on the socket, which stays open meanwhile.
func (s *Source) control(f func(fd int) error) error {
	var failed error
	if err := s.raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return os.ErrClosed
	}
	return failed
}

// Close ends the capture, and a Wait that blocks. A frame that Next returned
// stays valid.
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
