package simulate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/simulate/pcaptest"
)

// within is a door whose sequence must be done in 8 s, and that tells the time of day.
func within(ports ...uint16) *engine.Set {
	d := door("ssh", ports...)
	d.Within = 8 * time.Second
	d.Handler, d.Hooks = tellsTime{}, engine.HookOpen
	return set(d)
}

type tellsTime struct{}

func (tellsTime) Handle(c *engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: []engine.Operation{engine.Log{Text: c.Wall.UTC().Format(time.TimeOnly)}}}, nil
}

// The clock of the machine that captures is set back by an hour, between knocks that are 60 s
// apart. By their stamps all would be in time.
const setBack = `
	3600s 203.0.113.9 tcp/7000
	3600s 203.0.113.9 tcp/8000
	60s   203.0.113.9 tcp/9000
	120s  203.0.113.9 tcp/9500
`

func TestAClockThatIsSetBackOpensNothing(t *testing.T) {
	doors := within(7000, 8000, 9000, 9500)
	check := func(t *testing.T, report *Report, got, want string) {
		t.Helper()
		if report.Opens != 0 || !strings.Contains(got, `"reason":"total_timeout"`) {
			t.Errorf("%+v:\n%s", report.Summary, got)
		}
		if len(report.Steps) != 1 || report.Steps[0].String() != want {
			t.Errorf("steps %v, want %s", report.Steps, want)
		}
	}
	const told = "%s: packet %d is stamped 59m before an earlier one: the clock was set back. How long it was until then is not known, and counts as nothing. If the packets are only out of order, reordercap sorts them"

	t.Log("# one file")
	path := write(t, setBack)
	report, got := run(t, Config{Captures: []string{path}, Set: doors})
	check(t, report, got, fmt.Sprintf(told, path, 3))

	t.Log("# a recording of the daemon, through other scripts")
	report, got = run(t, Config{Recording: bytes.NewReader(steppedRecording(t)), Set: doors})
	check(t, report, got, fmt.Sprintf(told, "the recording", 3))
}

