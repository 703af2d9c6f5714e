package perturb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
	"sesame/simulate/pcaptest"
	"sesame/simulate/repeat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door returns a door with knocks at TCP ports, or UDP ports for numbers below zero.
func door(name string, ports ...int) *engine.Door {
	d := &engine.Door{
		Name: name, Script: "a.lua", File: "a.lua", Within: 30 * time.Second, TTL: time.Minute,
		Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
	}
	for _, n := range ports {
		k := engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: uint16(n)}, Flags: engine.SYN}
		if n < 0 {
			k = engine.Knock{Port: packet.Port{Proto: packet.UDP, Number: uint16(-n)}}
		}
		d.Sequence = append(d.Sequence, k)
	}
	return d
}

// A world is a tape and the doors that get it.
type world struct {
	tape *simulate.Tape
	set  *engine.Set
}

// build makes a tape of lines as pcaptest has them.
func build(t testing.TB, lines string, doors ...*engine.Door) *world {
	t.Helper()
	data, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, simulate.Config{Knocks: data}, doors...)
}

// read makes a tape of captures.
func read(t testing.TB, c simulate.Config, doors ...*engine.Door) *world {
	t.Helper()
	w := &world{set: &engine.Set{Doors: doors}}
	c.Set = w.set
	var err error
	if w.tape, err = simulate.ReadTape(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) machine() (Machine, error) { return Machine{Set: w.set}, nil }

func (w *world) plan(t testing.TB, n Network) *Plan {
	t.Helper()
	p, err := NewPlan(t.Context(), w.tape, n, Machine{Set: w.set})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run makes runs with the seeds from 1 on.
func (w *world) run(t testing.TB, n Network, runs int) *Report {
	t.Helper()
	r, err := w.plan(t, n).Run(t.Context(), repeat.Plan{Seed: 1, Runs: runs}, Choice{}, w.machine)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// arranger returns one that makes the arrivals of runs.
func (w *world) arranger(t testing.TB, n Network) *arranger {
	return &w.plan(t, n).newRunner(Machine{Set: w.set}).arranger
}

// knocks returns lines for knocks of a source at ports, half a second apart.
func knocks(source string, ports ...int) string {
	var b strings.Builder
	for i, n := range ports {
		if n < 0 {
			fmt.Fprintf(&b, "%dms %s udp/%d\n", 500*i, source, -n)
		} else {
			fmt.Fprintf(&b, "%dms %s tcp/%d\n", 500*i, source, n)
		}
	}
	return b.String()
}
