package suite_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting/spec"
	"sesame/simulate/suite"
)

type specTest = spec.Test

// TestCoverage counts doors, stages, conditions and lines.
func TestCoverage(t *testing.T) {
	script := `local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" }
local iberia = sesame.country { "ES", "PT" }
sesame.door "files" { sequence = { "tcp/4519", "udp/8204", "tcp/3127" }, guards = "tcp/445", when = sesame.any { hours, iberia },
  on_open = function(attempt)
    if attempt:holds(hours) then
      attempt:allow { ttl = "1h" }
    else
      attempt:allow { ttl = "2h" }
    end
  end,
}
sesame.door "once" { one_time_sequences = "once.txt", guards = "tcp/24" }
sesame.listen "bell" { on = "udp/9", guards = "tcp/25", on_knock = function(knock) knock:allow() end }
sesame.door "never" { sequence = { "tcp/1", "tcp/10", "tcp/100" }, guards = "tcp/23" }
`
	r := report(t, script, `
sesame.test "day" { at = "2026-11-23 09:00 UTC", { knock = "files", opens = "files" }, { knock = { "tcp/4519", "udp/8204" } }, { wait = "1m", misses = "files" } }
sesame.test "others" { { knock = { "tcp/7001", "udp/7002" } }, { wait = "1m", misses = "once" }, { knock = "bell", opens = "bell" } }
sesame.test "night" { at = "2026-11-23 23:00 UTC", { knock = "files", refuses = "files" } }
`, func(c *suite.Config) { c.Coverage = true }, "once.txt", "7001,7002:udp,7003,7004\n")
	if !r.OK() {
		t.Fatal(text(r))
	}
	c := r.Coverage
	var got []string
	for _, d := range c.Doors {
		got = append(got, fmt.Sprintf("%s %v %v opens %d refusals %d misses %d", d.Door, d.Place, d.Stages, d.Opens, d.Refusals, d.Misses))
	}
	for _, one := range c.Conditions {
		got = append(got, fmt.Sprintf("%s yes %d no %d unknown %d", one.Name, one.Yes, one.No, one.Unknown))
	}
	var ran, never []int
	for _, line := range c.Files[0].Lines {
		if line.Hits > 0 {
			ran = append(ran, line.Line)
		} else {
			never = append(never, line.Line)
		}
	}
	got = append(got, fmt.Sprintf("ran %v never %v of %s", ran, never, c.Files[0].File))
	want := []string{
		"files ssh.lua:3 [3 3 2] opens 1 refusals 1 misses 1",
		"once ssh.lua:12 [1 1 0 0] opens 0 refusals 0 misses 1", "bell ssh.lua:13 [1] opens 1 refusals 0 misses 0",
		"never ssh.lua:14 [0 0 0] opens 0 refusals 0 misses 0",
		"any yes 1 no 0 unknown 1", "hours yes 2 no 1 unknown 0", "iberia yes 0 no 0 unknown 1",
		"ran [1 2 3 4 5 6 12 13 14] never [8] of ssh.lua",
	}
	got = slices.Clip(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}
