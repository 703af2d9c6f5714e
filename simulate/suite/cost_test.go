package suite_test

import (
	"fmt"
	"strings"
	"testing"

	"sesame/simulate/suite"
)

// TestCheapestFirst ends the time after some tests. Those that send few packets have run, whatever
// their names, and the results keep their order.
func TestCheapestFirst(t *testing.T) {
	var tests strings.Builder
	for i := range 4 {
		fmt.Fprintf(&tests, "sesame.test \"%d\" { { scan = \"tcp/1-2000\", times = %d } }\n", i, 4-i)
	}
	tests.WriteString(`
sesame.test "4 knocks" { { knock = "ssh", opens = "ssh" } }
sesame.test "5 a small scan" { { scan = { "tcp/1-900", "udp/1-50" } } }
sesame.test "6 the capture" { { replay = "long.pcap", at = "2026-11-23 09:00 UTC" } }
`)
	files, all := load(t, read(t, "ssh.lua"), tests.String(), "long.pcap", strings.Repeat("x", 100<<10))
	for _, tt := range []struct {
		cheapest bool
		want     string
	}{
		{true, "4 5 6 3 1 2 0"}, // those with 4,000 and 6,000 packets are of one class
		{false, "0 1 2 3 4 5 6"},
	} {
		ran := map[string]bool{}
		var order []string
		for n := int64(1); len(order) < len(all) && n < 1<<40; n += n/16 + 1 {
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
