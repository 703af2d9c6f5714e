package client

import (
	"context"
	"errors"
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
	refused                  // an answer as of a closed port: a reset, or on other systems than Linux any refusal
	rejected                 // an ICMP error of a firewall, such as "administratively prohibited"
	unreachable              // the network does not reach the host
	open
)

// String returns the state as JSON has it.
func (s state) String() string {
	return [...]string{"no_answer", "refused", "rejected", "unreachable", "open"}[s]
}

// An answer is what a try to connect found.
type answer struct {
	state state
	reset bool   // refused by a reset for certain
	icmp  string // what the ICMP error said; "": there was none, or it is not known
}

// connect tries to connect to the port and returns the answer. An error of this machine counts
// as silence.
func connect(ctx context.Context, at netip.AddrPort, limit time.Duration) answer {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	why := newRefusalReader()
	defer why.close()
	dialer := net.Dialer{KeepAlive: -1, Control: why.control}
	conn, err := dialer.DialContext(limited, "tcp", at.String())
	if err == nil {
		conn.Close()
	}
	found := answer{state: stateOf(err)}
	if found.state != refused && found.state != unreachable {
		return found
	}
	if icmp, ok := why.icmp(); ok {
		return icmp.answer()
	}
	found.reset = found.state == refused && why.told()
	return found
}

// stateOf returns what the error of a connection says about the port.
func stateOf(err error) state {
	switch {
	case err == nil:
		return open
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EACCES):
		return unreachable
	}
	return silent
}

// connectUntilOpen tries until the port is open, the time is over or ctx ends. A machine learns
// after some three seconds that a host on its own network is down, and forgets it soon. So silence
// does not count any more when one try found the host unreachable.
func connectUntilOpen(ctx context.Context, at netip.AddrPort) answer {
	var down answer
	for t := newTries(); ; {
		pause, cancel := context.WithTimeout(ctx, t.limit)
		found := connect(pause, at, t.limit)
		again := t.next(found.state) && ctx.Err() == nil
		if again {
			<-pause.Done() // a port that refuses has answered early
		}
		cancel()
		if found.state == unreachable {
			down = found
		}
		switch {
		case again:
		case found.state == silent && down.state == unreachable:
			return down
		default:
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
	case refused, rejected, unreachable:
		t.limit = limitFirst
		t.refuse += limitFirst
		return t.refuse <= limitRefuse
	case silent:
	}
	t.limit = min(2*t.limit, limitAfter-t.silent)
	t.silent += t.limit
	return t.limit > 0
}