// steppedRecording returns a recording with the packets of setBack: its stamps are in engine time,
// which is never set back, so somebody has changed it or merged it wrongly.
func steppedRecording(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	r := record.NewRecorder(0)
	e := engine.New(engine.Config{}, noon)
	r.Begin(noon, e.State(), record.Scripts{})
	for i, line := range strings.Split(strings.TrimSpace(setBack), "\n") {
		seconds, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := time.ParseDuration(seconds)
		must(t, err)
		frame := framed(t, strings.TrimSpace(line))
		r.Packet(&packet.Packet{Time: noon.Add(at), Number: i + 1}, frame, len(frame))
	}
	_, err := r.Recording().WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

// After a step the time of day is that of the stamps, and no duration changes.
func TestTheTimeOfDayFollowsTheStamps(t *testing.T) {
	path := write(t, "3600s 203.0.113.9 tcp/7000\n60s 203.0.113.9 tcp/8000\n62s 203.0.113.9 tcp/9000")
	report, got := run(t, Config{Captures: []string{path}, Set: within(7000, 8000, 9000)})
	if report.Opens != 1 || report.Clamped != 0 || !strings.Contains(got, `"time":"2026-03-02T13:00:02Z","packet":3,"event":"open"`) ||
		!strings.Contains(got, `"detail":"12:01:02"`) {
		t.Errorf("%+v:\n%s", report, got)
	}
}

// Up to a second, packets are only out of order.
func TestALittleOutOfOrderIsNoStep(t *testing.T) {
	path := write(t, "3s 203.0.113.9 tcp/7000\n2s 203.0.113.9 tcp/8000\n2500ms 203.0.113.9 tcp/9000")
	report, got := run(t, Config{Captures: []string{path}, Set: within(7000, 8000, 9000)})
	if report.Opens != 1 || report.Clamped != 2 || len(report.Steps) != 0 {
		t.Errorf("%+v:\n%s", report, got)
	}
}

func TestManySteps(t *testing.T) {
	path := write(t, strings.Repeat("9s 203.0.113.9 tcp/7000\n0s 203.0.113.9 tcp/443\n", 20))
	report, _ := run(t, Config{Captures: []string{path}, Set: within(7000, 8000)})
	if len(report.Steps) != mostSteps || report.MoreSteps != 20-mostSteps {
		t.Errorf("%d steps and %d more", len(report.Steps), report.MoreSteps)
	}
}

// Of several captures, the one whose clock was set back ends there: which of its stamps are right,
// and how its clock compares to the others, is not known. What came before it is replayed.
func TestOneOfSeveralCapturesIsSetBack(t *testing.T) {
	path, other := write(t, setBack), write(t, "3599s 203.0.113.9 tcp/7000\n3600s 203.0.113.9 tcp/9000\n3700s 198.51.100.7 tcp/443")
	want := path + ": packet 3 is stamped 59m before an earlier one, so its place among the packets of the other captures is not known. It and what follows was not read: sort the capture with reordercap, or replay it alone"
	for _, order := range [][]string{{path, other}, {other, path}} {
		report, _ := run(t, Config{Captures: order, Set: within(7000, 8000, 9000, 9500)})
		if len(report.Incomplete) != 1 || report.Incomplete[0].Error() != want || len(report.Steps) != 0 || report.Packets != 5 || report.Opens != 0 {
			t.Errorf("%+v", report)
		}
	}
}

// Stamps that go back and forth make engine time run out. Then the capture ends: knocks must not
// become simultaneous.
func TestEngineTimeEnds(t *testing.T) {
	const knocks = "60s 203.0.113.9 tcp/7000\n180s 203.0.113.9 tcp/8000\n300s 203.0.113.9 tcp/9000"
	for _, rounds := range []int{1, 2, 3, 4, 7} {
		data, err := pcaptest.Capture(strings.Repeat("0s 198.51.100.7 tcp/443\n", 2*rounds) + knocks)
		must(t, err)
		for i, at := 0, 24; i < 2*rounds; i++ {
			binary.LittleEndian.PutUint32(data[at:], []uint32{math.MaxUint32, 1}[i%2])
			at += 16 + int(binary.LittleEndian.Uint32(data[at+8:]))
		}
		path := writeBytes(t, data)
		report, got := run(t, Config{Captures: []string{path}, Set: within(7000, 8000, 9000)})
		want := path + fmt.Sprintf(": packet %d: with its stamp, and with the steps of the clock before it, it would come after the year 2261, which Sesame cannot reckon with. It and what follows was not read", min(rounds+3, 6))
		if report.Opens != 0 || rounds > 1 && (len(report.Incomplete) != 1 || report.Incomplete[0].Error() != want || report.Packets != min(rounds+2, 5)) || rounds == 1 && report.Knocks != 3 {
			t.Errorf("%d rounds: %+v\n%s", rounds, report, got)
		}
	}
}

// A packet without a stamp among others has the time of the one before it.
func TestOnePacketIsWithoutAStamp(t *testing.T) {
	data, err := pcaptest.Capture("1s 203.0.113.9 tcp/7000\n1s 203.0.113.9 tcp/8000\n3s 203.0.113.9 tcp/9000")
	must(t, err)
	second := 24 + 16 + int(binary.LittleEndian.Uint32(data[24+8:]))
	clear(data[second : second+8])
	path := writeBytes(t, data)
	report, got := run(t, Config{Captures: []string{path}, Set: within(7000, 8000, 9000)})
	if report.Opens != 1 || len(report.Steps) != 0 || !slices.Equal(report.Unstamped, []Unstamped{{path, 1}}) {
		t.Errorf("%+v\n%s", report, got)
	}
}

// One capture among several is out of order by less than a second: its packets are put in order.
func TestOneOfSeveralCapturesIsOutOfOrder(t *testing.T) {
	first := write(t, "0s 203.0.113.9 tcp/7000\n1s 198.51.100.7 tcp/443\n2s 203.0.113.9 tcp/9500")
	second := write(t, "1500ms 203.0.113.9 tcp/9000\n600ms 203.0.113.9 tcp/8000\n1600ms 203.0.113.9 tcp/443")
	report, got := run(t, Config{Captures: []string{first, second}, Set: within(7000, 8000, 9000, 9500)})
	if report.Opens != 1 || report.Clamped != 0 || len(report.Steps) != 0 || report.Packets != 6 {
		t.Errorf("%+v:\n%s", report, got)
	}
}

// The transcript does not depend on the order in which captures are named, also when packets of
// several have the same time.
func TestMergingDoesNotDependOnTheOrderOfNames(t *testing.T) {
	paths := []string{
		write(t, "1s 203.0.113.9 tcp/7000\n2s 203.0.113.9 tcp/8000"),
		write(t, "2s 203.0.113.9 tcp/9000\n3s 203.0.113.9 tcp/9500"),
		write(t, "1s 198.51.100.7 tcp/7000\n2s 203.0.113.9 tcp/443"),
		write(t, ""),
	}
	transcriptOf := func(order ...int) string {
		var names []string
		for _, i := range order {
			names = append(names, paths[i])
		}
		var b bytes.Buffer
		for _, w := range []Writer{transcript.NewJSON(&b), transcript.NewText(&b, transcript.TextOptions{})} {
			if _, err := Run(t.Context(), Config{Captures: names, Set: within(7000, 8000, 9000, 9500), Writer: w}); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	want := transcriptOf(0, 1, 2, 3)
	for _, order := range [][]int{{1, 0, 2, 3}, {3, 2, 1, 0}, {2, 3, 0, 1}, {0, 3, 1, 2}} {
		if diff := cmp.Diff(want, transcriptOf(order...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", order, diff)
		}
	}
	first, _, _ := strings.Cut(want, "\n")
	if !strings.HasSuffix(first, fmt.Sprintf("%q]}", paths[3])) || !strings.HasPrefix(first, `{"event":"begin","transcript":1,"captures":["`) {
		t.Errorf("the capture without packets is not the last: %s", first)
	}
	if !strings.Contains(want, fmt.Sprintf("capture 3: %s\ncapture 4: %s\n", paths[1], paths[3])) {
		t.Errorf("the captures are not named for people:\n%s", want)
	}
}

func TestNamesOfCaptures(t *testing.T) {
	for _, tt := range []struct{ paths, want []string }{
		{[]string{"a/x.pcap"}, nil},
		{[]string{"a/x.pcap", "b/y.pcap"}, []string{"x.pcap", "y.pcap"}},
		{[]string{"a/x.pcap", "b/x.pcap"}, []string{"a/x.pcap", "b/x.pcap"}},
	} {
		var c captures
		for _, path := range tt.paths {
			c = append(c, &capture{name: path})
		}
		if got := c.names(); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.paths, got, tt.want)
		}
	}
}
