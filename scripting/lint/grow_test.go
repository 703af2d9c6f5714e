package lint

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// TestDoorsThatAskForEachOther counts how often a door is looked at: once, and once for each door
// that it asks for. Each door here asks for all before it, so that there are 2^30 ways back to the
// first from the last.
func TestDoorsThatAskForEachOther(t *testing.T) {
	const n = 32
	for name, backwards := range map[string]bool{"forwards": false, "backwards": true} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(loadAskingDoors(t, n, backwards))
			for rule, holds := range map[string]func(*engine.Door, doors) bool{
				"opens": func(d *engine.Door, in doors) bool { return c.awaits(d, in) == nil },
				"free":  c.free,
			} {
				looked := 0
				got := c.grow(func(d *engine.Door, in doors) bool { looked++; return holds(d, in) })
				if len(got) != n {
					t.Errorf("%s: %d doors, want %d", rule, len(got), n)
				}
				if most := n + n*(n-1)/2; looked > most {
					t.Errorf("%s: looked %d times, want at most %d", rule, looked, most)
				}
			}
		})
	}
}

func loadAskingDoors(t *testing.T, n int, backwards bool) *scripting.Set {
	t.Helper()
	var texts []string
	for i := range n {
		var when strings.Builder
		for before := range i {
			fmt.Fprintf(&when, `sesame.granted { "d%d" },`, before)
		}
		texts = append(texts, fmt.Sprintf("sesame.door %q { sequence = { %d, 'udp/2', 9, 4 }, guards = 22, when = { %s } }\n", fmt.Sprint("d", i), 1000+i, when.String()))
	}
	if backwards {
		slices.Reverse(texts)
	}
	texts[0] = strings.Replace(texts[0], "when = {  }", "", 1)
	texts[n-1] = strings.Replace(texts[n-1], "when = {  }", "", 1)
	set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": strings.Join(texts, "")}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// TestWorkGrowsWithTheDoors counts what a check allocates. Four times the doors, or a file of
// one-time sequences of four times the lines, must not need much more than four times as much.
func TestWorkGrowsWithTheDoors(t *testing.T) {
	for name, load := range map[string]func(n int) *scripting.Set{
		"doors": func(n int) *scripting.Set { return setOf(randomDoors(n)...) },
		"one-time sequences": func(n int) *scripting.Set {
			d := randomDoors(1)[0]
			d.OneTime = &engine.OneTime{File: "/once"}
			for _, other := range randomDoors(25 * n) {
				d.OneTime.Sequences = append(d.OneTime.Sequences, engine.OneTimeSequence{Knocks: other.Sequence})
			}
			return setOf(d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			work := func(n int) float64 {
				set := load(n)
				return testing.AllocsPerRun(1, func() { Check(set); Guesses(set) })
			}
			few, many := work(100), work(400)
			t.Logf("%.0f allocations, and %.0f", few, many)
			if many > 6*few {
				t.Errorf("four times as many need %.1f times the work: %.0f allocations, and %.0f", many/few, few, many)
			}
		})
	}
}

// randomDoors returns doors of four TCP knocks with tripwires.
func randomDoors(n int) []*engine.Door {
	random := rand.New(rand.NewPCG(1, 2))
	var doors []*engine.Door
	for i := range n {
		d := &engine.Door{
			Name: fmt.Sprint("door", i), Script: "a.lua", File: "a.lua", Line: i + 1, Tripwires: 64, Within: 10 * time.Second,
			Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
		}
		for range 4 {
			port := packet.Port{Proto: packet.TCP, Number: uint16(1 + random.IntN(65_535))}
			d.Sequence = append(d.Sequence, engine.Knock{Port: port, Flags: engine.SYN})
		}
		doors = append(doors, d)
	}
	return doors
}
