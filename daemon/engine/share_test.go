package engine

import (
	"fmt"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// ownedBy puts a door into a script.
func ownedBy(d *Door, script string) *Door {
	d.Script = script
	return d
}

// greedy takes what an operation takes, a new one each time, in the script a.lua. The door modest
// takes one of the same in b.lua.
func greedy(t *testing.T, operation func(i int) Operation) *Set {
	n := 0
	next := func(*Call) (Decision, error) {
		n++
		return Decision{Operations: []Operation{operation(n)}}, nil
	}
	set := &Set{Doors: []*Door{
		ownedBy(scripted(aDoor(t, "greedy", "udp/501"), HookOpen, next), "a.lua"),
		ownedBy(scripted(aDoor(t, "modest", "udp/502"), HookOpen, next), "b.lua"),
	}}
	for _, script := range []string{"a.lua", "b.lua"} {
		set.Timers = append(set.Timers, Timer{Script: script, Name: "later", Handler: always()})
	}
	return set
}

func TestNoScriptFillsWhatAllHaveInCommon(t *testing.T) {
	for _, test := range []struct {
		name      string
		operation func(i int) Operation
		detail    string
	}{
		{"values", func(i int) Operation { return Put{Key: fmt.Sprint(i), Value: true} },
			"a.lua has stored 12 values, and the rest is kept for other scripts: give values a ttl"},
		{"delays", func(int) Operation { return After{Delay: time.Minute, Name: "later"} },
			"12 delays of a.lua are running, and the rest is kept for other scripts"},
		{"grants", func(i int) Operation { return Allow{Ports: []packet.Port{{Proto: packet.TCP, Number: uint16(i)}}} },
			"12 grants of a.lua are live, and the rest is kept for other scripts"},
		{"effects", func(int) Operation { return Exec{Argv: []string{"/bin/true"}, Timeout: time.Second} },
			"12 effects of a.lua have not been answered yet, and the rest is kept for other scripts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, older := range []bool{false, true} {
				w, set := newWorld(t), greedy(t, test.operation)
				w.e = New(Config{Grants: 16}, monday)
				w.e.priced = !older
				w.record(w.e.Swap(w.now, set))
				for range 20 {
					w.knock(alice, "udp/501")
				}
				again, err := Resume(Config{}, w.e.State(), set)
				if err != nil {
					t.Fatal(err)
				}
				w.e = again // shares are those that the state tells
				w.got = nil
				w.knock(alice, "udp/501")
				if refusal := w.got[len(w.got)-1]; !older && refusal.Detail != test.detail {
					t.Errorf("the refusal says %q, want %q", refusal.Detail, test.detail)
				}
				opened := w.e.Counts().Opens
				for range 5 {
					w.knock(alice, "udp/502")
				}
				greedy, modest := opened, w.e.Counts().Opens-opened
				if !older && (greedy != 12 || modest != 4) || older && (greedy != 16 || modest != 0) {
					t.Errorf("older %t: one script took %d, the other %d", older, greedy, modest)
				}
			}
		})
	}
}

func TestAScriptThatIsAloneTakesAll(t *testing.T) {
	w, set := newWorld(t), greedy(t, func(i int) Operation { return Put{Key: fmt.Sprint(i), Value: true} })
	set.Doors, set.Timers = set.Doors[:1], nil
	w.e = New(Config{Grants: 16}, monday)
	w.record(w.e.Swap(w.now, set))
	for range 20 {
		w.knock(alice, "udp/501")
	}
	if opens := w.e.Counts().Opens; opens != 16 {
		t.Errorf("it took %d of 16", opens)
	}
}

// What ends becomes free for the share of whoever had it.
func TestAShareBecomesFreeAgain(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 16}, monday)
	w.record(w.e.Swap(w.now, greedy(t, func(i int) Operation {
		return Put{Key: fmt.Sprint(i), Value: true, Until: monday.Add(time.Minute)}
	})))
	for range 20 {
		w.knock(alice, "udp/501")
	}
	w.advance(time.Hour)
	w.record(w.e.Forget(w.now, Selection{Key: "1"}))
	for range 5 {
		w.knock(alice, "udp/501")
	}
	if opens := w.e.Counts().Opens; opens != 17 || w.e.store.used["a.lua"] != len(w.e.store.values) {
		t.Errorf("%d openings, and %d values of the %d", opens, w.e.store.used["a.lua"], len(w.e.store.values))
	}
}
