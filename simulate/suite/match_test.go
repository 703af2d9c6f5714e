package suite

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/spec"
)

// drawStep draws entries and happenings of few kinds, doors and sources: many match several.
func drawStep(t *rapid.T) (want []wanted, came []happening) {
	kinds := rapid.SampledFrom([]kind{kind(spec.Opens), kind(spec.Refuses)})
	doors := rapid.SampledFrom([]string{"", "a", "b"})
	sources := rapid.SampledFrom([]string{"", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.0/24"})
	details := rapid.SampledFrom([]string{"", "x", "xy"})
	for range rapid.IntRange(0, 4).Draw(t, "wanted") {
		w := wanted{kind: kinds.Draw(t, "kind"), times: rapid.IntRange(1, 2).Draw(t, "times")}
		w.like = happening{kind: w.kind, door: doors.Draw(t, "door"), detail: details.Draw(t, "detail")}
		if text := sources.Draw(t, "source"); text != "" {
			w.from = netip.MustParsePrefix(text)
		}
		want = append(want, w)
	}
	for range rapid.IntRange(0, 5).Draw(t, "came") {
		h := happening{kind: kinds.Draw(t, "kind"), door: doors.Draw(t, "door"), detail: details.Draw(t, "detail")}
		h.source = netip.MustParsePrefix(rapid.SampledFrom([]string{"192.0.2.1/32", "192.0.2.2/32"}).Draw(t, "source"))
		came = append(came, h)
	}
	return want, came
}

// most returns how many happenings can be joined, by trying everything.
func most(want []wanted, came []happening, count []int) int {
	if len(came) == 0 {
		return 0
	}
	best := most(want, came[1:], count)
	for j := range want {
		if count[j] < want[j].times && want[j].matches(&came[0]) {
			count[j]++
			best = max(best, 1+most(want, came[1:], count))
			count[j]--
		}
	}
	return best
}

// TestMatchJoinsTheMost compares the matching with one that tries everything.
func TestMatchJoinsTheMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, came := drawStep(t)
		m := match(want, came)
		joined := 0
		for j, n := range m.count {
			if joined += n; n > want[j].times {
				t.Errorf("entry %d has %d happenings, wants %d", j, n, want[j].times)
			}
		}
		if best := most(want, came, make([]int, len(want))); joined != best {
			t.Errorf("%d are joined, %d could be", joined, best)
		}
		if extra := len(m.extra()); extra != len(came)-joined {
			t.Errorf("%d are left, want %d", extra, len(came)-joined)
		}
		for _, c := range m.classes {
			for j, n := range c.joined {
				if m.count[j] -= n; m.count[j] < 0 {
					t.Errorf("classes have more happenings of entry %d than it has", j)
				}
				if !slices.Contains(c.matches, j) {
					t.Errorf("entry %d has happenings that it does not match", j)
				}
			}
		}
	})
}

// TestMatchMakesRoom draws which entries fit which happenings, and joins all that can be joined. A
// happening has the numbers of the entries that it fits.
func TestMatchMakesRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []wanted
		var came []happening
		for j := range rapid.IntRange(1, 5).Draw(t, "wanted") {
			want = append(want, fitting(j))
		}
		for range rapid.IntRange(1, 6).Draw(t, "came") {
			came = append(came, fits(rapid.SliceOfN(rapid.IntRange(0, len(want)-1), 0, 3).Draw(t, "fits")...))
		}
		m := match(want, came)
		joined := 0
		for _, n := range m.count {
			joined += n
		}
		if best := most(want, came, make([]int, len(want))); joined != best || len(m.extra()) != len(came)-best {
			t.Errorf("%d are joined and %d left, %d could be joined", joined, len(m.extra()), best)
		}
		for _, c := range m.classes {
			for j, n := range c.joined {
				if m.count[j] -= n; n < 0 || m.count[j] < 0 {
					t.Errorf("a class has %d happenings of entry %d, the others %d too many", n, j, -m.count[j])
				}
			}
		}
	})
}

// fitting returns an entry that the happenings of [fits] with its number match.
func fitting(j int) wanted {
	return wanted{kind: logs, times: 1, like: happening{kind: logs, detail: fmt.Sprintf("<%d>", j)}}
}

func fits(entries ...int) happening {
	h := happening{kind: logs}
	for _, j := range entries {
		h.detail += fmt.Sprintf("<%d>", j)
	}
	return h
}

