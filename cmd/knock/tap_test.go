//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/sys/unix"

	"sesame/daemon/livetest"
)

// A seen is a packet that came to the server: a SYN, a datagram or another TCP
// packet.
type seen struct {
	Source, To netip.Addr
	SourcePort uint16
	What       string // "tcp/7000", or with its flags or its payload if that is not usual
}

// A tap is a packet socket.
type tap struct{ fd int }

func listenIn(t *testing.T, h *livetest.Host) tap {
	t.Helper()
	s := tap{}
	err := h.Do(func() (err error) {
		const everything = 0x0300 // ETH_P_ALL, in network order
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything); err != nil {
			return err
		}
		t.Cleanup(func() { unix.Close(s.fd) })
		limit := unix.Timeval{Sec: 10}
		return errors.Join(
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
			unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next returns the next TCP or UDP packet, or false when none is left.
func (s tap) next(t *testing.T, flags int) (seen, bool) {
	t.Helper()
	data := make([]byte, 2000)
	for {
		n, _, err := unix.Recvfrom(s.fd, data, flags)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			return seen{}, false
		}
		if err != nil {
			t.Fatal(err)
		}
		if packet, ok := decode(data[:n]); ok {
			return packet, true
		}
	}
}

// all returns what came so far.
func (s tap) all(t *testing.T) (found []seen) {
	t.Helper()
	for {
		packet, ok := s.next(t, unix.MSG_DONTWAIT)
		if !ok {
			return found
		}
		found = append(found, packet)
	}
}

func decode(frame []byte) (s seen, ok bool) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if p.NetworkLayer() == nil {
		return s, false
	}
	from, to := p.NetworkLayer().NetworkFlow().Endpoints()
	s.Source, s.To = netip.MustParseAddr(from.String()), netip.MustParseAddr(to.String())
	switch l := p.TransportLayer().(type) {
	case *layers.TCP:
		s.SourcePort, s.What = uint16(l.SrcPort), fmt.Sprintf("tcp/%d", l.DstPort)
		if !l.SYN || l.ACK || l.RST || l.FIN || len(l.Payload) > 0 {
			s.What += " no syn"
		}
	case *layers.UDP:
		s.SourcePort, s.What = uint16(l.SrcPort), fmt.Sprintf("udp/%d", l.DstPort)
		if !bytes.Equal(l.Payload, []byte{0}) {
			s.What += fmt.Sprintf(" %q", l.Payload)
		}
	default:
		return s, false
	}
	return s, true
}
