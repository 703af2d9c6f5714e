package account

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A grantAt is an event of a grant, so many seconds after noon.
type grantAt struct {
	at     int
	kind   engine.Kind
	grant  uint64
	source netip.Addr
	port   packet.Port
}

func (g grantAt) event() engine.Event {
	return engine.Event{
		Kind: g.kind, Effect: engine.EffectAllow, Time: seconds(g.at), Grant: g.grant,
		Source: netip.PrefixFrom(g.source, g.source.BitLen()), Port: g.port,
	}
}

func seconds(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

const (
	gives  = engine.EventEffect
	fails  = engine.EventFailed
	closes = engine.EventClose
)

func timesOf(steps []grantAt) *TimeBook {
	b := NewTimeBook()
	for _, s := range steps {
		b.Events([]engine.Event{s.event()})
	}
	return b
}

func TestOpenTimes(t *testing.T) {
	command := packet.Port{}
	for _, test := range []struct {
		name  string
		steps []grantAt
		want  string
	}{
		{"nothing", nil, ""},
		{"one grant needs no lines", []grantAt{{0, gives, 1, tom, tcp(22)}, {30, closes, 1, tom, tcp(22)}}, ""},
		{"one grant that was prolonged", []grantAt{{0, gives, 1, tom, tcp(22)}, {10, gives, 1, tom, tcp(22)}, {40, closes, 1, tom, tcp(22)}}, `
203.0.113.9      tcp/22  open for 40s
`},
		{"a grant that was prolonged counts once", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {20, gives, 1, tom, tcp(22)}, {50, closes, 1, tom, tcp(22)}, {60, gives, 2, tom, tcp(22)}, {70, closes, 2, tom, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 1m in 2 periods
most grants at once: 1 of 2 given (at 2026-03-02 12:00:00.000)
`},
		{"two doors give one source the same port", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {10, gives, 2, tom, tcp(22)}, {30, closes, 1, tom, tcp(22)}, {40, closes, 2, tom, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 40s
most grants at once: 2 of 2 given (at 2026-03-02 12:00:10.000)
`},
		{"ports and sources of their own", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {0, gives, 2, tom, tcp(80)}, {5, gives, 3, eve, tcp(22)},
			{10, closes, 2, tom, tcp(80)}, {30, closes, 1, tom, tcp(22)}, {35, closes, 3, eve, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 30s
198.51.100.7     tcp/22  open for 30s
203.0.113.9      tcp/80  open for 10s
tcp/22 open for 35s to 2 sources, at most 2 at once (at 2026-03-02 12:00:05.000)
most grants at once: 3 of 3 given (at 2026-03-02 12:00:05.000)
`},
		{"one begins when another ends", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {30, closes, 1, tom, tcp(22)}, {30, gives, 2, tom, tcp(22)}, {60, closes, 2, tom, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 1m in 2 periods
most grants at once: 1 of 2 given (at 2026-03-02 12:00:00.000)
`},
		{"a command has no port", []grantAt{
			{0, gives, 1, tom, command}, {1, gives, 2, tom, tcp(22)}, {31, closes, 2, tom, tcp(22)}, {40, closes, 1, tom, command},
		}, `
203.0.113.9      tcp/22  open for 30s
most grants at once: 2 of 2 given (at 2026-03-02 12:00:01.000)
`},
		{"what could not be given was never open", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {1, fails, 1, tom, tcp(22)}, {1, closes, 1, tom, tcp(22)},
			{2, gives, 2, eve, tcp(22)}, {7, closes, 2, eve, tcp(22)},
		}, `
198.51.100.7     tcp/22  open for 5s
most grants at once: 1 of 2 given (at 2026-03-02 12:00:00.000)
`},
		{"what was open stays so when it could not be prolonged", []grantAt{
			{0, gives, 1, tom, tcp(22)}, {5, gives, 1, tom, tcp(22)}, {6, fails, 1, tom, tcp(22)}, {30, closes, 1, tom, tcp(22)},
			{40, gives, 2, tom, tcp(22)}, {41, closes, 2, tom, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 31s in 2 periods
most grants at once: 1 of 2 given (at 2026-03-02 12:00:00.000)
`},
		{"a close of a grant from before", []grantAt{
			{0, closes, 1, tom, tcp(22)}, {1, gives, 2, tom, tcp(22)}, {2, closes, 2, tom, tcp(22)}, {3, gives, 3, tom, tcp(22)}, {4, closes, 3, tom, tcp(22)},
		}, `
203.0.113.9      tcp/22  open for 2s in 2 periods
most grants at once: 1 of 2 given (at 2026-03-02 12:00:01.000)
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			times := timesOf(test.steps).Given()
			var got strings.Builder
			if err := times.Write(&got, "open"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenTimesAtTheEnd(t *testing.T) {
	b := timesOf([]grantAt{{5, gives, 2, eve, tcp(22)}, {8, closes, 2, eve, tcp(22)}})
	b.Hold(seconds(10), []engine.Grant{{ID: 1, Source: netip.PrefixFrom(tom, 32), Port: tcp(22)}})
	b.Events([]engine.Event{grantAt{12, gives, 3, tom, tcp(22)}.event()})
	b.End(seconds(70))
	want := OpenTimes{
		Grants: 3, Most: 2, MostAt: seconds(12),
		Sources: []SourceTime{
			{netip.PrefixFrom(tom, 32), tcp(22), time.Minute, 1, 2, seconds(10), time.Time{}},
			{netip.PrefixFrom(eve, 32), tcp(22), 3 * time.Second, 1, 1, seconds(5), seconds(8)},
		},
		Ports: []PortTime{{tcp(22), 63 * time.Second, 2, 2, 1, seconds(5), true}},
	}
	for range 2 { // asking changes nothing
		if diff := cmp.Diff(want, b.Given(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	var text strings.Builder
	if err := want.Write(&text, "open"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`203.0.113.9      tcp/22  open for 1m so far
198.51.100.7     tcp/22  open for 3s
tcp/22 open for 1m3s in 2 periods so far to 2 sources, at most 1 at once (at 2026-03-02 12:00:05.000)
most grants at once: 2 of 3 given (at 2026-03-02 12:00:12.000)
`, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenTimesOfOpenAgain(t *testing.T) {
	b := timesOf([]grantAt{
		{0, gives, 1, tom, tcp(22)}, {5, closes, 1, tom, tcp(22)}, {10, gives, 2, tom, tcp(22)},
		{20, gives, 3, eve, tcp(80)}, {21, fails, 3, eve, tcp(80)}, {21, closes, 3, eve, tcp(80)},
	})
	b.End(seconds(30))
	times := b.Given()
	if len(times.Sources) != 1 || !times.Sources[0].Last.IsZero() || times.Sources[0].Open != 25*time.Second {
		t.Errorf("got %+v", times.Sources)
	}
	if len(times.Ports) != 1 || len(b.given.access) != 1 {
		t.Errorf("got %+v of %d", times.Ports, len(b.given.access))
	}
}

// A command without an undo has no grant, and what undoes one gives none.
func TestOpenTimesOfCommands(t *testing.T) {
	b := NewTimeBook()
	for grant, effect := range []engine.Effect{engine.EffectExec, engine.EffectExec, engine.EffectUndo, engine.EffectLog, engine.EffectElement} {
		b.Events([]engine.Event{{Kind: engine.EventEffect, Effect: effect, Grant: uint64(grant), Time: noon}})
	}
	if times := b.Given(); times.Grants != 1 || len(times.Sources) != 0 || len(times.Ports) != 0 {
		t.Errorf("got %+v", times)
	}
}

// The longest times are first, of ports too.
func TestOpenTimesAreSorted(t *testing.T) {
	var steps []grantAt
	for n := range 30 {
		steps = append(steps, grantAt{0, gives, uint64(n + 1), tom, tcp(uint16(n + 1))}, grantAt{0, gives, uint64(n + 101), eve, tcp(uint16(n + 1))})
	}
	for n := range 30 {
		steps = append(steps, grantAt{10 + n/2, closes, uint64(n + 1), tom, tcp(uint16(n + 1))}, grantAt{10 + n/2, closes, uint64(n + 101), eve, tcp(uint16(n + 1))})
	}
	times := timesOf(steps).Given()
	var got []string
	for _, p := range times.Ports[:3] {
		got = append(got, p.Port.String())
	}
	for _, s := range times.Sources[:3] {
		got = append(got, s.Source.String()+" "+s.Port.String())
	}
	want := []string{"tcp/29", "tcp/30", "tcp/27", "198.51.100.7/32 tcp/29", "198.51.100.7/32 tcp/30", "203.0.113.9/32 tcp/29"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var text strings.Builder
	if err := times.Write(&text, "open"); err != nil || strings.Count(text.String(), " to 2 sources") != shown || !strings.Contains(text.String(), "\nand 10 more ports\n") {
		t.Errorf("%v, and wrote\n%s", err, text.String())
	}
}

// What is left out is counted, and nothing is when all has room.
func TestOpenTimesThatHaveRoom(t *testing.T) {
	for _, test := range []struct {
		ports int
		want  string
	}{{shown / 2, ""}, {shown/2 + 1, "and 2 more, none of them for longer\n"}, {shown, ""}, {shown + 1, "and 1 more port\n"}} {
		var times OpenTimes
		for n := range test.ports {
			times.Sources = append(times.Sources, make([]SourceTime, 2)...)
			times.Ports = append(times.Ports, PortTime{Port: tcp(uint16(n + 1)), Sources: 2})
		}
		if test.ports >= shown {
			times.Sources = nil
		}
		times.Grants = 2 * test.ports
		var text strings.Builder
		if err := times.Write(&text, "open"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "\nand ") || strings.HasPrefix(text.String(), "and "); got != (test.want != "") || !strings.Contains(text.String(), test.want) {
			t.Errorf("%d ports: want %q in\n%s", test.ports, test.want, text.String())
		}
	}
}

func TestOpenTimesForPrograms(t *testing.T) {
	if lines := (&OpenTimes{}).Pairs(false); len(lines) != 0 {
		t.Errorf("without a grant: %v", lines)
	}
	times := timesOf([]grantAt{{0, gives, 1, tom, tcp(22)}, {30, closes, 1, tom, tcp(22)}}).Given()
	times.Unlisted, times.UnlistedOpen = 3, 1500*time.Millisecond
	var out strings.Builder
	j := transcript.NewJSON(&out)
	for _, line := range times.Pairs(true) {
		j.Line(line...)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `{"event":"open_time","source":"203.0.113.9","port":"tcp/22","seconds":30,"periods":1,"grants":1,"first":"2026-03-02T12:00:00Z","last":"2026-03-02T12:00:30Z","observed":true}
{"event":"port_time","port":"tcp/22","seconds":30,"periods":1,"sources":1,"most":1,"at":"2026-03-02T12:00:00Z","observed":true}
{"event":"grants","grants":1,"most":1,"at":"2026-03-02T12:00:00Z","unlisted":3,"unlisted_seconds":1.5,"observed":true}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenTimesOfDoorsThatObserve(t *testing.T) {
	b := NewTimeBook()
	for i, kind := range []engine.Kind{gives, closes} {
		e := grantAt{i * 30, kind, 1, tom, tcp(22)}.event()
		e.Observed = true
		b.Events([]engine.Event{e})
	}
	if given, observed := b.Given(), b.Observed(); given.Grants != 0 || observed.Grants != 1 || observed.Sources[0].Open != 30*time.Second {
		t.Errorf("given %+v, observed %+v", given, observed)
	}
}

// The shortest times make room, and a source that has the port now is never forgotten.
func TestOpenTimesAreBounded(t *testing.T) {
	b := NewTimeBook()
	grants := uint64(0)
	give := func(n, from, until int) {
		grants++
		source := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		for _, s := range []grantAt{{from, gives, grants, source, tcp(22)}, {until, closes, grants, source, tcp(22)}} {
			if s.at >= 0 {
				b.Events([]engine.Event{s.event()})
			}
		}
	}
	give(0, 0, -1)
	const more = 10
	for n := 1; n <= MaxSources+more; n++ {
		give(n, n, n+1+n%2)
	}
	for range 3 { // what was open before takes no more room
		give(1, MaxSources, MaxSources+1)
	}
	times := b.Given()
	if times.Unlisted != more || times.UnlistedOpen != more*time.Second {
		t.Errorf("%d are not listed, for %v; want %d of a second each", times.Unlisted, times.UnlistedOpen, more)
	}
	if len(b.given.access) != MaxSources+1 || len(b.given.closed) != MaxSources {
		t.Errorf("%d are kept, %d of these closed", len(b.given.access), len(b.given.closed))
	}
	listed := func(n byte) bool {
		return slices.ContainsFunc(times.Sources, func(s SourceTime) bool { return s.Source.Addr() == netip.AddrFrom4([4]byte{10, 0, 0, n}) })
	}
	if !listed(2) || !listed(1) {
		t.Error("those that were open first or longer are not listed")
	}
	var text strings.Builder
	if err := times.Write(&text, "open"); err != nil {
		t.Fatal(err)
	}
	if want := "and 65,527 more, none of them for longer\n"; !strings.Contains(text.String(), want) || strings.Count(text.String(), "open for") != shown+1 {
		t.Errorf("got %s\nwant a line %s", text.String(), want)
	}
}

// Each second of random grants is looked at, which is slow and simple.
func TestOpenTimesOfRandomGrants(t *testing.T) {
	const end = 40
	rapid.Check(t, func(t *rapid.T) {
		type one struct{ from, until, source, port int }
		grants := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) one {
			from := rapid.IntRange(0, end-2).Draw(t, "from")
			return one{from, rapid.IntRange(from+1, end).Draw(t, "until"), rapid.IntRange(0, 2).Draw(t, "source"), rapid.IntRange(1, 2).Draw(t, "port")}
		}), 1, 12).Draw(t, "grants")
		b := NewTimeBook()
		for second := 0; second < end; second++ {
			for _, kind := range []engine.Kind{closes, gives} { // as the engine does
				for i, g := range grants {
					if kind == closes && g.until == second || kind == gives && g.from == second {
						b.Events([]engine.Event{grantAt{second, kind, uint64(i + 1), address(g.source), tcp(uint16(g.port))}.event()})
					}
				}
			}
		}
		b.End(seconds(end))
		var open [3][3]int
		var anybody [3]int
		most := 0
		for second := range end {
			now, ports, live := [3][3]bool{}, [3]bool{}, 0
			for _, g := range grants {
				if g.from <= second && second < g.until {
					now[g.source][g.port], ports[g.port] = true, true
					live++
				}
			}
			for source := range now {
				for port, is := range now[source] {
					open[source][port] += count(is)
				}
			}
			for port, is := range ports {
				anybody[port] += count(is)
			}
			most = max(most, live)
		}
		times := b.Given()
		if times.Most != most || times.Grants != len(grants) {
			t.Errorf("most %d of %d, want %d of %d", times.Most, times.Grants, most, len(grants))
		}
		for _, s := range times.Sources {
			if want := open[s.Source.Addr().As4()[3]][s.Port.Number]; s.Open != time.Duration(want)*time.Second {
				t.Errorf("%v %v open for %v, want %d s", s.Source, s.Port, s.Open, want)
			}
		}
		for _, p := range times.Ports {
			if want := anybody[p.Port.Number]; p.Open != time.Duration(want)*time.Second {
				t.Errorf("%v open for %v, want %d s", p.Port, p.Open, want)
			}
		}
	})
}

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func TestOpenTimesReportTheErrorOfTheWriter(t *testing.T) {
	times := OpenTimes{Grants: 2}
	if err := times.Write(broken{}, "open"); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// A million sources, each of which has one grant.
func BenchmarkOpenTimes(b *testing.B) {
	for b.Loop() {
		book := NewTimeBook()
		for n := range 1_000_000 {
			source := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
			for _, s := range []grantAt{{n, gives, uint64(n + 1), source, tcp(22)}, {n + 30, closes, uint64(n + 1), source, tcp(22)}} {
				book.Events([]engine.Event{s.event()})
			}
		}
		if times := book.Given(); times.Unlisted != 1_000_000-MaxSources {
			b.Fatalf("%d are not listed", times.Unlisted)
		}
	}
}
