package lint

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// No sweep opens the doors of the scripts that are shipped, but those of classic.lua.
func TestSweepsOfShippedScripts(t *testing.T) {
	scripts, err := filepath.Glob("../../scripts/*.lua")
	scripts = slices.DeleteFunc(scripts, func(path string) bool { return strings.HasSuffix(path, "_test.lua") })
	if err != nil || len(scripts) < 10 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, path := range scripts {
		files, err := source.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		set, err := scripting.Load(files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		c := newChecker(set)
		for _, d := range set.Engine.Doors {
			if d.Listen {
				continue
			}
			if opens, classic := c.swept(d) != "", filepath.Base(path) == "classic.lua"; opens != classic {
				t.Errorf("%s: door %s: sweeps open it: %v, want %v", path, d.Name, opens, classic)
			}
		}
	}
}

// TestSweepsAgreeWithTheEngine sends what a sweep says, port by port, to the engine. The doors are
// small, so that many of them have knocks side by side.
func TestSweepsAgreeWithTheEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &engine.Door{
			Name: "a", File: "a.lua", Line: 1, Within: 1000e9, TTL: 1e9, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
			OnWrong:    rapid.SampledFrom([]engine.OnWrong{engine.WrongResets, engine.WrongIgnored}).Draw(t, "on_wrong"),
			Duplicates: rapid.SampledFrom([]engine.Duplicates{engine.DuplicatesIgnored, engine.DuplicatesWrong}).Draw(t, "duplicates"),
			Strict:     rapid.IntRange(0, 4).Draw(t, "strict") == 0,
			Tripwires:  rapid.SampledFrom([]int{0, 1, 2, 8}).Draw(t, "tripwires"),
		}
		for range rapid.IntRange(2, 4).Draw(t, "knocks") {
			port := packet.Port{Proto: rapid.SampledFrom([]packet.Proto{packet.TCP, packet.TCP, packet.UDP}).Draw(t, "protocol"),
				Number: rapid.Uint16Range(2000, 2008).Draw(t, "port")}
			d.Sequence = append(d.Sequence, engine.Knock{Port: port})
			if port.Proto == packet.TCP {
				d.Sequence[len(d.Sequence)-1].Flags = engine.SYN
			}
		}
		if rapid.Bool().Draw(t, "excepts") && (d.Strict || d.Tripwires > 0) {
			d.Except = []packet.Port{{Proto: packet.TCP, Number: rapid.Uint16Range(2000, 2008).Draw(t, "except")}}
		}
		set := setOf(d)
		c := newChecker(set)
		for _, w := range sweeps(scanOf(d).narrowed(d)) {
			most := len(d.Sequence)
			if got, want := c.opened(d, w, most), sweepsToOpen(set, w, most); got != want {
				t.Fatalf("%+v\n%+v, tripwires %v: %d sweeps open it, the engine says %d", d, w, set.Engine.Tripwires(), got, want)
			}
		}
	})
}

// sweepsToOpen returns how many sweeps of one source open the only door of a set.
func sweepsToOpen(set *scripting.Set, w sweep, most int) int {
	var ports []packet.Port
	for _, protocol := range w.scan.protocols {
		for number := w.scan.from; number <= w.scan.to; number++ {
			ports = append(ports, packet.Port{Proto: protocol, Number: uint16(number)})
		}
	}
	slices.SortFunc(ports, func(a, b packet.Port) int {
		at := func(p packet.Port) int { return w.at(slices.Index(w.scan.protocols, p.Proto), int(p.Number)) }
		return at(a) - at(b)
	})
	scanners := newScanners(set)
	var all []packet.Port
	for range most {
		all = append(all, ports...)
	}
	events, each := scanners.scan(all), len(ports)
	for _, e := range events {
		if e.Kind == engine.EventOpen {
			return (e.Packet-1)/each + 1
		}
	}
	return 0
}
