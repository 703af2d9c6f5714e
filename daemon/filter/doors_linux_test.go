package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// doors returns a set of so many doors, each with four knocks on ports of its own and with
// tripwires.
func doors(count int) *engine.Set {
	r := rand.New(rand.NewPCG(11, uint64(count)))
	taken := map[packet.Port]bool{}
	set := &engine.Set{}
	for i := range count {
		d := &engine.Door{Name: fmt.Sprintf("door%d", i), Tripwires: 64}
		for len(d.Sequence) < 4 {
			port := packet.Port{Proto: packet.TCP, Number: uint16(1024 + r.IntN(60000))}
			if len(d.Sequence) == 1 {
				port.Proto = packet.UDP
			}
			if !taken[port] {
				taken[port] = true
				d.Sequence = append(d.Sequence, engine.Knock{Port: port, Flags: engine.SYN})
			}
		}
		set.Doors = append(set.Doors, d)
	}
	return set
}

// TestKernelStaysExact attaches the programs of 10, 100 and 400 doors with their tripwires, and
// sends a datagram to each UDP knock and tripwire, and to some thousand other ports. Exactly those
// in which the set is interested may pass: the program is not the coarse one.
func TestKernelStaysExact(t *testing.T) {
	for _, count := range []int{10, 100, 400} {
		t.Run(fmt.Sprint(count, " doors"), func(t *testing.T) {
			set := doors(count)
			interest := Interest(set.Interest())
			if tripwires := len(set.Tripwires()); len(interest.TCP)+len(interest.UDP) < 4*count+min(64, tripwires) {
				t.Fatalf("%d ports for %d knocks and %d tripwires", len(interest.TCP)+len(interest.UDP), 4*count, tripwires)
			}
			filter := New(interest)
			program, coarse := filter.Program()
			if coarse {
				t.Fatal("the program is coarse")
			}
			tap := listenOn(t, "lo")
			attach(t, tap, program)
			conn, err := net.ListenPacket("udp4", "127.66.77.99:0")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ports := map[uint16]bool{}
			for _, p := range interest.UDP {
				ports[p], ports[p+1], ports[p-1] = true, true, true
			}
			for p := 1; p < 1<<16; p += 31 {
				ports[uint16(p)] = true
			}
			delete(ports, 0)
			for p := range ports {
				if _, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 66, 77, 88), Port: int(p)}); err != nil {
					t.Fatal(err)
				}
				if got := passed(t, tap, p); got != filter.udp.has(p) {
					t.Errorf("udp/%d passes the kernel: %v, expected %v", p, got, !got)
				}
			}
			t.Logf("%d ports tried", len(ports))
		})
	}
}

// listenOn returns a packet socket on an interface.
func listenOn(t *testing.T, name string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("needs CAP_NET_RAW: a packet socket is refused")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	link, err := net.InterfaceByName(name)
	if err != nil || link.Flags&net.FlagUp == 0 {
		t.Skipf("needs the interface %s up", name)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: link.Index}); err != nil { // ETH_P_ALL
		t.Fatal(err)
	}
	return fd
}

// passed reports whether our datagram to a port passed the filter. A datagram over the loopback
// device arrives before the call that sends it returns.
func passed(t *testing.T, fd int, port uint16) (found bool) {
	t.Helper()
	data := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, data, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		ours := n >= 24 && data[9] == unix.IPPROTO_UDP && [4]byte(data[16:20]) == [4]byte{127, 66, 77, 88}
		found = found || ours && uint16(data[22])<<8|uint16(data[23]) == port
	}
}
