package tally

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var began = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func from(address string) netip.Prefix {
	a := netip.MustParseAddr(address)
	return netip.PrefixFrom(a, a.BitLen())
}

func TestALineAMinute(t *testing.T) {
	var tally Tally
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	want := func(seconds int, line string) {
		t.Helper()
		got := ""
		if pairs := tally.Line(at(seconds)); pairs != nil {
			got = fmt.Sprintln(pairs...)
		}
		if line != "" {
			line += "\n"
		}
		if got != line {
			t.Errorf("after %d s: %q, want %q", seconds, got, line)
		}
	}
	want(0, "")
	tally.Add(at(1), "ssh", from("203.0.113.9"), false)
	want(1, "count 1 doors ssh sources 1 last_source 203.0.113.9")
	for i := range 10 {
		tally.Add(at(2+i), []string{"ssh", "web"}[i%2], from(fmt.Sprintf("203.0.113.%d", i%3)), i%4 == 0)
	}
	want(60, "")
	if due, some := tally.Due(); !some || !due.Equal(at(61)) {
		t.Errorf("due at %v, %t", due, some)
	}
	want(61, "count 10 failed 3 doors ssh, web sources 3 last_source 203.0.113.0 over 59s")
	want(200, "")
	if _, some := tally.Due(); some {
		t.Error("a line is due, and there is nothing to tell")
	}
	t.Log("# a timer without a source, and an observed network")
	tally.Add(at(200), "", netip.Prefix{}, false)
	want(200, "count 1 doors  sources 0")
	tally.Add(at(300), "lan", netip.MustParsePrefix("203.0.113.0/24"), false)
	want(300, "count 1 doors lan sources 1 last_source 203.0.113.0/24")
}

func TestManyDoorsAndSourcesAreBounded(t *testing.T) {
	var tally Tally
	for i := range 5000 {
		tally.Add(began, fmt.Sprintf("door%03d", i%100), netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 32), false)
	}
	if len(tally.sources) != maxSources {
		t.Errorf("%d sources are stored", len(tally.sources))
	}
	if got, want := fmt.Sprint(tally.Line(began)...), "count5000doorsdoor000, door001, door002, door003, door004 and 95 moresourcesmore than 1024last_source203.0.19.135"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
