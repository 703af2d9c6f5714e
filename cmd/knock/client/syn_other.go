//go:build !unix

package client

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// sendTime is the time that a connection gets to send its SYN. There is no way to ask here
// whether it did.
const sendTime = 10 * time.Millisecond

// syn starts a connection and leaves its socket open for a while. Its SYN leaves before that of the
// next knock, unless the machine stalls for longer than sendTime.
func (s *sender) syn(ctx context.Context, port uint16) error {
	begun := make(chan error, 1) // written once: nil when the SYN is on its way
	s.sockets.Go(func() {
		limited, cancel := context.WithTimeout(ctx, openTime)
		defer cancel()
		connecting := false
		dialer := net.Dialer{KeepAlive: -1, Control: func(string, string, syscall.RawConn) error {
			connecting = true
			begun <- nil
			return nil
		}}
		conn, err := dialer.DialContext(limited, "tcp", netip.AddrPortFrom(s.to, port).String())
		switch {
		case err == nil:
			_ = wait(limited, openTime) // either way it has stayed as long as it may
			conn.Close()
		case !connecting:
			begun <- err
		}
	})
	if err := <-begun; err != nil {
		return reason(err)
	}
	return wait(ctx, sendTime)
}
