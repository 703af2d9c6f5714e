package attack

import (
	"context"
	"errors"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/simulate/repeat"
)

// targets returns the targets of a script, each with a set of its own.
func targets(t testing.TB, text string) *Targets {
	return &Targets{Load: func() (Target, error) { return target(t, text), nil }}
}

// series runs a scan that needs the ports, the order and the protocols.
func series(t testing.TB, all *Targets, s Scan, plan repeat.Plan) *Series {
	t.Helper()
	if s.Flags == 0 {
		s.Flags = packet.SYN
	}
	if s.Rate.Count == 0 {
		s.Rate = Rate{13_107, time.Second}
	}
	s.Times = max(s.Times, 1)
	got, err := all.Run(t.Context(), s, plan)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSweeps(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		scan          Scan
		want          string // the packet that opens the door and when; "": none
	}{
		{"up, sorted", `sequence = { 7000, 7010, 7020 }, tripwires = 0`, Scan{Protocols: tcpOnly}, "21 20ms"},
		{"down, sorted", `sequence = { 7000, 7010, 7020 }, tripwires = 0`, Scan{Order: Down, Protocols: tcpOnly}, ""},
		{"down, the reverse", `sequence = { 7020, 7010, 7000 }, tripwires = 0`, Scan{Order: Down, Protocols: tcpOnly}, "31 30ms"},
		{"up, sorted, with tripwires", `sequence = { 7000, 7010, 7020 }, tripwires = 8`, Scan{Protocols: tcpOnly}, ""},
		{"up, mixed", `sequence = { 7000, 7020, 7010 }, tripwires = 0`, Scan{Protocols: tcpOnly}, ""},
		{"up, twice, mixed", `sequence = { 7000, 7020, 7010 }, tripwires = 0`, Scan{Protocols: tcpOnly, Times: 2}, ""},
		{"up, twice, wrong knocks ignored", `sequence = { 7000, 7020, 7010 }, tripwires = 0, on_wrong = "ignore"`, Scan{Protocols: tcpOnly, Times: 2}, "42 41ms"},
		{"up, twice, too slow", `sequence = { 7000, 7020, 7010 }, tripwires = 0, on_wrong = "ignore", within = "30ms"`, Scan{Protocols: tcpOnly, Times: 2}, ""},
		{"up, slowly", `sequence = { 7000, 7010, 7020 }, tripwires = 0, within = "19ms"`, Scan{Protocols: tcpOnly}, ""},
		{"TCP before UDP", `sequence = { "udp/7000", 7010 }, tripwires = 0`, Scan{Protocols: both}, ""},
		{"UDP before TCP", `sequence = { "udp/7000", 7010 }, tripwires = 0`, Scan{Protocols: []packet.Proto{packet.UDP, packet.TCP}}, "42 41ms"},
		{"in turn", `sequence = { "udp/7000", 7010 }, tripwires = 0`, Scan{Protocols: both, InTurn: true}, "21 20ms"},
		{"in turn, down", `sequence = { 7010, "udp/7010", 7000 }, tripwires = 0`, Scan{Order: Down, Protocols: both, InTurn: true}, "61 60ms"},
		{"another range", `sequence = { 7000, 7010, 7031 }, tripwires = 0`, Scan{Protocols: tcpOnly}, ""},
		{"FIN", `sequence = { 7000, 7010 }, flags = "fin", tripwires = 0`, Scan{Protocols: tcpOnly, Flags: packet.FIN}, "11 10ms"},
		{"SYN in place of FIN", `sequence = { 7000, 7010 }, flags = "fin", tripwires = 0`, Scan{Protocols: tcpOnly}, ""},
		{"one knock", `sequence = { 7012 }`, Scan{Protocols: tcpOnly}, "13 12ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.scan.From, tt.scan.To, tt.scan.Rate = 7000, 7030, Rate{1000, time.Second}
			got := series(t, targets(t, `sesame.door "a" { guards = 22, `+tt.options+` }`), tt.scan, repeat.Plan{Seed: 3, Runs: 5})
			r := got.Of("a")
			text := ""
			if r.Opened == 1 && r.FirstSeed == 3 {
				text = strconv.Itoa(r.First) + " " + r.After.String()
			}
			if text != tt.want || got.Runs != 1 {
				t.Errorf("got %q in %d runs (%+v), want %q in 1", text, got.Runs, r, tt.want)
			}
		})
	}
}

