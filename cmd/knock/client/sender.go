package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// openTime is how long the socket of a TCP knock stays open. Proxies in mobile networks do not
// forward a connection that is closed at once. A kernel sends a second SYN after one second
// (RFC 6298, section 2), and Windows half a second after a refusal: the socket must be closed
// before that.
const openTime = 400 * time.Millisecond

// sourceTries bounds the search for a source port that this sequence has not used.
const sourceTries = 16

// A sender sends the knocks of one sequence to one address.
type sender struct {
	to      netip.Addr
	sources map[uint16]bool // used source ports: two knocks must not look like a retransmission
	sockets sync.WaitGroup  // the sockets that are still open
}

func newSender(to netip.Addr) *sender { return &sender{to: to, sources: make(map[uint16]bool)} }

// send sends the knocks in order, with the delay between them, and prints each. Sockets may
// stay open until [sender.close] returns.
func (s *sender) send(ctx context.Context, knocks []Knock, delay time.Duration, sent func(Knock)) error {
	for i, knock := range knocks {
		if i > 0 {
			if err := wait(ctx, delay); err != nil {
				return err
			}
		}
		var err error
		if knock.UDP {
			err = s.datagram(ctx, knock.Port)
		} else {
			err = s.syn(ctx, knock.Port)
		}
		if err != nil {
			return fmt.Errorf("knock %d of %d, %s on %s: %w", i+1, len(knocks), knock, s.to, err)
		}
		sent(knock)
	}
	return nil
}

// close waits until all sockets are closed.
func (s *sender) close() { s.sockets.Wait() }

// fresh reports whether no knock used this source port yet, and records it. After too many
// tries any port will do.
func (s *sender) fresh(port uint16, try int) bool {
	if s.sources[port] && try < sourceTries {
		return false
	}
	s.sources[port] = true
	return true
}

// datagram sends one byte, like knockd's client: some networks drop empty datagrams.
func (s *sender) datagram(ctx context.Context, port uint16) error {
	dialer := net.Dialer{}
	for try := 1; ; try++ {
		conn, err := dialer.DialContext(ctx, "udp", netip.AddrPortFrom(s.to, port).String())
		if err != nil {
			return reason(err)
		}
		if local, ok := conn.LocalAddr().(*net.UDPAddr); ok && !s.fresh(uint16(local.Port), try) {
			conn.Close()
			continue
		}
		_, err = conn.Write([]byte{0})
		conn.Close()
		return reason(err)
	}
}

// reason returns the error without the addresses that the net package puts before it.
func reason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
