package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// A hostile script does anything at random, as much as it can.
type hostile struct {
	*rand.Rand
	most int // operations of one call
	n    int
}

func (h *hostile) Handle(c *Call) (Decision, error) {
	var decision Decision
	if c.Kind == CallOpen && h.IntN(20) == 0 {
		decision.Refused = true
	}
	for range h.IntN(h.most + 1) {
		h.n++
		var o Operation
		switch h.IntN(6) {
		case 0:
			o = Put{Key: fmt.Sprint(h.n), Value: float64(h.n), PerSource: h.IntN(2) == 0}
		case 1:
			o = After{Delay: time.Duration(1+h.IntN(100)) * time.Second, Name: "later"}
		case 2:
			o = Exec{Argv: []string{"/bin/true", fmt.Sprint(h.n)}, Timeout: time.Second, Required: h.IntN(2) == 0}
		case 3:
			o = Exec{Argv: []string{"/bin/mount", fmt.Sprint(h.n)}, Undo: []string{"/bin/umount"}, TTL: time.Hour, Timeout: time.Second}
		case 4:
			o = Log{Text: fmt.Sprint(h.n)}
		default:
			if c.Kind != CallOpen || decision.Refused {
				continue
			}
			o = Allow{Ports: []packet.Port{{Proto: packet.TCP, Number: uint16(1 + h.IntN(1<<16-1))}}, TTL: time.Duration(1+h.IntN(3600)) * time.Second, Bits4: h.IntN(33)}
		}
		decision.Operations = append(decision.Operations, o)
	}
	return decision, nil
}

// Whatever hostile scripts do, and however often anybody knocks there, an honest one opens: it
// gives a grant, stores a value, runs a command and comes back later.
func TestAnHonestScriptOpensBesideHostileOnes(t *testing.T) {
	refused := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 11))
		w, set := newWorld(t), &Set{}
		w.e = New(Config{Grants: 64 + r.IntN(200)}, monday)
		scripts := 1 + r.IntN(4)
		for i := range scripts {
			script := fmt.Sprintf("hostile%d.lua", i)
			h := &hostile{Rand: r, most: []int{1, 20}[r.IntN(2)]}
			set.Doors = append(set.Doors, ownedBy(scripted(aDoor(t, script, fmt.Sprintf("udp/%d", 600+i)), HookOpen|HookClose, h.Handle), script))
			set.Timers = append(set.Timers, Timer{Script: script, Name: "later", Handler: h})
		}
		operations := []Operation{
			Allow{}, Put{Key: "seen", Value: true, PerSource: true, Until: monday.Add(time.Hour)}, After{Delay: time.Second, Name: "after"},
			Exec{Argv: []string{"/bin/audit"}, Timeout: time.Second},
		}
		honest := ownedBy(scripted(guarding(t, aDoor(t, "honest", "udp/501"), "tcp/22"), HookOpen, always(operations...)), "honest.lua")
		set.Doors = append(set.Doors, honest)
		set.Timers = append(set.Timers, Timer{Script: "honest.lua", Name: "after", Handler: always()})
		w.record(w.e.Swap(w.now, set))
		before := 0
		for i := range 400 {
			w.knock(fmt.Sprintf("198.51.%d.%d", r.IntN(256), r.IntN(256)), fmt.Sprintf("udp/%d", 600+r.IntN(scripts)))
			w.advance(time.Duration(r.IntN(int(time.Second))))
			if answered := seed%2 == 0; answered {
				w.answers("")
			}
			if i%40 != 39 {
				continue
			}
			w.tick(time.Minute) // what the honest script gave before has ended
			before, w.got = w.e.Counts().Refusals, nil
			w.knock(fmt.Sprintf("203.0.113.%d", i/40), "udp/501")
			if w.e.Counts().Refusals != before || !w.answers("honest") {
				t.Fatalf("seed %d, round %d: the honest door does not open: %v", seed, i, w.got)
			}
		}
		refused += before
	}
	if refused < 1000 {
		t.Errorf("the hostile scripts were refused %d times: they do not reach the bounds", refused)
	}
}

// answers carries out the effects that just came of a door, or of all. False: no such door opened.
func (w *world) answers(door string) (opened bool) {
	events := w.got
	w.got = nil
	for _, event := range events {
		opened = opened || event.Kind == EventOpen && (door == "" || event.Door == door)
		if event.ID != 0 && (door == "" || event.Door == door) {
			w.record(w.e.Result(w.now, event.ID, nil))
		}
	}
	return opened
}
