package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// How long a port may take to answer. It is tried once before the knocks. After them it is
// tried again and again, first with a short time, so that an open door is found at once, and
// then with more time for slow networks.
const (
	limitBefore = time.Second
	limitFirst  = 200 * time.Millisecond
	limitAfter  = 5 * time.Second // in all
)

// A state is the result of a try to connect.
type state int

const (
	silent  state = iota // no answer in time, or none but the network's
	refused              // an answer, that nothing listens
	open
)

// connect tries to connect to the port and returns its state. An error of the network counts as
// silence.
func connect(ctx context.Context, at netip.AddrPort, limit time.Duration) state {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1}
	conn, err := dialer.DialContext(limited, "tcp", at.String())
	switch {
	case err == nil:
		conn.Close()
		return open
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return silent
}

// connectUntilOpen tries until the port is open, the time is over or ctx ends. Each try lasts
// twice as long as the one before.
func connectUntilOpen(ctx context.Context, at netip.AddrPort) state {
	var found state
	for limit, rest := limitFirst, limitAfter; rest > 0; limit = min(2*limit, rest) {
		rest -= limit
		pause, cancel := context.WithTimeout(ctx, limit)
		if found = connect(pause, at, limit); found != open {
			<-pause.Done() // a port that refuses has answered early
		}
		cancel()
		if found == open || ctx.Err() != nil {
			break
		}
	}
	return found
}

// verdict returns text about what the knocks did to a port.
func verdict(port Knock, at netip.Addr, before, after state) string {
	subject := fmt.Sprintf("%s on %s", port, at)
	switch {
	case before == open && after == open:
		return subject + " was open already and is open: nothing guards it, or an earlier knock still counts"
	case before == open:
		return subject + " was open and is closed"
	case after == open:
		return subject + " was closed and is open"
	case before == silent && after == refused:
		return subject + " was closed and now refuses: the way is open, and no program listens"
	case after == refused:
		return subject + " was closed and still is: it refuses"
	}
	return subject + " was closed and still is: no answer"
}
