package engine

import (
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
		want := maxInputSteps / each
		if older {
			want = all
		}
		for round := range 2 { // each input has the whole
			w.tick(time.Minute)
			clear(ran)
			w.got = nil
			w.knock(alice, "udp/501", "udp/502")
			w.tick(time.Second)
			left := 0
			for _, event := range w.got {
				if event.Kind == EventError && event.Script == "a.lua" {
					left++
				}
			}
			if ran["a.lua"] != want || left != all-want || ran["b.lua"] != 1 {
				t.Errorf("older %t, round %d: %d calls ran and %d were left out, of the other script %d ran; want %d, %d and 1",
					older, round, ran["a.lua"], left, ran["b.lua"], want, all-want)
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
		c.Spend(maxInputSteps / 2)
		ran++
		return Decision{}, nil
	})
	w.e.Swap(w.now, &Set{Doors: []*Door{d}})
	for _, source := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"} {
		w.knock(source, "udp/501")
	}
	w.tick(time.Minute)
	if ran != 2 {
		t.Errorf("%d closes were handled, want 2", ran)
	}
	if counts := w.e.Counts(); counts.Errors != 2 {
		t.Errorf("%d errors, want 2", counts.Errors)
	}
}
