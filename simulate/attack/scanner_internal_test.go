package attack

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/craft"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	begin   = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)
	dest4   = craft.Host4
	tcpOnly = []packet.Proto{packet.TCP}
	both    = []packet.Proto{packet.TCP, packet.UDP}
)

// load loads a script.
func load(t testing.TB, text string) *scripting.Set {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.lua"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "once.txt"), []byte("7000:tcp,7010:tcp\n7020:tcp,7030:tcp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := "[open]\nsequence = 7000,7042,7012\nseq_timeout = 5\ntcpflags = syn\n[close]\nsequence = 7012,7042:udp,7000\nseq_timeout = 5\ntcpflags = syn\n"
	if err := os.WriteFile(filepath.Join(dir, "knockd.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// target returns a target of a script.
func target(t testing.TB, text string) Target {
	return Target{Set: load(t, text).Engine, Begin: begin, Source: Stranger4, Dest: craft.Host4}
}

// told describes events with all that tells them apart.
func told(events []engine.Event) (all []string) {
	for i := range events {
		e := &events[i]
		all = append(all, fmt.Sprint(e.Kind.Name(), e.Time.Sub(begin), e.Packet, e.Door, e.Source, e.Stage, e.Reason, e.Detail, e.Port, e.TTL, e.Effect, e.Grant))
	}
	return all
}

// framed gives each frame of a capture to a session.
func framed(t *rapid.T, target Target, file *craft.File) (events []string, session *simulate.Session) {
	session = simulate.NewSession(simulate.SessionConfig{
		Set: target.Set, Begin: begin, Local: target.Local, Facts: target.Facts,
		Events: func(some []engine.Event) { events = append(events, told(some)...) },
	})
	for i, f := range file.Frames {
		if err := session.Frame(f.Time, i+1, file.Link, f.Data); err != nil {
			t.Fatal(err)
		}
	}
	session.End(0)
	return events, session
}

// scanned are sets with all that can disturb an attempt.
const several = `
sesame.door "plain"    { sequence = { 7000, 7040, 7010 }, tripwires = 3, guards = { 22, 7020 }, ttl = "1s" }
sesame.door "ignoring" { sequence = { 7001, 7041, 7011 }, tripwires = 0, on_wrong = "ignore", guards = 22 }
sesame.door "mixed"    { sequence = { 7002, "udp/7030", 7012 }, within = "1s", step_timeout = "300ms", tripwires = 5, guards = 22 }
sesame.door "fin"      { sequence = { { 7003, flags = "fin" }, { 7013, flags = "fin" } }, guards = 22 }
sesame.door "limited"  { sequence = { 7060 }, limit = "1/m per source", guards = 22 }
sesame.listen "beacon" { on = "udp/7050", on_knock = function(k) k:allow() end, guards = 22 }
sesame.door "pair"     { sequence = { 7070, 7071 }, tripwires = 0, guards = 22, duplicates = "wrong" }
sesame.door "once"     { one_time_sequences = "once.txt", tripwires = 2, guards = 22 }
sesame.knockd "knockd.conf"
`

const strict = `
sesame.door "strict" { sequence = { 7000, 7001 }, strict = true, except = { 7005, "udp/7006" }, guards = { 22, 7007 }, ttl = "1s" }
sesame.door "other"  { sequence = { 7010, "udp/7011" }, strict = true, on_wrong = "ignore", within = "1s", tripwires = 2, guards = 22 }
sesame.door "late"   { sequence = { "udp/7020", 7010, 7021 }, guards = 22 }
`

// TestSkippingChangesNothing compares scans with those in which each packet passes the filter and
// the decoder.
func TestSkippingChangesNothing(t *testing.T) {
	sets := map[string]Target{"several": target(t, several), "strict": target(t, strict)}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"several", "strict"}).Draw(t, "set")
		target := sets[name]
		if rapid.Bool().Draw(t, "IPv6") {
			target.Source, target.Dest = Stranger6, craft.Host6
		}
		if rapid.Bool().Draw(t, "addresses") {
			target.Local = []netip.Prefix{netip.PrefixFrom(target.Dest, target.Dest.BitLen())}
		}
		scan := drawScan(t)
		seed := rapid.Uint64().Draw(t, "seed")
		s := NewScanner(target, scan)
		var got []string
		s.events = func(events []engine.Event) { got = append(got, told(events)...) }
		if _, err := s.Run(t.Context(), seed); err != nil {
			t.Fatal(err)
		}
		s.session.End(0) // a packet that is skipped fires no timer, the next one does, or the end
		sum := s.session.Summary()
		file, err := s.Capture(seed)
		if err != nil {
			t.Fatal(err)
		}
		want, session := framed(t, target, file)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("events (-each frame +skipping):\n%s", diff)
		}
		wantSum := session.Summary()
		if name == "strict" { // a packet that a strict door looks at and that disturbs nobody is no drop
			sum.Dropped, wantSum.Dropped = [packet.Drops]int{}, [packet.Drops]int{}
		}
		if diff := cmp.Diff(wantSum, sum); diff != "" {
			t.Fatalf("totals (-each frame +skipping):\n%s", diff)
		}
	})
}

func drawScan(t *rapid.T) Scan {
	scans := slices.Concat(Ways(Up, both), Ways(Down, both), Ways(Random, both), Ways(Up, tcpOnly), Ways(Random, tcpOnly), Ways(Random, []packet.Proto{packet.UDP}))
	s := rapid.SampledFrom(scans).Draw(t, "scan")
	s.From, s.To = uint16(rapid.IntRange(6990, 7010).Draw(t, "from")), uint16(rapid.IntRange(7011, 7080).Draw(t, "to"))
	s.Flags = rapid.SampledFrom([]packet.Flags{packet.SYN, packet.SYN, packet.FIN, packet.ACK}).Draw(t, "flags")
	s.Times = rapid.IntRange(1, 4).Draw(t, "times")
	s.Rate = Rate{rapid.SampledFrom([]int{30, 100, 1000, 13_001}).Draw(t, "rate"), time.Second}
	return s
}

// TestASweepHasEachPortOnce looks at the captures of scans: each sweep is a permutation, and all of
// one seed are different.
func TestASweepHasEachPortOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScan(t)
		p := newPlaces(&s, []packet.Port{{Proto: packet.TCP, Number: 7000}, {Proto: packet.UDP, Number: 7000}, {Proto: packet.TCP, Number: 7005}, {Proto: packet.TCP, Number: 7000}})
		orders := map[string]bool{}
		for sweep := range s.Times {
			places := slices.Clone(p.of(5, sweep))
			every := p.every(5, sweep)
			seen := map[packet.Port]bool{}
			for _, port := range every {
				seen[port] = true
			}
			if len(every) != s.Sweep() || len(seen) != s.Sweep() {
				t.Fatalf("%d packets to %d ports, want %d", len(every), len(seen), s.Sweep())
			}
			for _, one := range places {
				if every[one.position] != one.port {
					t.Errorf("%v is not at %d", one.port, one.position)
				}
			}
			if again := p.of(5, sweep); !slices.Equal(places, again) {
				t.Errorf("another time the places are %v, were %v", again, places)
			}
			orders[fmt.Sprint(every)] = true
		}
		// A few ports may have one order twice by chance.
		if want := s.Times; s.Order == Random && s.Sweep() >= 20 && len(orders) != want || s.Order != Random && len(orders) != 1 {
			t.Errorf("%d sweeps in %d orders", want, len(orders))
		}
	})
}