// TestManyHappenings: a step with as many events as are kept is compared in little work. The naive
// way would need ten thousand million comparisons.
func TestManyHappenings(t *testing.T) {
	came := make([]happening, maxCame)
	for i := range came {
		came[i] = happening{kind: kind(spec.Refuses), door: "a", source: netip.MustParsePrefix("192.0.2.1/32")}
	}
	want := []wanted{
		{kind: kind(spec.Refuses), times: maxCame - 2, like: happening{door: "a"}},
		{kind: kind(spec.Refuses), times: 1},
	}
	m := match(want, came)
	if len(m.extra()) != 1 || len(m.missing()) != 0 || len(m.classes) != 1 {
		t.Errorf("%d are left, %d are missing, %d classes", len(m.extra()), len(m.missing()), len(m.classes))
	}
}

// TestFacts compares facts with a list that is searched from its end.
func TestFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f facts
		networks := []string{"192.0.2.0/24", "192.0.2.0/30", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32"}
		latest := map[string]spec.Fact{}
		for range rapid.IntRange(0, 6).Draw(t, "facts") {
			text := rapid.SampledFrom(networks).Draw(t, "network")
			one := spec.Fact{Network: netip.MustParsePrefix(text), Country: rapid.SampledFrom([]string{"", "ES", "PT"}).Draw(t, "country"), ASN: rapid.Uint32Range(0, 2).Draw(t, "asn")}
			f.state([]spec.Fact{one})
			latest[text] = one
		}
		address := netip.MustParseAddr(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "192.0.2.9", "198.51.100.1", "2001:db8::1", "2001:db9::1"}).Draw(t, "address"))
		var want spec.Fact
		bits := -1
		for _, one := range latest {
			if one.Network.Contains(address) && one.Network.Bits() > bits {
				want, bits = one, one.Network.Bits()
			}
		}
		country := f.Answer(engine.Question{Kind: engine.FactCountry, Address: address})
		asn := f.Answer(engine.Question{Kind: engine.FactASN, Address: address})
		if country.Country != want.Country || country.Known != (want.Country != "") || asn.ASN != want.ASN || asn.Known != (want.ASN != 0) {
			t.Errorf("%v: got %+v and %+v, want %+v", address, country, asn, want)
		}
	})
	var f facts
	f.state([]spec.Fact{{Host: "a.example", Addresses: []netip.Addr{spec.Knocker}}})
	f.state([]spec.Fact{{Host: "a.example"}})
	known, unknown := f.Answer(engine.Question{Kind: engine.FactHost, Name: "a.example"}), f.Answer(engine.Question{Kind: engine.FactHost, Name: "b.example"})
	if !known.Known || len(known.Addresses) != 0 || unknown.Known {
		t.Errorf("got %+v and %+v", known, unknown)
	}
}

// TestWithin has the networks that are of another.
func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		of, network string
		want        bool
	}{
		{"192.0.2.1/32", "192.0.2.1/32", true}, {"192.0.2.0/24", "192.0.2.1/32", true}, {"192.0.2.0/24", "192.0.2.0/25", true},
		{"192.0.2.0/25", "192.0.2.0/24", false}, {"192.0.2.0/32", "192.0.2.0/24", false}, {"192.0.3.0/24", "192.0.2.1/32", false},
	} {
		if got := within(netip.MustParsePrefix(tt.of), netip.MustParsePrefix(tt.network)); got != tt.want {
			t.Errorf("%s within %s: %v", tt.network, tt.of, got)
		}
	}
	if !within(netip.Prefix{}, netip.Prefix{}) || within(netip.MustParsePrefix("192.0.2.0/24"), netip.Prefix{}) {
		t.Error("no network")
	}
}

// TestInOrder: a scan has each port once, and each random scan of a step has another order, which
// is the same the next time.
func TestInOrder(t *testing.T) {
	s := &spec.Step{Ports: []spec.PortRange{{Proto: packet.TCP, First: 10, Last: 29}, {Proto: packet.UDP, First: 65535, Last: 65535}}}
	test := &spec.Test{Name: "a scan"}
	step := func(index int, o spec.Order, round int) []packet.Port {
		s.Order = o
		r := running{test: test, step: s, index: index}
		return slices.Collect(r.inOrder(21, round))
	}
	order := func(o spec.Order, round int) []packet.Port { return step(0, o, round) }
	up, random, again, other := order(spec.Up, 0), order(spec.Random, 0), order(spec.Random, 0), order(spec.Random, 1)
	if len(up) != 21 || up[0].Number != 10 || up[20] != (packet.Port{Proto: packet.UDP, Number: 65535}) {
		t.Errorf("up: %v", up)
	}
	if slices.Equal(random, up) || slices.Equal(random, other) || !slices.Equal(random, again) {
		t.Errorf("random: %v, again %v, the second time %v", random, again, other)
	}
	if s.Place.Line = 7; !slices.Equal(order(spec.Random, 0), random) {
		t.Error("a comment above the test makes another order")
	}
	if slices.Equal(step(1, spec.Random, 0), random) {
		t.Error("two steps have the same order")
	}
	if test.Name = "another"; slices.Equal(order(spec.Random, 0), random) {
		t.Error("two tests have the same order")
	}
	down := order(spec.Down, 0)
	if slices.Reverse(down); !slices.Equal(down, up) {
		t.Errorf("down, from its end: %v", down)
	}
	for _, all := range [][]packet.Port{random, other} {
		slices.SortFunc(all, func(a, b packet.Port) int { return int(a.Number) - int(b.Number) })
		if !slices.Equal(all, up) {
			t.Errorf("sorted: %v", all)
		}
	}
}

