package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/engine"
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
