package filter

import (
	"errors"
	"net"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestKernelTakesProgram attaches a program of about 900 ports to a packet
// socket on the loopback device, and sends to two ports.
func TestKernelTakesProgram(t *testing.T) {
	const watched, ignored = 20001, 20002
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("needs CAP_NET_RAW: a packet socket is refused")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	program, coarse := New(Interest{UDP: append(spread(900), watched), TCP: []uint16{1}}).Program()
	if coarse {
		t.Fatal("the program is coarse")
	}
	attach(t, fd, program)
	loopback, err := net.InterfaceByName("lo")
	if err != nil || loopback.Flags&net.FlagUp == 0 {
		t.Skip("needs the loopback device: lo is not up")
	}
	address := &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: loopback.Index} // ETH_P_ALL, in network byte order
	if err := unix.Bind(fd, address); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}

	send(t, ignored, "program test: ignored")
	send(t, watched, "program test: watched")
	if got := receive(t, fd); got != "program test: watched" {
		t.Errorf("the kernel passed %q", got)
	}
}

func attach(t *testing.T, fd int, program []bpf.Instruction) {
	t.Helper()
	raw, err := bpf.Assemble(program)
	if err != nil {
		t.Fatal(err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(code)), Filter: unsafe.SliceData(code)})
	if err != nil {
		t.Fatalf("attaching %d instructions: %v", len(code), err)
	}
	t.Logf("the kernel accepted %d instructions", len(code))
}

func send(t *testing.T, port int, text string) {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 66, 77, 88), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// receive returns the payload of our next datagram, and skips others.
func receive(t *testing.T, fd int) string {
	t.Helper()
	data := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, data, 0)
		if err != nil {
			t.Fatalf("nothing arrived: %v", err)
		}
		if text := data[:n]; n > 28 && string(text[28:min(n, 41)]) == "program test:" {
			return string(text[28:])
		}
	}
}
