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

// keep is how long the socket of a TCP knock stays. Proxies in mobile networks
// do not pass on a connection that is closed at once. A kernel sends a second
// SYN after one second (RFC 6298), and Windows half a second after it was
// refused: by then the socket must be gone.
const keep = 400 * time.Millisecond

// sourceTries bounds the search for a source port that the sequence has not had.
const sourceTries = 16

// A sender sends the knocks of one sequence to one address.
type sender struct {
	to      netip.Addr
	sources map[uint16]bool // the source ports so far: no two knocks may look like one packet sent twice
	kept    sync.WaitGroup  // the sockets that stay
}

func newSender(to netip.Addr) *sender { return &sender{to: to, sources: make(map[uint16]bool)} }

// send sends the knocks in their order, with the delay between them, and tells
// of each. Sockets may stay until [sender.close] returns.
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

// close waits until the sockets that stay are gone.
func (s *sender) close() { s.kept.Wait() }

// fresh reports whether no knock came from that source port yet, and takes it.
// After too many tries any port will do.
func (s *sender) fresh(port uint16, try int) bool {
	if s.sources[port] && try < sourceTries {
		return false
	}
	s.sources[port] = true
	return true
}

// datagram sends one byte, as knockd's client does: some networks drop
// datagrams without any.
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

// reason returns what went wrong, without the addresses that the net package
// puts before it.
func reason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
