package engine

import (
	"strings"
	"testing"
	"time"
)

// Many delays of one script come due at once, and each may do as much as a call may. The others
// must not wait for all of them.
func TestWhatIsDueAtOnceIsBounded(t *testing.T) {
	const each, all = 200_000, 300
	for _, older := range []bool{false, true} {
		w := newWorld(t)
		w.e.priced = !older
		ran := map[string]int{}
		handler := func(script string) Timer {
			return Timer{Script: script, Name: "later", Handler: handlerFunc(func(c *Call) (Decision, error) {
				c.Spend(each)
				ran[script]++
				return Decision{}, nil
			})}
		}
		door := func(script, port string, delays int) *Door {
			var many []Operation
			for range delays {
				many = append(many, After{Delay: time.Second, Name: "later"})
			}
			d := scripted(aDoor(t, script, port), HookOpen, always(many...))
			d.Script = script
			return d
		}
		w.e.Swap(w.now, &Set{
			Doors:  []*Door{door("a.lua", "udp/501", all), door("b.lua", "udp/502", 1)},
			Timers: []Timer{handler("a.lua"), handler("b.lua")},
		})
		want := stepBurst/each + 1 // the last one goes into debt
		if older {
			want = all
		}
		for round := range 2 { // after a minute the allowance is whole
			w.tick(time.Minute)
			clear(ran)
			w.got = nil
			errorsBefore := w.e.Counts().Errors
			w.knock(alice, "udp/501", "udp/502")
			w.tick(time.Second)
			var reports []string
			for _, event := range w.got {
				if event.Kind == EventError && event.Script == "a.lua" {
					reports = append(reports, event.Detail)
				}
			}
			if left := w.e.Counts().Errors - errorsBefore; ran["a.lua"] != want || left != all-want || ran["b.lua"] != 1 {
				t.Errorf("older %t, round %d: %d calls ran and %d were left out, of the other script %d ran; want %d, %d and 1",
					older, round, ran["a.lua"], left, ran["b.lua"], want, all-want)
			}
			if !older && (len(reports) != 1 || !strings.Contains(reports[0], "only 2500000 steps a second")) {
				t.Errorf("round %d: the reports are %q", round, reports)
			}
		}
	}
}

// The functions of many grants that end together are bounded the same.
func TestClosesAtOnceAreBounded(t *testing.T) {
	w := newWorld(t)
	ran := 0
	d := guarding(t, aDoor(t, "a", "udp/501"), "tcp/22")
	d.TTL = time.Second
	scripted(d, HookClose, func(c *Call) (Decision, error) {
		c.Spend(stepBurst / 2)
		ran++
		return Decision{}, nil
	})
	w.e.Swap(w.now, &Set{Doors: []*Door{d}})
	for _, source := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"} {
		w.knock(source, "udp/501")
	}
	w.tick(time.Minute)
	if ran != 3 { // the third goes into debt
		t.Errorf("%d closes were handled, want 3", ran)
	}
	if counts := w.e.Counts(); counts.Errors != 1 {
		t.Errorf("%d errors, want 1", counts.Errors)
	}
}

// later is a set whose handler uses so many steps, and runs again after a second.
func later(t *testing.T, each int64, ran *int) *Set {
	again := After{Delay: time.Second, Name: "later"}
	d := scripted(aDoor(t, "a", "udp/501"), HookOpen, always(again))
	return &Set{Doors: []*Door{d}, Timers: []Timer{{Script: d.Script, Name: "later", Handler: handlerFunc(func(c *Call) (Decision, error) {
		*ran++
		c.Spend(each)
		return Decision{Operations: []Operation{again}}, nil
	})}}}
}

// What a script does for ever gets what comes back in the meantime, and no more: the allowance is
// as of the input, however far that leaps.
func TestAScriptGetsItsAllowanceBackWithTime(t *testing.T) {
	const each = stepBurst / 2
	ran := 0
	w := newWorld(t)
	w.e.Swap(w.now, later(t, each, &ran))
	w.knock(alice, "udp/501")
	for range 100 { // 1,000,000 steps a second, of 5,000,000
		w.tick(time.Second)
	}
	if ran != 100 {
		t.Errorf("%d calls ran, want 100", ran)
	}
	ran = 0
	w.tick(24 * time.Hour) // in one input
	if ran != 3 {
		t.Errorf("in a leap %d calls ran, want 3", ran)
	}
	w.tick(0)
	if counts := w.e.Counts(); counts.Errors != 1 || len(w.e.timers) != 0 {
		t.Errorf("%d errors and %d timers, want one call that was left out", counts.Errors, len(w.e.timers))
	}
}

// What a script has used outlives a snapshot, and not its script.
func TestTheAllowanceOfAScriptIsInTheState(t *testing.T) {
	ran := 0
	w := newWorld(t)
	set := later(t, 10*stepBurst, &ran)
	w.e.Swap(w.now, set)
	w.knock(alice, "udp/501")
	w.tick(time.Second)
	state := w.e.State()
	if len(state.ScriptSteps) != 1 {
		t.Fatalf("the state has %v", state.ScriptSteps)
	}
	again, err := Resume(Config{}, state, set)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again.Tick(again.Now().Add(time.Second))
	}
	if ran != 1 || again.Counts().Errors != 1 {
		t.Errorf("%d calls ran, want that one is left out: %+v", ran, again.Counts())
	}
	state.ScriptSteps[0].Door = "nowhere.lua"
	if _, err := Resume(Config{}, state, set); err == nil || !strings.Contains(err.Error(), `no script "nowhere.lua"`) {
		t.Errorf("of a script that is not there: %v", err)
	}
	w.swap()
	if n := len(w.e.steps.byScript); n != 0 {
		t.Errorf("%d scripts are remembered after they went", n)
	}
}

// Misses, which strangers cause, take nothing from what ends or was delayed.
func TestMissesTakeOnlyTheirOwnAllowance(t *testing.T) {
	w := newWorld(t)
	misses, closes := 0, 0
	d := guarding(t, aDoor(t, "a", "udp/501", "udp/502", "udp/503"), "tcp/22")
	d.TTL = time.Minute
	d.Hooks = HookMiss | HookClose
	d.Handler = handlerFunc(func(c *Call) (Decision, error) {
		c.Spend(stepBurst)
		if c.Kind == CallMiss {
			misses++
		} else {
			closes++
		}
		return Decision{}, nil
	})
	w.e.Swap(w.now, &Set{Doors: []*Door{d}})
	w.knock(alice, "udp/501", "udp/502", "udp/503")
	w.tick(59 * time.Second)
	for _, source := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"} {
		w.knock(source, "udp/501", "udp/502", "udp/501")
	}
	state := w.e.State()
	w.tick(time.Second)
	if misses != 2 || closes != 1 || len(state.MissSteps) != 1 || len(state.ScriptSteps) != 0 {
		t.Errorf("%d misses and %d closes were handled, want 2 and 1; the state has %v and %v", misses, closes, state.MissSteps, state.ScriptSteps)
	}
}
