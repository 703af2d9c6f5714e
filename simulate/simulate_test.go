package simulate

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate/pcaptest"
)

// write makes a capture of lines, and returns its path.
func write(t testing.TB, lines string) string {
	t.Helper()
	data, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	return writeBytes(t, data)
}

func writeBytes(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.pcap")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run replays captures, and returns the transcript without its last line. A tape of them must give
// the same.
func run(t testing.TB, c Config) (*Report, string) {
	t.Helper()
	var recording []byte
	if c.Recording != nil {
		recording, _ = io.ReadAll(c.Recording)
		c.Recording = bytes.NewReader(recording)
	}
	var out bytes.Buffer
	c.Writer = transcript.NewJSON(&out)
	report, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Set != nil && c.Sources == nil && c.Doors == nil && c.Since.IsZero() && c.Lines == nil {
		if c.Recording != nil {
			c.Recording = bytes.NewReader(recording)
		}
		if diff := cmp.Diff(out.String(), taped(t, c)); diff != "" {
			t.Errorf("a tape (-captures +tape):\n%s", diff)
		}
	}
	lines := strings.SplitAfter(out.String(), "\n")
	return report, strings.Join(lines[:len(lines)-2], "")
}

// taped returns the transcript of a tape of captures.
func taped(t testing.TB, c Config) string {
	t.Helper()
	tape, err := ReadTape(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	lines := transcript.NewJSON(&out)
	lines.Begin(tape.Doors(), tape.Names)
	s := tape.Session(SessionConfig{Set: c.Set, Facts: c.Facts, Events: lines.Events, Explain: c.Account})
	for i := range tape.Inputs {
		if err := s.Arrive(&tape.Inputs[i], tape.Inputs[i].At, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	must(t, lines.Summary(s.EndOf(tape)))
	return out.String()
}

func set(doors ...*engine.Door) *engine.Set { return &engine.Set{Doors: doors} }

func TestAReplay(t *testing.T) {
	capture := write(t, `
		0s    203.0.113.9 tcp/7000
		100ms 203.0.113.9 udp/9999                # nobody watches
		200ms 203.0.113.9 tcp/8000 syn,ack        # no knock
		500ms 203.0.113.9 tcp/8000
		500ms 203.0.113.9 tcp/8000                # seen before
		900ms 203.0.113.9 tcp/9000
		2s    203.0.113.9 tcp/443
	`)
	report, got := run(t, Config{Captures: []string{capture}, Set: set(door("ssh", 7000, 8000, 9000))})
	want := `{"event":"begin","transcript":1}
{"time":"2026-03-02T12:00:00Z","packet":1,"event":"stage","door":"ssh","source":"203.0.113.9","stage":1,"stages":3}
{"time":"2026-03-02T12:00:00.5Z","packet":4,"event":"stage","door":"ssh","source":"203.0.113.9","stage":2,"stages":3}
{"time":"2026-03-02T12:00:00.9Z","packet":6,"event":"stage","door":"ssh","source":"203.0.113.9","stage":3,"stages":3}
{"time":"2026-03-02T12:00:00.9Z","packet":6,"event":"open","door":"ssh","source":"203.0.113.9"}
{"time":"2026-03-02T12:00:00.9Z","packet":6,"event":"effect","door":"ssh","source":"203.0.113.9","effect":"allow","grant":1,"port":"tcp/22","ttl":"30s"}
{"time":"2026-03-02T12:00:30.9Z","event":"close","door":"ssh","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired"}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	summary := transcript.Summary{Packets: 7, Knocks: 4, Opens: 1}
	summary.Dropped[packet.NotWatched] = 3
	if diff := cmp.Diff(summary, report.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// Attempts end at the time of the last packet, even if no door is interested in it.
func TestAttemptsEndWithTheCapture(t *testing.T) {
	capture := write(t, `
		0s    203.0.113.9 tcp/7000
		500ms 203.0.113.9 tcp/8000
		3s    203.0.113.9 tcp/443
	`)
	_, got := run(t, Config{Captures: []string{capture}, Set: set(door("ssh", 7000, 8000, 9000))})
	want := `{"time":"2026-03-02T12:00:03Z","event":"miss","door":"ssh","source":"203.0.113.9","stage":2,"stages":3,"reason":"end_of_capture"}` + "\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("the transcript ends\n%s, want\n%s", got, want)
	}
}

func TestSeveralCapturesAreMergedByTime(t *testing.T) {
	first := write(t, "0s 203.0.113.9 tcp/7000\n900ms 203.0.113.9 tcp/9000")
	second := write(t, "0s 198.51.100.7 tcp/443\n500ms 203.0.113.9 tcp/8000\n900ms 203.0.113.9 tcp/443")
	c := Config{Captures: []string{first, second}, Set: set(door("ssh", 7000, 8000, 9000))}
	report, got := run(t, c)
	for _, want := range []string{
		`"packet":1,"capture":1,"event":"stage"`,
		`"packet":2,"capture":2,"event":"stage"`,
		`"packet":2,"capture":1,"event":"open"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if report.Packets != 5 || report.Opens != 1 || report.Clamped != 0 {
		t.Errorf("got %+v", report.Summary)
	}
}

func TestOnlyThisHostsAddressesCount(t *testing.T) {
	capture := write(t, `
		0s 203.0.113.9 tcp/7000 to=10.7.0.2
		1s 203.0.113.9 tcp/7000
	`)
	c := Config{Captures: []string{capture}, Set: set(door("ssh", 7000)), Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	report, got := run(t, c)
	if report.Opens != 1 || report.Dropped[packet.NotLocal] != 1 || !strings.Contains(got, `"packet":2,"event":"open"`) {
		t.Errorf("got %+v\n%s", report.Summary, got)
	}
}

func TestBackwardStampsAreCounted(t *testing.T) {
	capture := write(t, "1s 203.0.113.9 tcp/7000\n0s 203.0.113.9 tcp/8000\n1500ms 203.0.113.9 tcp/9000")
	report, got := run(t, Config{Captures: []string{capture}, Set: set(door("ssh", 7000, 8000, 9000))})
	if report.Clamped != 1 || report.Opens != 1 {
		t.Errorf("%d clamped and %d opens, want 1 and 1\n%s", report.Clamped, report.Opens, got)
	}
}

func TestATruncatedCaptureIsReplayedAsFarAsItGoes(t *testing.T) {
	data, err := pcaptest.Capture("0s 203.0.113.9 tcp/7000\n1s 203.0.113.9 tcp/7000")
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < 60; cut++ {
		path := writeBytes(t, data[:len(data)-cut])
		report, _ := run(t, Config{Captures: []string{path}, Set: set(door("ssh", 7000))})
		if len(report.Incomplete) != 1 || !strings.Contains(report.Incomplete[0].Error(), "truncated after packet 1") {
			t.Fatalf("%d bytes less: %v", cut, report.Incomplete)
		}
		if report.Packets != 1 || report.Opens != 1 {
			t.Fatalf("%d bytes less: %+v", cut, report.Summary)
		}
	}
}

func TestAllCapturesThatCannotBeOpenedAreNamed(t *testing.T) {
	text := writeBytes(t, []byte("hello\n"))
	missing := filepath.Join(t.TempDir(), "missing.pcap")
	var out bytes.Buffer
	_, err := Run(t.Context(), Config{Captures: []string{text, missing}, Set: set(), Writer: transcript.NewJSON(&out)})
	if err == nil || !strings.Contains(err.Error(), "a text file") || !strings.Contains(err.Error(), "missing.pcap") {
		t.Errorf("got %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("a transcript was begun: %s", out.String())
	}
}

func TestAnEmptyCapture(t *testing.T) {
	report, got := run(t, Config{Captures: []string{write(t, "")}, Set: set(door("ssh", 7000)), Account: true})
	if got != `{"event":"begin","transcript":1}`+"\n" || report.Packets != 0 {
		t.Errorf("got %+v\n%s", report, got)
	}
}

func TestWhyNothingWasAKnock(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	for _, test := range []struct {
		name, capture string
		local         []netip.Prefix
		doors         []*engine.Door
		want          string
	}{
		{"empty", "", nil, nil, "the capture holds no packets"},
		{"not this host", "0s 203.0.113.9 tcp/443 to=10.7.0.2\n1s 203.0.113.9 tcp/7000 to=10.7.0.2\n2s 203.0.113.9 tcp/7000 to=10.7.0.3", local, nil,
			"3 packets, 0 for this host (--local 192.0.2.1); most were for 10.7.0.2"},
		{"other ports", "0s 203.0.113.9 tcp/443\n1s 203.0.113.9 tcp/443\n2s 203.0.113.9 udp/53", nil, nil,
			"3 packets, none to a port that a door watches (tcp/7000, tcp/8000, tcp/9000); most were to tcp/443"},
		{"other ports, none of them often", "0s 203.0.113.9 tcp/443\n1s 203.0.113.9 udp/53", nil, nil,
			"2 packets, none to a port that a door watches (tcp/7000, tcp/8000, tcp/9000); the most frequent is tcp/443"},
		{"the guarded port", "0s 203.0.113.9 tcp/22\n1s 203.0.113.9 tcp/22", nil, nil,
			"2 packets, none to a port that a door watches (tcp/7000, tcp/8000, tcp/9000); most were to tcp/22, which ssh guards"},
		{"other flags", "0s 203.0.113.9 tcp/7000 syn,ack\n1s 203.0.113.9 tcp/443", nil, nil,
			"2 packets, 1 to a port that a door watches, but none with the flags of a knock (a TCP knock is a SYN without ACK unless a script says otherwise)"},
		{"no SYN at all", "0s 203.0.113.9 tcp/443 ack\n1s 203.0.113.9 tcp/22 fin,ack", nil, nil,
			"2 packets, 2 for this host, but none that could be a knock: no TCP SYN and no UDP"},
		{"another payload", "0s 203.0.113.9 tcp/7000 data=SESAMI\n1s 203.0.113.9 tcp/7000 data=OPEN\n2s 203.0.113.9 tcp/443", nil, []*engine.Door{tested("bell", 7000)},
			"203.0.113.9      bell  no knock 2 times, last (packet 2) because of the payload: length 4, expected 6"},
		{"the right payload, but for another host", "0s 203.0.113.9 tcp/7000 data=SESAME to=10.7.0.2\n1s 203.0.113.9 tcp/7000 data=S", local, []*engine.Door{tested("bell", 7000)},
			"203.0.113.9      bell  no knock (packet 2) because of the payload: length 1, expected 6"},
		{"no doors", "0s 203.0.113.9 tcp/443", nil, []*engine.Door{}, "1 packet, but the scripts have no doors"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doors := test.doors
			if doors == nil {
				doors = []*engine.Door{door("ssh", 7000, 8000, 9000)}
			}
			report, _ := run(t, Config{Captures: []string{write(t, test.capture)}, Set: set(doors...), Local: test.local, Account: true})
			var text strings.Builder
			if err := report.WriteAccount(&text); err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(text.String(), "\n")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhyNothingCouldBeDecoded(t *testing.T) {
	data, err := pcaptest.Capture("0s 203.0.113.9 tcp/7000")
	if err != nil {
		t.Fatal(err)
	}
	data[24+16+14] = 0x4f // an IPv4 header of 60 bytes, in a packet of 40
	report, _ := run(t, Config{Captures: []string{writeBytes(t, data)}, Set: set(door("ssh", 7000)), Account: true})
	if want := "1 packet, none of which can be a knock: 1 malformed"; report.nothing != want {
		t.Errorf("got %q, want %q", report.nothing, want)
	}
}

func TestWhatIsFrequent(t *testing.T) {
	c := common[int]{counts: map[int]int{}}
	for i := range 1_000_000 {
		c.add(i) // a flood in which each is different
		if i%2 == 0 {
			c.add(-7)
		}
	}
	if len(c.counts) > maxCounters {
		t.Errorf("%d are counted, want at most %d", len(c.counts), maxCounters)
	}
	if most, got := c.most("most were"); most != -7 || got != "the most frequent is -7" {
		t.Errorf("got %d, %q", most, got)
	}
}

// mixed returns a capture of many sources, some of which open a door.
func mixed(packets int) string {
	var lines strings.Builder
	ports := []int{7000, 443, 8000, 9000, 22, 7000, 8000, 7000, 9000}
	for i := range packets {
		fmt.Fprintf(&lines, "%dms 203.0.%d.%d tcp/%d sport=%d\n", i*10, i%3, i%17, ports[(i/51)%len(ports)], 1024+i%60000)
	}
	return lines.String()
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	first, second := write(t, mixed(5000)), write(t, mixed(3000))
	doors := []*engine.Door{door("ssh", 7000, 8000, 9000), door("web", 8000, 9000), door("vpn", 7000, 9000)}
	text := func(threads int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		var out bytes.Buffer
		for _, w := range []Writer{transcript.NewJSON(&out), transcript.NewText(&out, transcript.TextOptions{})} {
			report, err := Run(t.Context(), Config{Captures: []string{first, second}, Set: set(doors...), Writer: w, Account: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := report.WriteAccount(&out); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	one := text(1)
	if !strings.Contains(one, `"event":"open"`) || !strings.Contains(one, `"event":"miss"`) {
		t.Fatalf("the capture is too dull to prove anything:\n%.2000s", one)
	}
	for range 3 {
		if diff := cmp.Diff(one, text(8)); diff != "" {
			t.Fatalf("with 8 threads (-one +eight):\n%s", diff)
		}
	}
}

// A capture of any size takes the same memory: a packet in which no door is interested allocates
// nothing.
func TestUnwatchedPacketsAllocateNothing(t *testing.T) {
	allocated := func(packets int) float64 {
		path := write(t, strings.Repeat("1s 203.0.113.9 tcp/443\n", packets))
		c := Config{Captures: []string{path}, Set: set(door("ssh", 7000)), Writer: transcript.NewJSON(&bytes.Buffer{})}
		return testing.AllocsPerRun(3, func() {
			if _, err := Run(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocated(10), allocated(20_000); many > few+10 {
		t.Errorf("%v allocations for 10 packets, %v for 20,000", few, many)
	}
}

// BenchmarkUnwatched replays a million packets in which no door is interested.
func BenchmarkUnwatched(b *testing.B) {
	line, err := pcaptest.Capture("0s 203.0.113.9 tcp/443")
	if err != nil {
		b.Fatal(err)
	}
	path := writeBytes(b, append(line[:24:24], bytes.Repeat(line[24:], 1_000_000)...))
	c := Config{Captures: []string{path}, Set: set(door("ssh", 7000, 8000)), Until: time.Hour}
	b.ReportAllocs()
	for b.Loop() {
		c.Writer = transcript.NewJSON(&bytes.Buffer{})
		report, err := Run(b.Context(), c)
		if err != nil || report.Dropped[packet.NotWatched] != 1_000_000 {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/packet")
}

// An account gets what asks for a connection to a guarded port. The totals do not change: no door
// watches such a packet.
func TestAnAccountLooksAtGuardedPorts(t *testing.T) {
	d := door("ssh", 7000)
	d.Guards = []packet.Port{{Proto: packet.TCP, Number: 22}, {Proto: packet.UDP, Number: 53}}
	path := write(t, `
		0s 203.0.113.9 tcp/22
		1s 203.0.113.9 tcp/22 ack
		2s 203.0.113.9 udp/53
		3s 203.0.113.9 udp/22 to=198.51.100.7
		4s 203.0.113.9 tcp/7000`)
	c := Config{Captures: []string{path}, Set: set(d), Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Writer: transcript.NewJSON(&bytes.Buffer{})}
	without, _ := run(t, c)
	opened, err := open(c.Captures)
	must(t, err)
	defer opened.close()
	c.Account = true
	p := newPass(c, opened)
	looked := map[string]bool{}
	wants := p.wants
	p.wants = func(link packet.LinkType, frame []byte) bool {
		if !wants(link, frame) {
			return false
		}
		looked[string(frame)] = true
		return true
	}
	p.read(t.Context())
	report := p.report()
	if diff := cmp.Diff(without.Summary, report.Summary); diff != "" || report.Dropped[packet.NotWatched] != 4 {
		t.Errorf("without an account (-) and with one (+):\n%s", diff)
	}
	if len(looked) != 3 {
		t.Errorf("%d frames were looked at, want 3", len(looked))
	}
}
