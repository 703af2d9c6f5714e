package daemon

import (
	"strings"
	"testing"

	"sesame/daemon/control"
)

// A door with hours and countries, and tests that say for whom it is there, and when.
const (
	plantedDoor = `local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local iberia = sesame.country { "ES", "PT" }
sesame.door "files" {
  sequence = { "tcp/1", "udp/2", "tcp/3" }, within = "8s", tripwires = 0,
  guards = "tcp/445", ttl = "1h", when = { hours, iberia }, ends_with = hours,
}
sesame.door "d" { sequence = { "tcp/7", "tcp/8" }, guards = "tcp/22", tripwires = 0 }
`
	plantedTests = `local function from(country) return { ["203.0.113.9"] = { country = country } } end
sesame.test "in the morning, for an hour" { at = "2026-11-23 08:30 Europe/Madrid", facts = from "ES",
  { knock = { "tcp/1", "udp/2", "tcp/3" }, opens = "files", allows = { port = "tcp/445", ttl = "1h" } },
  { wait = "1h", closes = { "files", reason = "expired" } },
}
sesame.test "on Friday" { at = "2026-11-27 12:00 Europe/Madrid", facts = from "PT", { knock = "files", opens = "files" } }
sesame.test "until the evening" { at = "2026-11-23 18:30 Europe/Madrid", facts = from "PT",
  { knock = "files", opens = "files" },
  { wait = "30m", closes = { "files", reason = "window_ended" } },
  { knock = "files", refuses = { "files", condition = "hours" } },
}
sesame.test "not from France" { at = "2026-11-23 12:00 Europe/Madrid", facts = from "FR",
  { knock = "files", refuses = { "files", condition = "iberia" } },
}
sesame.test "in time" { at = "2026-11-23 12:00 Europe/Madrid", facts = from "ES",
  { knock = { { "tcp/1", delay = "7s" }, { "udp/2", delay = "2s" }, "tcp/3" }, misses = { "files", reason = "total_timeout" } },
}
sesame.test "each knock" { at = "2026-11-23 12:00 Europe/Madrid", facts = from "ES",
  { knock = { "tcp/1", "tcp/3" } },
  { knock = { "udp/2", "tcp/3" } },
}
`
)

// TestRealGateFindsPlants has edits that a person could make by mistake. The tests find each, the
// message says what came of it, and the doors before it stay.
func TestRealGateFindsPlants(t *testing.T) {
	w := newReloading(t, plantedDoor, nil)
	w.tests(plantedTests)
	o := w.hint()
	w.wantOutcome(o, control.Unchanged, 1)
	if o.tests == nil || o.tests.Passed != 6 {
		t.Fatalf("tests: %+v, want six that passed: %s", o.tests, o.text)
	}
	for _, tt := range []struct {
		name, from, to string
		says           []string
	}{
		{"a sequence that is shorter", `"udp/2", `, ``, []string{"each knock: files opened, which the step does not expect"}},
		{"knocks in another order", `"udp/2", "tcp/3"`, `"tcp/3", "udp/2"`, []string{"in the morning", "files did not open"}},
		{"another port", `"tcp/1", "udp/2"`, `"tcp/10", "udp/2"`, []string{"in the morning", "files did not open"}},
		{"another protocol", `"udp/2"`, `"tcp/2"`, []string{"in the morning", "files did not open"}},
		{"a window in another zone", `Europe/Madrid`, `Europe/Lisbon`, []string{"in the morning", "files did not open", "hours"}},
		{"a window without its last hour", `"19:00"`, `"18:00"`, []string{"until the evening", "files did not open"}},
		{"a window with an hour more", `"19:00"`, `"20:00"`, []string{"until the evening", "no grant of files ended"}},
		{"a window without a day", `mon-fri`, `mon-thu`, []string{"on Friday", "files did not open"}},
		{"a country that is dropped", `"ES", "PT"`, `"ES"`, []string{"on Friday", "files did not open", "iberia"}},
		{"a country that is new", `"ES", "PT"`, `"ES", "FR", "PT"`, []string{"not from France", "files did not refuse"}},
		{"a condition that is dropped", `{ hours, iberia }`, `{ hours }`, []string{"not from France", "files did not refuse"}},
		{"grants that stay in the evening", ` ends_with = hours,`, ``, []string{"until the evening", "no grant of files ended"}},
		{"a longer ttl", `"1h"`, `"2h"`, []string{"in the morning", "1h", "2h"}},
		{"another port behind the door", `tcp/445`, `tcp/446`, []string{"in the morning", "tcp/445", "tcp/446"}},
		{"more time for the knocks", `"8s"`, `"10s"`, []string{"in time", "opens = { \"files\""}},
		{"no door", `sesame.door "files" {`, `local _ = {`, []string{`the scripts have no door "files"`}},
		{"a mistake in the language", `ttl = "1h",`, `ttl = "1h"`, []string{"a.lua:"}},
	} {
		edited := strings.Replace(plantedDoor, tt.from, tt.to, 1)
		if edited == plantedDoor {
			t.Fatalf("%s: nothing is changed", tt.name)
		}
		w.script(edited)
		o := w.hint()
		w.wantOutcome(o, control.Rejected, 1, tt.says...)
		if t.Failed() {
			t.Fatalf("planted: %s", tt.name)
		}
		w.knock(7, 8)
		w.wantOpened("d")
	}
	w.script(plantedDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	if last := w.r.last; last.kind != control.Unchanged || last.tests == nil || last.tests.Passed != 6 {
		t.Errorf("the last outcome is %+v, want that of the files that run", last)
	}
}
