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

// How long a port may take to answer. It is asked once before the knocks, and
// after them again and again, first after so short a time that an open door is
// found at once, and then with time for a slow network.
const (
	askBefore = time.Second
	askFirst  = 200 * time.Millisecond
	askAfter  = 5 * time.Second // in all
)

// A state is what a TCP port was found to be.
type state int

const (
	silent  state = iota // no answer in time, or none but the network's
	refused              // an answer, that nothing listens
	open
)

// ask tries to connect, and says what came of it. Whatever is no connection is
// closed: that the network refuses is no better than that nothing answers.
func ask(ctx context.Context, at netip.AddrPort, limit time.Duration) state {
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

// askUntilOpen asks again until the port is open, the time is over or the
// context ends. Each time lasts twice as long as the one before.
func askUntilOpen(ctx context.Context, at netip.AddrPort) state {
	var found state
	for limit, rest := askFirst, askAfter; rest > 0; limit = min(2*limit, rest) {
		rest -= limit
		pause, cancel := context.WithTimeout(ctx, limit)
		if found = ask(pause, at, limit); found != open {
			<-pause.Done() // a port that refuses has answered early
		}
		cancel()
		if found == open || ctx.Err() != nil {
			break
		}
	}
	return found
}

// verdict says what the knocks did to a port.
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
