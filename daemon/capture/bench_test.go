package capture

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A way is one way to read packets. The Source uses one of them. The others are here to compare
// them again, for example on a newer kernel.
type way interface {
	// drain gives each packet that is there to f, from its IP header on.
	drain(f func(data []byte))
	wait() error
	lost() int
	close()
}

var ways = []struct {
	name string
	open func(testing.TB) way
}{
	{"recvmmsg", func(t testing.TB) way { return chosen{open(t, Config{Program: udpFilter(7000)})} }},
	{"V2", openV2(32 << 20)},
	{"V3", openV3},
	{"recvmsg", openRecvmsg},
}

type chosen struct{ *Source }

func (c chosen) drain(f func([]byte)) {
	for frame := (Frame{}); c.Next(&frame); {
		f(frame.Data)
	}
}
func (c chosen) wait() error { return c.Wait() }
func (c chosen) lost() int   { n, _ := c.Lost(); return int(n) }
func (c chosen) close()      { c.Close() }

// plain is a packet socket, as the other ways need it.
type plain struct {
	fd   int
	file *os.File
	raw  syscall.RawConn
}

func openPlain(t testing.TB, prepare func(fd int)) plain {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	must(t, attach(fd, udpFilter(7000)))
	prepare(fd)
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL)}))
	p := plain{fd: fd, file: os.NewFile(uintptr(fd), "")}
	p.raw, err = p.file.SyscallConn()
	must(t, err)
	return p
}

func (p plain) close() { p.file.Close() }

const (
	slotSize    = 2048          // bytes of a ring for a packet
	blockSize   = 32 * slotSize // bytes that the kernel allocates in one piece
	defaultRing = 32 << 20
)

// v2 reads a ring of slots, which the kernel fills in order.
type v2 struct {
	plain
	memory []byte
	at     int // of the slot to read next
}

func openV2(size int) func(testing.TB) way {
	return func(t testing.TB) way {
		v := &v2{}
		v.plain = openPlain(t, func(fd int) {
			must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2))
			must(t, unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq{
				Block_size: blockSize, Block_nr: uint32(size / blockSize), Frame_size: slotSize, Frame_nr: uint32(size / slotSize)}))
			var err error
			v.memory, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			must(t, err)
		})
		return v
	}
}

func (v *v2) status() *uint32 { return (*uint32)(unsafe.Pointer(&v.memory[v.at])) }

func (v *v2) drain(f func([]byte)) {
	native := binary.NativeEndian
	for atomic.LoadUint32(v.status())&unix.TP_STATUS_USER != 0 {
		slot := v.memory[v.at:][:slotSize]
		start := native.Uint16(slot[14:])
		f(slot[start:][:native.Uint32(slot[8:])])
		atomic.StoreUint32(v.status(), unix.TP_STATUS_KERNEL)
		v.at = (v.at + slotSize) % len(v.memory)
	}
}

func (v *v2) wait() error {
	return v.raw.Read(func(uintptr) bool { return atomic.LoadUint32(v.status())&unix.TP_STATUS_USER != 0 })
}

func (v *v2) lost() int { return lostOf(v.fd) }

func (v *v2) close() { _ = unix.Munmap(v.memory); v.plain.close() }

// lostOf returns how many packets a socket that is no V3 ring lost since the last call.
func lostOf(fd int) int {
	stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return -1
	}
	return int(stats.Drops)
}

// v3 reads blocks of packets. The kernel hands a block over when it is full or after a millisecond,
// the shortest time that can be set.
type v3 struct {
	plain
	memory []byte
	block  int
}

func openV3(t testing.TB) way {
	v := &v3{}
	v.plain = openPlain(t, func(fd int) {
		must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3))
		must(t, unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: blockSize, Block_nr: defaultRing / blockSize, Frame_size: slotSize, Frame_nr: defaultRing / slotSize, Retire_blk_tov: 1}))
		var err error
		v.memory, err = unix.Mmap(fd, 0, defaultRing, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
	})
	return v
}

func (v *v3) status() *uint32 { return (*uint32)(unsafe.Pointer(&v.memory[v.block+8])) }

func (v *v3) drain(f func([]byte)) {
	native := binary.NativeEndian
	for atomic.LoadUint32(v.status())&unix.TP_STATUS_USER != 0 {
		block := v.memory[v.block:][:blockSize]
		at := native.Uint32(block[16:])
		for range native.Uint32(block[12:]) {
			slot := block[at:]
			start := native.Uint16(slot[26:])
			f(slot[start:][:native.Uint32(slot[12:])])
			at += native.Uint32(slot)
		}
		atomic.StoreUint32(v.status(), unix.TP_STATUS_KERNEL)
		v.block = (v.block + blockSize) % len(v.memory)
	}
}

