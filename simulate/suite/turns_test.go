package suite_test

import (
	"strings"
	"testing"
	"time"

	"sesame/simulate/suite"
)

// TestCheapestFirst ends the time at more and more points. Tests that take few steps have then run,
// whatever their names, and whatever takes the steps: packets, timers or functions. The results
// keep their order.
func TestCheapestFirst(t *testing.T) {
	const script = `
sesame.handler("again", function(t) t:after("1s", "again") end)
sesame.listen "forever" { on = "udp/3", on_knock = function(k) k:after("1s", "again") end }
sesame.listen "busy" { on = "udp/4", on_knock = function(k) for i = 1, 4000 do local x = i end end }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/22" }`
	const tests = `
sesame.test "0 a timer for hours" { { knock = "forever" }, { wait = "7h" } }
sesame.test "1 a timer for an hour" { { knock = "forever" }, { wait = "1h" } }
sesame.test "2 12,000 packets" { { scan = "tcp/1-6000", times = 2 } }
sesame.test "3 4,000 packets" { { scan = "tcp/1-4000" } }
sesame.test "4 a function" { { scan = "udp/4", times = 20 } }
sesame.test "5 a capture of hours" { { replay = "hours.pcap" } }
sesame.test "6 knocks" { { knock = "ssh", opens = "ssh" } }
`
	hours := capture(t, morning, "udp/3") + capture(t, morning.Add(8*time.Hour), "udp/3")[24:]
	files, all := load(t, script, tests, "hours.pcap", hours)
	for _, tt := range []struct {
		cheapest bool
		want     string
	}{
		{true, "3 6 2 4 1 0 5"},
		{false, "0 1 2 3 4 5 6"},
	} {
		ran := map[string]bool{}
		var order []string
		for n := int64(1); len(order) < len(all) && n < 1<<40; n += n/4 + 1 {
			ctx := &ending{}
			ctx.left.Store(n)
			r := suite.Run(ctx, suite.Config{Files: files, Tests: all, Workers: 1, CheapestFirst: tt.cheapest})
			for i, result := range r.Results {
				if result.Test != all[i] {
					t.Fatalf("result %d is of %q", i, result.Test.Name)
				}
				if name, _, _ := strings.Cut(result.Test.Name, " "); result.Outcome != suite.NotRun && !ran[name] {
					ran[name] = true
					order = append(order, name)
				}
			}
		}
		if got := strings.Join(order, " "); got != tt.want {
			t.Errorf("cheapest first: %t: the tests ran in the order %s, want %s", tt.cheapest, got, tt.want)
		}
	}
}

// TestAFailureStays ends the time in the moment after a failure was found. The test has failed.
func TestAFailureStays(t *testing.T) {
	first := func(expected string, want suite.Outcome) int64 {
		files, all := load(t, read(t, "ssh.lua"), `sesame.test "it" { { knock = "ssh", opens = `+expected+` } }`)
		for n := int64(0); ; n++ {
			ctx := &ending{}
			ctx.left.Store(n)
			if r := suite.Run(ctx, suite.Config{Files: files, Tests: all, Workers: 1}); r.Results[0].Outcome == want {
				return n
			}
		}
	}
	if failed, passed := first("false", suite.Failed), first(`"ssh"`, suite.Passed); failed >= passed {
		t.Errorf("a failure needs %d looks at the time, and to pass needs %d: the last look took the failure back", failed, passed)
	}
}
