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
	limitAfter  = 5 * time.Second // in all, for a port that does not answer
	limitRefuse = time.Second     // in all, for a port that refuses
)

// settle is the time between the last knock and the first connection. A guarded port answers
// like a closed one until it is opened, so a connection in the same millisecond as the last
// knock would be refused.
const settle = 50 * time.Millisecond

// A state is the result of a try to connect.
type state int

const (
	silent      state = iota // no answer in time
	refused                  // an answer as of a closed port
	unreachable              // an ICMP error instead of an answer, such as "administratively prohibited"
	open
)

// connect tries to connect to the port and returns its state. An error of this machine counts
// as silence.
func connect(ctx context.Context, at netip.AddrPort, limit time.Duration) state {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1}
	conn, err := dialer.DialContext(limited, "tcp", at.String())
	if err == nil {
		conn.Close()
	}
	return stateOf(err)
}

// stateOf returns what the error of a connection says about the port.
func stateOf(err error) state {
	switch {
	case err == nil:
		return open
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return unreachable
	}
	return silent
}

// connectUntilOpen tries until the port is open, the time is over or ctx ends.
func connectUntilOpen(ctx context.Context, at netip.AddrPort) state {
	for t := newTries(); ; {
		pause, cancel := context.WithTimeout(ctx, t.limit)
		found := connect(pause, at, t.limit)
		again := t.next(found) && ctx.Err() == nil
		if again {
			<-pause.Done() // a port that refuses has answered early
		}
		cancel()
		if !again {
			return found
		}
	}
}

// A tries decides how often and how long a port is tried.
type tries struct {
	limit  time.Duration // of the current try
	silent time.Duration // of all tries that got no answer, with the current one
	refuse time.Duration // since the first try that was refused
}

func newTries() tries { return tries{limit: limitFirst, silent: limitFirst} }

// next takes the state that the current try found, and reports whether there is another try.
// A try lasts twice as long as the one before if that got no answer. One that was refused is
// repeated soon, because a door may open a little after its last knock.
func (t *tries) next(found state) bool {
	switch found {
	case open:
		return false
	case refused, unreachable:
		t.limit = limitFirst
		t.refuse += limitFirst
		return t.refuse <= limitRefuse
	case silent:
	}
	t.limit = min(2*t.limit, limitAfter-t.silent)
	t.silent += t.limit
	return t.limit > 0
}

// verdict returns text about what the knocks did to a port. A port that refuses does not tell
// who refuses: no program listens, or a firewall rejects, or the guard answers as a closed port
// does because nothing was granted.
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
		return subject + " was closed and now refuses: no program listens there, or a firewall rejects"
	case after == refused:
		return subject + " was closed and still is: it refuses, so these knocks opened nothing or no program listens"
	case after == unreachable:
		return subject + " was closed and still is: a firewall or a router rejects"
	}
	return subject + " was closed and still is: no answer"
}
