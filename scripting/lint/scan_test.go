package lint

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// scanned are the scans of the tests below. Each has all knocks of the doors that have TCP knocks
// alone.
var scanned = map[string]scan{
	"all ports":   {protocols: []packet.Proto{packet.TCP, packet.UDP}, flags: engine.SYN, from: 1, to: portsOfProtocol},
	"TCP":         {protocols: []packet.Proto{packet.TCP}, flags: engine.SYN, from: 1, to: portsOfProtocol},
	"TCP 1-10000": {protocols: []packet.Proto{packet.TCP}, flags: engine.SYN, from: 1, to: 10_000},
}

// scanners counts how often random scans open a door of a set. Only the engine judges: the scanners
// know nothing of tripwires and sequences but the list of ports that may matter.
type scanners struct {
	set    *engine.Set
	engine *engine.Engine
	random *rand.Rand
	start  time.Time
	sent   int
	runs   int

	refused int // sequences that were complete and opened nothing
}

func newScanners(set *scripting.Set) *scanners {
	s := &scanners{set: set.Engine, random: rand.New(rand.NewPCG(1, 2)), start: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	s.engine = engine.New(engine.Config{}, s.start)
	s.engine.Swap(s.start, s.set)
	return s
}

// scan sends one packet to each port, in their order, from a source of its own, within a second. It
// returns the events about the source.
func (s *scanners) scan(ports []packet.Port) []engine.Event {
	s.runs++
	var source [4]byte
	binary.BigEndian.PutUint32(source[:], uint32(10<<24+s.runs))
	var events []engine.Event
	for i, port := range ports {
		s.sent++
		at := s.start.Add(time.Duration(s.runs)*time.Second + time.Duration(i)*time.Microsecond)
		p := &packet.Packet{
			Time: at, Number: s.sent, Source: netip.AddrFrom4(source), Dest: netip.MustParseAddr("198.51.100.1"),
			SourcePort: 40000, Port: port, Sequence: uint32(s.sent),
		}
		if port.Proto == packet.TCP {
			p.Flags = packet.SYN
		}
		all := slices.Clone(s.engine.Packet(p))
		for _, event := range all {
			if event.Source.Addr() == p.Source {
				events = append(events, event)
			}
		}
		s.answer(at, all)
	}
	return events
}

// answer tells the engine that all effects were carried out. One whose effects nobody answers
// refuses when there are too many.
func (s *scanners) answer(at time.Time, events []engine.Event) {
	for _, event := range events {
		if event.Kind == engine.EventEffect && event.ID != 0 {
			s.engine.Result(at, event.ID, nil)
		}
	}
}

// opens returns how many of some scans, each in a random order, open a door.
func (s *scanners) opens(door string, ports []packet.Port, runs int) (opens int) {
	for range runs {
		s.random.Shuffle(len(ports), func(i, j int) { ports[i], ports[j] = ports[j], ports[i] })
		for _, event := range s.scan(ports) {
			switch {
			case event.Door != door:
			case event.Kind == engine.EventOpen:
				opens++
			case event.Kind == engine.EventRefuse:
				s.refused++
			}
		}
	}
	return opens
}

// ports returns the ports of a scan that may matter: all tripwires, masked or not, all knocks, and
// all guards.
func (s scan) ports(set *engine.Set) []packet.Port {
	matter := map[packet.Port]bool{}
	for _, wire := range set.Tripwires() {
		matter[wire.Port] = true
	}
	for _, d := range set.Doors {
		for k := range d.Knocks() {
			matter[k.Port] = true
		}
		for _, port := range d.Guards {
			matter[port] = true
		}
	}
	var ports []packet.Port
	for _, protocol := range s.protocols {
		for number := s.from; number <= s.to; number++ {
			if port := (packet.Port{Proto: protocol, Number: uint16(number)}); matter[port] {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

// loadScanned returns a set with three doors of three, four and five TCP knocks, one with UDP
// knocks too, and a listener. The doors contribute as many tripwires as is said.
func loadScanned(t *testing.T, three, four, five, mixed int) *scripting.Set {
	return load(t, fmt.Sprintf(`
sesame.door "three" { sequence = { 7000, 3000, 5000 }, tripwires = %d, guards = { 22, 4000 } }
sesame.door "four"  { sequence = { 7421, 9133, 2904, 6117 }, tripwires = %d, guards = 22, on_wrong = "ignore" }
sesame.door "five"  { sequence = { 1812, 9950, 4410, 8008, 1203 }, tripwires = %d, guards = 22, duplicates = "wrong" }
sesame.door "mixed" { sequence = { 6001, "udp/2002", 8003, "udp/5005" }, tripwires = %d, guards = 22 }
sesame.listen "beacon" { on = "udp/2500", guards = 22, on_knock = function(k) k:log("x") end }`, three, four, five, mixed))
}

// TestRandomScansOpenAsRarelyAsComputed compares the figures of check --guess with what the engine
// does. It has few tripwires and more scans for more knocks, so that many scans open each door.
func TestRandomScansOpenAsRarelyAsComputed(t *testing.T) {
	for door, test := range map[string]struct {
		set  *scripting.Set
		runs int
	}{
		"three": {loadScanned(t, 3, 0, 0, 2), 10_000},
		"four":  {loadScanned(t, 0, 2, 0, 1), 20_000},
		"five":  {loadScanned(t, 0, 0, 1, 0), 40_000},
	} {
		for name, s := range scanned {
			t.Run(door+", "+name, func(t *testing.T) { compare(t, test.set, door, s, test.runs) })
		}
	}
	t.Run("mixed, all ports", func(t *testing.T) { compare(t, loadScanned(t, 0, 1, 0, 2), "mixed", scanned["all ports"], 20_000) })
}

// TestRandomScansWithAllTripwires does the same with the tripwires that doors have unless they say
// otherwise. 10,000 scans are too few to see the least likely openings, and show that there are not
// more. SESAME_SCANS is how many scans to run.
func TestRandomScansWithAllTripwires(t *testing.T) {
	runs, err := strconv.Atoi(os.Getenv("SESAME_SCANS"))
	if err != nil {
		runs = 10_000
	}
	for door, set := range map[string]*scripting.Set{
		"three": loadScanned(t, 64, 0, 0, 0),
		"four":  loadScanned(t, 0, 64, 0, 0),
		"five":  loadScanned(t, 0, 0, 64, 0),
	} {
		for name, s := range scanned {
			t.Run(door+", "+name, func(t *testing.T) { compare(t, set, door, s, runs) })
		}
	}
}

// compare fails unless random scans open a door as often as computed, within five standard
// deviations.
func compare(t *testing.T, set *scripting.Set, door string, s scan, runs int) {
	t.Helper()
	c := newChecker(set)
	scans, err := strconv.ParseFloat(c.scanned(c.byName[door], s).Scans, 64)
	if err != nil {
		t.Fatal(err)
	}
	scanners := newScanners(set)
	want, got := float64(runs)/scans, scanners.opens(door, s.ports(set.Engine), runs)
	if scanners.refused > 0 {
		t.Fatalf("%d scans completed the sequence and were refused", scanners.refused)
	}
	t.Logf("%d of %d scans open it; computed: once in %.0f, so %.2f", got, runs, scans, want)
	if deviation := 5 * math.Sqrt(want*(1-1/scans)); math.Abs(float64(got)-want) > deviation {
		t.Errorf("%d of %d scans open it, want %.1f and no more than %.1f from it", got, runs, want, deviation)
	}
}

// TestOtherPortsChangeNothing justifies that the scans above leave them out.
func TestOtherPortsChangeNothing(t *testing.T) {
	set := loadScanned(t, 1, 1, 0, 1)
	s := scanned["all ports"]
	matter := map[packet.Port]bool{}
	for _, port := range s.ports(set.Engine) {
		matter[port] = true
	}
	var every []packet.Port
	for _, protocol := range s.protocols {
		for number := s.from; number <= s.to; number++ {
			every = append(every, packet.Port{Proto: protocol, Number: uint16(number)})
		}
	}
	all, few := newScanners(set), newScanners(set)
	for range 5 {
		all.random.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
		var some []packet.Port
		for _, port := range every {
			if matter[port] {
				some = append(some, port)
			}
		}
		if diff := cmp.Diff(happened(few.scan(some)), happened(all.scan(every))); diff != "" {
			t.Fatalf("events of a scan of %d ports (-) and of all ports (+):\n%s", len(some), diff)
		}
	}
}

// happened returns what the events say, without times and numbers of packets.
func happened(events []engine.Event) (texts []string) {
	for _, e := range events {
		texts = append(texts, strconv.Itoa(int(e.Kind))+" "+e.Door+" "+strconv.Itoa(e.Stage)+" "+fmt.Sprint(e.Reason))
	}
	return texts
}

// A port of except is no tripwire of its door, and counts only in a range that has it.
func TestExceptedTripwires(t *testing.T) {
	d := randomDoors(1)[0]
	worst := scanOf(d).narrowed(d)
	for _, wire := range setOf(d).Engine.Tripwires() {
		d.Except = []packet.Port{wire.Port, wire.Port}
		all, inside := 0, 0
		for _, left := range setOf(d).Engine.Tripwires() {
			if left.Port != wire.Port {
				all++
				if worst.has(int(left.Port.Number)) {
					inside++
				}
			}
		}
		if got := newChecker(setOf(d)).guess(d); got.Tripwires != all || got.Worst.Tripwires != inside {
			t.Errorf("without %s: %d tripwires and %d in the range, want %d and %d", wire.Port, got.Tripwires, got.Worst.Tripwires, all, inside)
		}
	}
}
