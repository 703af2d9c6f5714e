package client

import (
	"net/netip"
	"testing"
)

// TestVerdict holds the text for each pair of states. Only a port that accepted a connection may
// be called open.
func TestVerdict(t *testing.T) {
	const (
		subject  = "tcp/22 on 198.51.100.1 was "
		noAnswer = "no answer: these knocks opened nothing, or a firewall drops"
		who      = "no service listens at tcp/22, or a firewall rejects"
		nothing  = "these knocks opened nothing, " + who
		rejects  = "rejected by ICMP (port unreachable): a firewall"
		noWay    = "unreachable: this machine has no way to the host, or the host is down"
		router   = "unreachable, says ICMP (no route): a router has no way to the host, or the host is down"
	)
	answers := []answer{
		{state: silent}, {state: refused}, {state: refused, reset: true}, {state: rejected, icmp: "port unreachable"},
		{state: unreachable}, {state: unreachable, icmp: "no route"}, {state: open},
	}
	for i, before := range answers {
		still, was := "closed and still is: ", "closed and is open"
		refuses, reset := still+"connection refused: "+nothing, still+"connection refused (TCP reset): "+nothing
		switch before.state {
		case silent:
			refuses, reset = "closed and now refuses: connection refused: "+who, "closed and now refuses: connection refused (TCP reset): "+who
		case open:
			still, was = "open and is closed: ", "open already and is open: nothing guards it, or an earlier knock still counts"
			refuses, reset = still+"connection refused: "+nothing, still+"connection refused (TCP reset): "+nothing
		case refused, rejected, unreachable:
		}
		want := []string{still + noAnswer, refuses, reset, still + rejects, still + noWay, still + router, was}
		for j, after := range answers {
			if got := verdict(Knock{Port: 22}, netip.MustParseAddr("198.51.100.1"), before, after); got != subject+want[j] {
				t.Errorf("%d, %d: got  %q\nwant %q", i, j, got, subject+want[j])
			}
		}
	}
}

// TestICMPErrors holds who refuses, by type and code.
func TestICMPErrors(t *testing.T) {
	for _, tt := range []struct {
		err  icmpError
		want answer
	}{
		{icmpError{false, 3, 0}, answer{state: unreachable, icmp: "network unreachable"}},
		{icmpError{false, 3, 1}, answer{state: unreachable, icmp: "host unreachable"}},
		{icmpError{false, 3, 3}, answer{state: rejected, icmp: "port unreachable"}},
		{icmpError{false, 3, 13}, answer{state: rejected, icmp: "administratively prohibited"}},
		{icmpError{false, 3, 200}, answer{state: unreachable}},
		{icmpError{false, 11, 0}, answer{state: unreachable}}, // time exceeded
		{icmpError{true, 1, 0}, answer{state: unreachable, icmp: "no route"}},
		{icmpError{true, 1, 1}, answer{state: rejected, icmp: "administratively prohibited"}},
		{icmpError{true, 1, 4}, answer{state: rejected, icmp: "port unreachable"}},
		{icmpError{true, 3, 0}, answer{state: unreachable}},
	} {
		if got := tt.err.answer(); got != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.err, got, tt.want)
		}
	}
}
