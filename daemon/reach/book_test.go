package reach

import (
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/packet"
)

var (
	port22 = packet.Port{Proto: packet.TCP, Number: 22}
	source = netip.MustParseAddr("198.51.100.9")
	host   = netip.MustParsePrefix("198.51.100.9/32")
)

// TestBook: what differs is told once, and the times span the packets of one outcome in a row.
func TestBook(t *testing.T) {
	var b Book
	dropped := Result{Source: source, Port: port22, Outcome: Dropped, Blocker: &Blocker{Table: "ip filter", Chain: "INPUT", Policy: true}}
	byRule := dropped
	byRule.Blocker = &Blocker{Table: "ip filter", Chain: "INPUT", Handle: 4}
	answered := Result{Source: source, Port: port22, Outcome: Answered}
	closed := answered
	closed.Closed = true
	for i, tt := range []struct {
		result      Result
		came        int // seconds
		changed     bool
		first, last int
	}{
		{dropped, 1, true, 1, 1},
		{dropped, 3, false, 1, 3},
		{byRule, 4, true, 4, 4},
		{answered, 6, true, 6, 6},
		{dropped, 5, false, 6, 6}, // a late result
		{closed, 6, true, 6, 6},
		{closed, 8, false, 6, 8},
	} {
		got, changed := b.Put(tt.result, start.Add(time.Duration(tt.came)*time.Second))
		if changed != tt.changed || got.First.Sub(start) != time.Duration(tt.first)*time.Second || got.Last.Sub(start) != time.Duration(tt.last)*time.Second {
			t.Errorf("%d: %+v, changed %v", i, got, changed)
		}
	}
	if all := b.Results(); len(all) != 1 || !all[0].Closed {
		t.Errorf("%+v", all)
	}
}

// TestBookIsBounded: the result that was seen longest ago goes.
func TestBookIsBounded(t *testing.T) {
	var b Book
	address := netip.MustParseAddr("10.0.0.0")
	for i := range maxResults + 1 {
		b.Put(Result{Source: address, Port: port22, Outcome: Answered}, start.Add(time.Duration(i)*time.Second))
		address = address.Next()
	}
	all := b.Results()
	if len(all) != maxResults || all[len(all)-1].Source != netip.MustParseAddr("10.0.0.1") || !all[0].Last.After(all[1].Last) {
		t.Errorf("%d results, from %v to %v", len(all), all[0], all[len(all)-1])
	}
}

// TestOf finds the result of a grant: the latest for any address of it, since it was given.
func TestOf(t *testing.T) {
	var b Book
	neighbour := netip.MustParseAddr("198.51.100.10")
	b.Put(Result{Source: source, Port: port22, Outcome: Dropped}, start)
	b.Put(Result{Source: neighbour, Port: port22, Outcome: Answered}, start.Add(time.Second))
	b.Put(Result{Source: source, Port: packet.Port{Proto: packet.UDP, Number: 22}, Outcome: Passed}, start.Add(time.Second))
	for _, tt := range []struct {
		name    string
		network netip.Prefix
		since   time.Time
		want    Outcome
	}{
		{"an address", host, start, Dropped},
		{"a network", netip.MustParsePrefix("198.51.100.0/24"), start, Answered},
		{"given later", host, start.Add(1), Unused},
		{"another address", netip.MustParsePrefix("198.51.100.11/32"), start, Unused},
		{"another family", netip.MustParsePrefix("2001:db8::/32"), start, Unused},
	} {
		if got := Of(b.Results(), tt.network, port22, tt.since); got.Outcome != tt.want || got.Port != port22 {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
}

// TestForget: what is forgotten is told again.
func TestForget(t *testing.T) {
	var b Book
	r := Result{Source: source, Port: port22, Outcome: Dropped}
	b.Put(r, start)
	b.Put(Result{Source: source, Port: packet.Port{Proto: packet.UDP, Number: 53}, Outcome: Answered}, start)
	b.Forget(func(r Result) bool { return r.Outcome == Dropped })
	if all := b.Results(); len(all) != 1 || all[0].Outcome != Answered {
		t.Errorf("%+v", all)
	}
	if _, changed := b.Put(r, start); !changed {
		t.Error("what is forgotten is not told again")
	}
}
