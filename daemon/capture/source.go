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
	// Buffer is how many bytes of packets may wait in the kernel until Next takes them, from 64 KiB
	// to 1 GiB. The kernel allocates them when packets come, so an idle Source takes none. It
	// counts what it allocates for a packet: 640 bytes for a small one at least, and up to 4 KiB
	// with some drivers. The default is 64 MiB, for 16,384 packets of 4 KiB: at half a million
	// packets per second, the reader may pause for 30 ms. Without CAP_NET_ADMIN it is smaller, as
	// the sysctl net.core.rmem_max says.
	Buffer int
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
	damaged  atomic.Uint64 // messages that contradict themselves, since the last Lost

	mu     sync.Mutex // held during each read from the socket
	fd     int
	closed bool
	failed error // what ended the wait that awaited looked for
	batch  batch

	arrival arrival
	buffer  [mostData]byte // the data of the frame that Next returned last
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
	if err := configure(fd, cfg); err != nil {
		unix.Close(fd)
		return nil, err
	}
	s.fd = fd
	s.batch.prepare()
	// A non-blocking descriptor uses the poller of the Go runtime: Wait then holds no thread, and
	// Close ends it.
	s.file = os.NewFile(uintptr(fd), "packet socket")
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for packets: %w", err), s.Close())
	}
	return s, nil
}

// mostSkipped is how many packets that do not count Next skips at most. It is more than the default
// buffer holds.
const mostSkipped = 1 << 17

// Next takes the next packet that counts. It never blocks. It returns false when it has taken all
// packets that had arrived before the call, and after Close. The frame's data is valid until the
// next call.
func (s *Source) Next(f *Frame) bool {
	counting := s.counting.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Packets that do not count may arrive faster than this loop skips them, so it has a bound.
	for range mostSkipped {
		if s.closed || s.batch.fill(s.fd) != nil {
			return false
		}
		if s.take(f, counting) {
			return true
		}
	}
	return false
}

// take copies the next packet of the batch, if it counts. The copy is small. A Wait that runs
// meanwhile may fill the batch again.
func (s *Source) take(f *Frame, counting *counting) bool {
	a := &s.arrival
	if !a.read(s.batch.take()) {
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
// socket after the poller was reset.
func (s *Source) Wait() error {
	err := s.raw.Read(s.waiting)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return os.ErrClosed
	case err == nil:
		err, s.failed = s.failed, nil
	}
	if err != nil {
		return fmt.Errorf("waiting for packets: %w", err)
	}
	return nil
}

// awaited reports whether Wait can return: a packet has arrived, the Source is closed, or the
// socket fails.
func (s *Source) awaited(uintptr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	s.failed = s.batch.fill(s.fd)
	return !errors.Is(s.failed, unix.EAGAIN)
}

// SetProgram replaces the filter. At every moment the old or the new filter is in force. Packets
// that passed the old filter may still wait in the kernel. On an error the old filter stays. The
// error is unix.ENOMEM when the program is longer than the sysctl net.core.optmem_max allows.
func (s *Source) SetProgram(program []bpf.Instruction) error {
	return s.control(func(fd int) error { return attachPackets(fd, program) })
}

// SetLinks sets which interfaces exist, and so on which of them packets count.
func (s *Source) SetLinks(links *Links) { s.counting.Store(newCounting(links, s.names)) }

// Lost returns how many packets passed the filter and were lost since the last call: because the
// buffer was full, or because a message contradicted itself.
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
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	return s.file.Close()
}
