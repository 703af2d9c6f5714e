package client

import (
	"fmt"
	"net/netip"
)

// verdict returns text about what the knocks did to a port. A port that refuses does not tell
// who refuses: no program listens, or a firewall rejects, or the guard answers as a closed port
// does because nothing was granted.
func verdict(port Knock, at netip.Addr, before, after answer) string {
	subject := fmt.Sprintf("%s on %s was ", port, at)
	switch {
	case before.state == open && after.state == open:
		return subject + "open already and is open: nothing guards it, or an earlier knock still counts"
	case after.state == open:
		return subject + "closed and is open"
	case before.state == open:
		return subject + "open and is closed: " + after.reason(port, before)
	case after.state == refused && before.state == silent:
		return subject + "closed and now refuses: " + after.reason(port, before)
	}
	return subject + "closed and still is: " + after.reason(port, before)
}

// reason returns why a port is not open. A change from silence to a refusal means that the knocks
// did something. Without it, they may have opened nothing.
func (a answer) reason(port Knock, before answer) string {
	switch a.state {
	case refused:
		how := "connection refused"
		if a.reset {
			how += " (TCP reset)"
		}
		if before.state == silent {
			return how + fmt.Sprintf(": no service listens at %s, or a firewall rejects", port)
		}
		return how + fmt.Sprintf(": these knocks opened nothing, no service listens at %s, or a firewall rejects", port)
	case rejected:
		return fmt.Sprintf("rejected by ICMP (%s): a firewall", a.icmp)
	case unreachable:
		if a.icmp != "" {
			return fmt.Sprintf("unreachable, says ICMP (%s): a router has no way to the host, or the host is down", a.icmp)
		}
		return "unreachable: this machine has no way to the host, or the host is down"
	case silent, open: // an open port needs no reason
	}
	return "no answer: these knocks opened nothing, or a firewall drops"
}