func (v *v3) wait() error {
	return v.raw.Read(func(uintptr) bool { return atomic.LoadUint32(v.status())&unix.TP_STATUS_USER != 0 })
}

func (v *v3) lost() int {
	stats, err := unix.GetsockoptTpacketStatsV3(v.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return -1
	}
	return int(stats.Drops)
}

func (v *v3) close() { _ = unix.Munmap(v.memory); v.plain.close() }

// recvmsg reads one packet with each call, out of a buffer of 8 MB.
type recvmsg struct {
	plain
	data, control [slotSize]byte
	n             int // bytes of data, read by wait; 0: none
}

func openRecvmsg(t testing.TB) way {
	return &recvmsg{plain: openPlain(t, func(fd int) {
		must(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1))
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	})}
}

func (r *recvmsg) receive(fd int) error {
	n, _, _, _, err := unix.Recvmsg(fd, r.data[:], r.control[:], 0)
	r.n = max(n, 0)
	return err
}

func (r *recvmsg) drain(f func([]byte)) {
	for {
		if r.n == 0 && r.receive(r.fd) != nil {
			return
		}
		f(r.data[:r.n])
		r.n = 0
	}
}

func (r *recvmsg) wait() error {
	return r.raw.Read(func(fd uintptr) bool { return r.receive(int(fd)) != unix.EAGAIN })
}

func (r *recvmsg) lost() int { return lostOf(r.fd) }

// drainUntil reads until the packet with the last number arrives. After a second without any packet
// it takes that packet for lost.
func drainUntil(b testing.TB, w way, file *os.File, last int, f func(data []byte)) {
	for done := false; !done; {
		w.drain(func(data []byte) {
			f(data)
			done = done || number(data) == last
		})
		if done {
			return
		}
		must(b, file.SetReadDeadline(time.Now().Add(time.Second)))
		if w.wait() != nil {
			return
		}
	}
}

func fileOf(w way) *os.File {
	switch w := w.(type) {
	case chosen:
		return w.file
	case *v2:
		return w.file
	case *v3:
		return w.file
	case *recvmsg:
		return w.file
	}
	return nil
}

// work takes about the time that the decoder and the engine need for a packet that begins an
// attempt.
func work() {
	for begin := time.Now(); time.Since(begin) < time.Microsecond; {
	}
}

// fullSpeed sends from another processor, as fast as it can.
func fullSpeed(b *testing.B, open func(testing.TB) way) {
	namespace(b)
	cable(b, "here", "there")
	w := open(b)
	defer w.close()
	wire := plug(b, "there", "here")
	got := 0
	b.ResetTimer()
	sent := wire.numbered(b.N, 7000)
	drainUntil(b, w, fileOf(w), b.N-1, func([]byte) { got++; work() })
	must(b, <-sent)
	b.StopTimer()
	w.drain(func([]byte) { got++ }) // when the sender had to wait for long
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(100*float64(b.N-got)/float64(b.N), "%lost")
	if lost := w.lost(); got+lost != b.N {
		b.Errorf("got %d, lost %d: expected %d in all", got, lost, b.N)
	}
}

// BenchmarkFullSpeed compares the ways to read. Run it for a million packets:
// -benchtime 1000000x.
func BenchmarkFullSpeed(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) { fullSpeed(b, way.open) })
	}
}

// BenchmarkBufferSize compares sizes of the buffer in the same way, and of a ring.
func BenchmarkBufferSize(b *testing.B) {
	for mb := 1; mb <= 64; mb *= 4 {
		b.Run(fmt.Sprintf("%dMiB", mb), func(b *testing.B) {
			fullSpeed(b, func(t testing.TB) way { return chosen{open(t, Config{Buffer: mb << 20, Program: udpFilter(7000)})} })
		})
		b.Run(fmt.Sprintf("V2-%dMiB", mb), func(b *testing.B) { fullSpeed(b, openV2(mb<<20)) })
	}
}

// BenchmarkLatency sends a packet every half millisecond, and reports the time from before it is
// sent until it is read.
func BenchmarkLatency(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			namespace(b)
			cable(b, "here", "there")
			w := way.open(b)
			defer w.close()
			wire := plug(b, "there", "here")
			var took []time.Duration
			go func() {
				runtime.LockOSThread()
				tick := time.NewTicker(500 * time.Microsecond)
				defer tick.Stop()
				for i := range b.N {
					<-tick.C
					frame := wire.frame(4, 7000, make([]byte, 16))
					binary.BigEndian.PutUint64(frame[42:], uint64(i))
					binary.BigEndian.PutUint64(frame[50:], uint64(time.Now().UnixNano()))
					_ = write(wire.fd, frame)
				}
			}()
			drainUntil(b, w, fileOf(w), b.N-1, func(data []byte) {
				took = append(took, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(data[36:])))))
			})
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "µs-median")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "µs-p99")
		})
	}
}
