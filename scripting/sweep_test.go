package scripting_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A sweep is a scan of ports in order.
type sweep struct {
	low, high int
	protocols []packet.Proto // in the order in which they come
	inTurn    bool           // all protocols at each port; else one after the other
	down      bool
	turns     bool // each further sweep goes the other way
	times     int
	between   time.Duration // two packets
}

// visit calls f for each packet of the sweep, with its time since the first. It leaves out packets
// to ports that no door watches, and does not count through them: that would take minutes.
func (s sweep) visit(watched map[packet.Port]bool, f func(packet.Port, time.Duration)) {
	type stop struct {
		at   int // how many packets were sent, with this one
		port packet.Port
	}
	var stops []stop
	ports := s.high - s.low + 1
	for i := range s.times {
		down := s.down != (s.turns && i%2 == 1)
		for port := range watched {
			rank, number := slices.Index(s.protocols, port.Proto), int(port.Number)
			if rank < 0 || number < s.low || number > s.high {
				continue
			}
			step := number - s.low
			if down {
				step = s.high - number
			}
			at := i*ports*len(s.protocols) + 1
			if s.inTurn {
				at += step*len(s.protocols) + rank
			} else {
				at += rank*ports + step
			}
			stops = append(stops, stop{at, port})
		}
	}
	slices.SortFunc(stops, func(a, b stop) int { return a.at - b.at })
	for _, stop := range stops {
		f(stop.port, time.Duration(stop.at)*s.between)
	}
}

// aSweep returns a sweep at random. Its bounds may be those of the knocks.
func aSweep(r *rand.Rand, watched []int) sweep {
	s := sweep{
		low: 1, high: 65535, inTurn: r.IntN(2) == 0, down: r.IntN(2) == 0, turns: r.IntN(2) == 0, times: 1 + r.IntN(3),
		protocols: [][]packet.Proto{{packet.TCP, packet.UDP}, {packet.UDP, packet.TCP}, {packet.TCP}, {packet.UDP}}[r.IntN(4)],
		between:   []time.Duration{0, 100 * time.Nanosecond, 8 * time.Microsecond, 50 * time.Microsecond, time.Millisecond}[r.IntN(5)],
	}
	switch r.IntN(4) {
	case 0:
		s.low, s.high = watched[0], watched[len(watched)-1]
	case 1:
		s.low, s.high = 1+r.IntN(3000), 8000+r.IntN(57000)
	case 2:
		s.low, s.high = 1, 10000
	}
	return s
}

// shipped loads the scripts that come with Sesame, by their paths.
func shipped(t *testing.T) map[string]*scripting.Set {
	paths, err := filepath.Glob("../scripts/*.lua")
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "_test.lua") })
	if err != nil || len(paths) < 10 {
		t.Fatalf("scripts: %v, %v", paths, err)
	}
	sets := map[string]*scripting.Set{}
	for _, path := range paths {
		files, err := source.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if sets[path], err = scripting.Load(files, scripting.Options{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sets[path].Close)
	}
	return sets
}

// swept returns how many sequences the sweeps complete. Whether their doors then open is for
// conditions, which is not what this is about.
func swept(set *engine.Set, seed uint64, check func(sweep, engine.Event)) int {
	r := rand.New(rand.NewPCG(seed, 1))
	watched, knocks := map[packet.Port]bool{}, []int{}
	interest := set.Interest()
	for _, n := range interest.TCP {
		watched[packet.Port{Proto: packet.TCP, Number: n}] = true
	}
	for _, n := range interest.UDP {
		watched[packet.Port{Proto: packet.UDP, Number: n}] = true
	}
	for _, d := range set.Doors {
		for k := range d.Knocks() {
			knocks = append(knocks, int(k.Port.Number))
		}
	}
	slices.Sort(knocks)
	e, now, completed := engine.New(engine.Config{}, monday), monday, 0
	e.Swap(now, set)
	for i := range 600 {
		s := aSweep(r, knocks)
		now = now.Add(time.Hour)
		p := packet.Packet{Source: netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0xcb007100+uint32(i)))), Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
		s.visit(watched, func(port packet.Port, after time.Duration) {
			p.Time, p.Port = now.Add(after), port
			p.Number++
			p.Sequence++
			for _, event := range e.Packet(&p) {
				if event.Kind == engine.EventStage && event.Stage == event.Stages && event.Stages > 1 {
					completed++
					check(s, event)
				}
			}
		})
		now = p.Time
	}
	return completed
}

// No sweep, in whatever order and at whatever rate, opens a door of the scripts that are shipped,
// but those of classic.lua, which says that it has no tripwires.
func TestNoSweepOpensAShippedScript(t *testing.T) {
	without := 0
	for path, set := range shipped(t) {
		t.Run(path, func(t *testing.T) {
			swept(set.Engine, 1, func(s sweep, event engine.Event) {
				if filepath.Base(path) != "classic.lua" {
					t.Errorf("%+v opens the door %s", s, event.Door)
				}
			})
			bare := *set.Engine
			bare.Doors = nil
			for _, d := range set.Engine.Doors {
				d := *d
				d.Tripwires = 0
				bare.Doors = append(bare.Doors, &d)
			}
			n := swept(&bare, 1, func(sweep, engine.Event) {})
			t.Log(fmt.Sprint("without tripwires it opens ", n, " times"))
			without += n
		})
	}
	if without < 100 {
		t.Errorf("without tripwires there are %d openings: the test proves little", without)
	}
}

// No sweep opens a door with knocks at random ports, if a port is free between any two of them.
func TestNoSweepOpensARandomDoor(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		var doors []*engine.Door
		for i := range 1 + r.IntN(3) {
			d := &engine.Door{Name: fmt.Sprint("d", i), Within: 10 * time.Second, Tripwires: 64, OnWrong: engine.OnWrong(r.IntN(2))}
			near, used := 2000+r.IntN(60000), map[int]bool{}
			for len(d.Sequence) < 3+r.IntN(3) {
				n := near + 2*r.IntN(20)
				if r.IntN(2) == 0 {
					n = 1024 + r.IntN(64000)
				}
				if used[n-1] || used[n] || used[n+1] {
					continue
				}
				used[n] = true
				k := engine.Knock{Port: packet.Port{Proto: packet.UDP, Number: uint16(n)}}
				if r.IntN(3) > 0 {
					k = engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: uint16(n)}, Flags: engine.SYN}
				}
				d.Sequence = append(d.Sequence, k)
			}
			doors = append(doors, d)
		}
		swept(&engine.Set{Doors: doors}, r.Uint64(), func(s sweep, event engine.Event) {
			t.Errorf("%+v opens %s: %v", s, event.Door, doors)
		})
	}
}