// TestSpend counts packets, timers, and what functions use.
func TestSpend(t *testing.T) {
	for _, tt := range []struct {
		used            int64
		packets, timers int
		ends            bool
	}{
		{maxSteps - packetSteps, 1, 0, false},
		{maxSteps - packetSteps + 1, 1, 0, true},
		{maxSteps - 7*packetSteps + 1, 7, 0, true},
		{maxSteps - timerSteps, 0, 1, false},
		{maxSteps - timerSteps + 1, 0, 1, true},
	} {
		for _, r := range []running{{steps: tt.used}, {before: -tt.used}, {steps: tt.used / 2, before: tt.used/2 - tt.used}} {
			r.stopped, r.set = func() error { return nil }, &scripting.Set{}
			if err := r.spend(tt.packets, tt.timers); (err != nil) != tt.ends {
				t.Errorf("%d steps, then %d packets and %d timers: %v", tt.used, tt.packets, tt.timers, err)
			}
		}
	}
	over := errors.New("over")
	r := running{stopped: func() error { return over }, set: &scripting.Set{}}
	if err := r.spend(1, 0); !errors.Is(err, over) {
		t.Errorf("the time is over: %v", err)
	}
}

// TestSpelling: what came is spelled so that a test can be written of it, whatever bytes it has.
func TestSpelling(t *testing.T) {
	for _, tt := range []struct {
		h    happening
		want string
	}{
		{happening{kind: kind(spec.Opens), door: "ssh"}, `opens = "ssh"`},
		{happening{kind: kind(spec.Opens), door: `a"b\`, source: netip.MustParsePrefix("192.0.2.0/24")}, `opens = { "a\"b\\", source = "192.0.2.0/24" }`},
		{happening{kind: kind(spec.Refuses), door: "x", reason: "when", condition: "hours", detail: "a\x1b[1m\n"}, `refuses = { "x", reason = "when", condition = "hours", detail = "a\027[1m\010" }`},
		{happening{kind: kind(spec.Fails), command: "audit", door: "x"}, `fails = { "audit", door = "x" }`},
		{happening{kind: kind(spec.Fails), door: "x"}, `fails = { door = "x" }`},
		{happening{kind: runs, command: "audit", undo: true, argv: []string{"/a", "b"}}, `runs = { "audit", undo = true, argv = { "/a", "b" } }`},
		{happening{kind: logs, detail: "x"}, `logs = "x"`},
		{happening{kind: allows, port: packet.Port{Proto: packet.TCP, Number: 22}, ttl: time.Hour}, `allows = { port = "tcp/22", ttl = "1h" }`},
	} {
		if got := tt.h.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestMatchingIsBounded joins thousands of events with thousands of entries, each of which fits
// all. It gives up after a bounded number of tries.
func TestMatchingIsBounded(t *testing.T) {
	want, came := make([]wanted, 20_000), make([]happening, 10_000)
	for i := range want {
		want[i] = wanted{kind: logs, times: 1, like: happening{kind: logs}}
	}
	for i := range came {
		came[i] = happening{kind: logs, detail: "a"}
	}
	if m := match(want, came); !m.tooMuch() || m.work > maxMatching+len(want)+len(came) {
		t.Errorf("it did %d steps of work, want it to give up behind %d", m.work, maxMatching)
	}
	if m := match(want[:500], came[:500]); m.tooMuch() || len(m.missing()) > 0 {
		t.Error("500 entries and as many events were not joined")
	}
	t.Log("# each entry is taken, and hundreds of events look for room in all of them")
	const n = 600
	want, came = nil, nil
	for i := range n {
		want, came = append(want, fitting(i)), append(came, fits(i, min(i+1, n-1)))
	}
	for i := range n {
		came = append(came, fits(i))
	}
	if m := match(want, came); !m.tooMuch() || m.work > maxMatching+n*len(m.classes) {
		t.Errorf("it did %d steps of work, want it to give up behind %d", m.work, maxMatching)
	}
	if m := (&matching{work: maxMatching}); m.tooMuch() {
		t.Error("the bound itself is too much")
	}
}
