package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// naiveSteps is what a door has used and not got back, in nanoseconds of its allowance, as of last.
type naiveSteps struct {
	level   int64
	last    int64
	refused int64 // the latest refusal
}

// The bound on steps agrees with a model that keeps a level for each door: through reloads with
// more and fewer doors, through resumptions, and with calls that use more than any script can.
func TestStepsAgreeWithAModel(t *testing.T) {
	refusals, honest := 0, 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 4))
		cost := int64(0)
		spend := handlerFunc(func(c *Call) (Decision, error) {
			c.Spend(cost / 2)
			c.Spend(cost - cost/2)
			return Decision{}, nil
		})
		var doors []*Door
		for i := range 5 {
			d := scripted(aDoor(t, fmt.Sprint("d", i), fmt.Sprint("udp/", 1+i)), HookOpen, spend)
			if d.Listen = i%2 == 0; d.Listen {
				d.Hooks = HookKnock
			}
			doors = append(doors, d)
		}
		e, now, model := New(Config{}, monday), int64(0), map[string]*naiveSteps{}
		set := &Set{}
		reload := func() {
			doors := append(doors[:0:0], doors...)
			r.Shuffle(len(doors), func(i, j int) { doors[i], doors[j] = doors[j], doors[i] })
			set = &Set{Doors: doors[:1+r.IntN(len(doors))]}
			old := model
			model = map[string]*naiveSteps{}
			for _, d := range set.Doors {
				model[d.Name] = old[d.Name]
				if model[d.Name] == nil {
					model[d.Name] = &naiveSteps{refused: math.MinInt64 / 2}
				}
			}
			e.Swap(monday.Add(time.Duration(now)), set)
		}
		reload()
		for i := range 2000 {
			if r.IntN(3) == 0 {
				now += r.Int64N(int64(50 * time.Millisecond))
			}
			switch r.IntN(200) {
			case 0:
				reload()
			case 1:
				next, err := Resume(Config{}, e.State(), set)
				if err != nil {
					t.Fatal(err)
				}
				e = next
			case 2:
				now += r.Int64N(int64(3 * time.Second))
			}
			d := set.Doors[r.IntN(len(set.Doors))]
			cost = r.Int64N(300_000)
			if r.IntN(5) == 0 {
				cost = r.Int64N(2_000_000) // into debt
			}
			if d.Name == "d0" {
				cost = 100 // it never uses its share
			} else if seed < 3 && r.IntN(500) == 0 {
				cost = math.MaxInt64
			}

			m, share := model[d.Name], int64(len(set.Doors))
			m.level, m.last = max(0, m.level-(now-m.last)), now
			want := m.level <= 200_000_000*share
			wantReport := !want && now-m.refused >= 1_000_000_000
			if want {
				m.level += min(cost, 1<<32) * 200 * share
			} else {
				m.refused = now
				refusals++
			}
			if d.Name == "d0" {
				honest++
			}

			before := e.Counts()
			p := packet.Packet{Time: monday.Add(time.Duration(now)), Number: i, Dest: netip.MustParseAddr("198.51.100.1"),
				Source: netip.MustParseAddr(alice), SourcePort: uint16(i), Port: d.Sequence[0].Port}
			reported := false
			for _, event := range e.Packet(&p) {
				reported = reported || event.Kind == EventRefuse
			}
			refused := e.Counts().Refusals > before.Refusals
			if refused == want || reported != wantReport || refused && d.Name == "d0" {
				t.Fatalf("seed %d, packet %d to %s: refused %v, reported %v; want %v, %v", seed, i, d.Name, refused, reported, !want, wantReport)
			}
		}
	}
	if refusals < 5000 || honest < 5000 {
		t.Errorf("%d refusals, %d knocks of a door that stays below its share: the test proves little", refusals, honest)
	}
}

// The functions of one script that everybody's packets run leave another script's listener alone,
// whatever they do: the delays that they request are charged to their door, too.
func TestAFloodAtOneListenerLeavesAnotherAlone(t *testing.T) {
	calls, delays := 0, 0
	loud := scripted(aDoor(t, "loud", "udp/1"), HookKnock, func(c *Call) (Decision, error) {
		calls++
		c.Spend(50_000)
		return Decision{Operations: []Operation{After{Delay: time.Second, Name: "late"}}}, nil
	})
	late := handlerFunc(func(c *Call) (Decision, error) {
		delays++
		c.Spend(150_000)
		return Decision{}, nil
	})
	quiet := scripted(aDoor(t, "quiet", "udp/2"), HookKnock, spendingSteps(50_000, nil))
	quiet.Script, loud.Listen, quiet.Listen = "other.lua", true, true
	w := newWorld(t)
	w.e.Swap(w.now, &Set{Doors: []*Door{loud, quiet}, Timers: []Timer{{Script: "loud.lua", Name: "late", Handler: late}}})
	for i := range 10_000 {
		w.advance(time.Millisecond)
		w.knock(bob, "udp/1")
		if i%40 > 0 {
			continue
		}
		before := w.e.Counts().Refusals
		if w.knock(alice, "udp/2"); w.e.Counts().Refusals > before {
			t.Fatalf("after %d ms the other listener is refused", i)
		}
	}
	t.Log("# its share is 25,000,000 steps in ten seconds")
	if used := 50_000*calls + 150_000*delays; used < 24_000_000 || used > 27_000_000 {
		t.Errorf("%d calls of the loud one and %d delays used %d steps", calls, delays, used)
	}
}