// TestRefusals: what a condition or a limit stops is no opening.
func TestRefusals(t *testing.T) {
	all := targets(t, `
local here = sesame.networks { "203.0.113.0/24" }
sesame.door "networks" { sequence = { 7000, 7001 }, tripwires = 0, guards = 22, when = here }
local spain = sesame.country { "ES" }
sesame.door "country"  { sequence = { 7002 }, guards = 22, when = spain }
sesame.door "limited"  { sequence = { 7003 }, guards = 22, limit = "2/h per source" }
sesame.door "no"       { sequence = { 7004 }, guards = 22, on_open = function(a) return false, "not today" end }
`)
	got := series(t, all, Scan{Protocols: tcpOnly, From: 7000, To: 7004, Times: 4}, repeat.Plan{Runs: 1})
	want := []Result{
		{Door: "networks", Completed: 1, Refused: 1, Reason: "when: here"},
		{Door: "country", Completed: 1, Refused: 1, Reason: "no_data: spain"},
		{Door: "limited", Completed: 1, Opened: 1, Refused: 1, First: 4, After: 3 * time.Second / 13_107, Reason: "limit"},
		{Door: "no", Completed: 1, Refused: 1, Reason: "when"},
	}
	if diff := cmp.Diff(want, got.Results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// TestRandomScansAgreeWithTheGuess compares how often random scans open doors with the figures of
// sesame check --guess, which are (w+2)(w+3)...(w+k) for k knocks and w tripwires among the ports.
// SESAME_SCANS is how many scans to run, and gives the doors their tripwires.
func TestRandomScansAgreeWithTheGuess(t *testing.T) {
	runs, err := strconv.Atoi(os.Getenv("SESAME_SCANS"))
	whole := err == nil
	for _, tt := range []struct {
		sequence            string
		knocks, wires, runs int
	}{
		{"7000, 3000, 5000", 3, 0, 500},
		{"7000, 3000, 5000", 3, 2, 1000},
		{"7421, 9133, 2904, 6117", 4, 0, 1000},
		{"7421, 9133, 2904, 6117", 4, 1, 2000},
		{"1812, 9950, 4410, 8008, 1203", 5, 0, 2000},
		{"1812, 9950, 4410, 8008, 1203", 5, 1, 4000},
	} {
		if whole {
			tt.runs = runs
			tt.wires = min(tt.wires, 1) * 64
		}
		name := strconv.Itoa(tt.knocks) + " knocks, " + strconv.Itoa(tt.wires) + " tripwires"
		t.Run(name, func(t *testing.T) {
			all := targets(t, `sesame.door "a" { guards = 22, sequence = { `+tt.sequence+` }, tripwires = `+strconv.Itoa(tt.wires)+` }`)
			got := series(t, all, Scan{Order: Random, Protocols: tcpOnly, From: 1, To: 65535}, repeat.Plan{Seed: 1, Runs: tt.runs})
			against := 1.0
			for i := 2; i <= tt.knocks; i++ {
				against *= float64(tt.wires + i)
			}
			share := repeat.Share{Of: got.Of("a").Opened, All: got.Runs}
			t.Logf("%v; computed: once in %.0f", share, against)
			if deviation := 4 * math.Sqrt(float64(tt.runs)/against); math.Abs(float64(share.Of)-float64(tt.runs)/against) > deviation || !whole && !share.Has(1/against) {
				t.Errorf("opened %v, computed: once in %.0f", share, against)
			}
		})
	}
}

// TestTheRunsOfAnInterruptedSeriesStay: the series has the runs before, and the error of the
// context.
func TestTheRunsOfAnInterruptedSeriesStay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	all := targets(t, `sesame.door "a" { guards = 22, sequence = { 7000 } }`)
	s := Scan{Order: Random, Protocols: tcpOnly, From: 1, To: 9000, Flags: packet.SYN, Times: 1, Rate: Rate{1, time.Second}}
	got, err := all.Run(ctx, s, repeat.Plan{Runs: 100, Workers: 1})
	if !errors.Is(err, context.Canceled) || got.Runs > 1 {
		t.Errorf("%d runs, %v, want the error of the context", got.Runs, err)
	}
}

// TestASeriesIsTheSameForAnyNumberOfWorkers, and its first seed repeats the run by itself.
func TestASeriesIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	all := targets(t, several)
	s := Scan{Order: Random, Protocols: both, From: 7000, To: 7080}
	want := series(t, all, s, repeat.Plan{Seed: 11, Runs: 300, Workers: 1})
	for _, workers := range []int{2, 8} {
		got := series(t, all, s, repeat.Plan{Seed: 11, Runs: 300, Workers: workers})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("1 worker (-) and %d (+):\n%s", workers, diff)
		}
	}
	if len(all.loaded) != 8 {
		t.Errorf("%d sets were loaded, want 8", len(all.loaded))
	}
	r := want.Of("plain")
	if r.Opened == 0 || r.FirstSeed == 11 {
		t.Fatalf("%+v: a later run should open it", r)
	}
	one := series(t, all, s, repeat.Plan{Seed: r.FirstSeed, Runs: 1}).Of("plain")
	if one.Opened != 1 || one.First != r.First || one.After != r.After {
		t.Errorf("repeated %+v, was %+v", one, r)
	}
}

