//go:build linux

package livetest

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Sender sends knocks of any source over a host's link. It is not safe for concurrent use. A host
// may have several.
//
// It writes one frame at a time, and the kernel copies each. So the buffer can be used again
// although the other end reads the frame later.
type Sender struct {
	fd      int
	builder *builder
	last    []byte // the frame that was sent last
	to4     netip.Addr
	to6     netip.Addr
}

// OpenSender returns a sender. The caller closes it.
func (h *Host) OpenSender() (*Sender, error) {
	s := &Sender{builder: newBuilder(h.mac, h.other.mac), to4: h.other.IPv4.Addr(), to6: h.other.IPv6.Addr()}
	err := h.Do(func() (err error) {
		// A socket of protocol 0 receives nothing.
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("opening a packet socket: %w", err)
		}
		if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: h.index}); err != nil {
			unix.Close(s.fd)
			return fmt.Errorf("binding a packet socket to %s: %w", h.Interface, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the sender.
func (s *Sender) Close() error { return unix.Close(s.fd) }

// Send sends the knocks at a rate per second, or with rate 0 as fast as one processor can. It ends
// early with the context. It returns the number of knocks sent, and the time that it took.
func (s *Sender) Send(ctx context.Context, knocks iter.Seq[Knock], rate int) (sent int, took time.Duration, err error) {
	pace := newPace(rate)
	for knock := range knocks {
		// Err takes a lock, so the context is checked only now and then.
		if sent%256 == 0 && ctx.Err() != nil {
			return sent, pace.elapsed(), ctx.Err()
		}
		if err := pace.wait(ctx, sent); err != nil {
			return sent, pace.elapsed(), err
		}
		to := knock.To
		switch {
		case to.IsValid():
		case knock.Source.Is4():
			to = s.to4
		default:
			to = s.to6
		}
		if !knock.Again {
			s.last = s.builder.build(knock, to)
		}
		if _, err := unix.Write(s.fd, s.last); err != nil {
			return sent, pace.elapsed(), fmt.Errorf("sending knock %d: %w", sent+1, err)
		}
		sent++
	}
	return sent, pace.elapsed(), nil
}

// Send sends the knocks with a sender of its own.
func (h *Host) Send(ctx context.Context, knocks iter.Seq[Knock], rate int) (sent int, took time.Duration, err error) {
	s, err := h.OpenSender()
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	return s.Send(ctx, knocks, rate)
}