func TestAScriptThatDoesNotLoadAgain(t *testing.T) {
	broken := errors.New("gone")
	all := &Targets{Load: func() (Target, error) { return Target{}, broken }}
	if _, err := all.Run(t.Context(), Scan{Order: Random, Protocols: tcpOnly, From: 1, To: 2, Times: 1, Rate: Rate{1, time.Second}}, repeat.Plan{Runs: 2}); !errors.Is(err, broken) {
		t.Errorf("%v, want the error of loading", err)
	}
}

// TestWays names what a person reads of a scan.
func TestWays(t *testing.T) {
	var got []string
	for _, order := range []Order{Up, Down, Random} {
		for _, protocols := range [][]packet.Proto{tcpOnly, both} {
			for _, s := range Ways(order, protocols) {
				got = append(got, s.String())
			}
		}
	}
	want := "up, TCP|up, TCP before UDP|up, UDP before TCP|up, TCP and UDP in turn|up, UDP and TCP in turn|" +
		"down, TCP|down, TCP before UDP|down, UDP before TCP|down, TCP and UDP in turn|down, UDP and TCP in turn|" +
		"random, TCP|random, TCP and UDP"
	if diff := cmp.Diff(want, strings.Join(got, "|")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// BenchmarkRandomScans is what 1,000 random scans of all ports take: see docs/attacking.md.
func BenchmarkRandomScans(b *testing.B) {
	for name, text := range map[string]string{
		"one door": `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "8s", guards = 22 }`,
		"strict":   `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "8s", guards = 22, strict = true }`,
	} {
		b.Run(name, func(b *testing.B) {
			set := load(b, text)
			t := targetOf(set)
			s := NewScanner(t, Scan{Order: Random, Protocols: both, Flags: packet.SYN, From: 1, To: 65535, Times: 1, Rate: Rate{100_000, time.Second}})
			for seed := uint64(0); b.Loop(); seed++ {
				if _, err := s.Run(b.Context(), seed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func targetOf(set *scripting.Set) Target {
	return Target{Set: set.Engine, Begin: begin, Source: Stranger4, Dest: dest4}
}
