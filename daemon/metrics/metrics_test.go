package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

var update = flag.Bool("update", false, "write the golden file and the page anew")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// numbered returns as many different numbers, from first on.
func numbered[T any](of []T, first int) []int {
	var all []int
	for i := range of {
		all = append(all, first+i)
	}
	return all
}

// full returns a snapshot in which all values differ, so that none can stand in the place of
// another.
func full() Snapshot {
	s := Snapshot{
		Version: "1.2", Up: true, Now: noon.Add(time.Second), Waited: 3 * time.Millisecond, Read: noon, EngineNow: noon.Add(-time.Hour),
		Doors: []engine.DoorTotals{
			{Door: "", Grants: 201, Given: 202, Granted: 203 * time.Second, Functions: 204 * time.Second,
				Refusals: numbered(engine.RefusalReasons(), 0), Misses: numbered(engine.MissReasons(), 0)},
			{Door: "ssh", Attempts: 101, Grants: 102, Stages: 103, Early: 109, Opens: 104, Errors: 105, Given: 106, Granted: 107500 * time.Millisecond, Functions: 108 * time.Millisecond,
				Refusals: numbered(engine.RefusalReasons(), 110), Misses: numbered(engine.MissReasons(), 120)},
			{Door: "web", Observed: true, Grants: 140, Refusals: numbered(engine.RefusalReasons(), 150), Misses: numbered(engine.MissReasons(), 160)},
		},
		Failed: map[string]int{"allow": 11, "exec": 12, "undo": 13, "mark": 14}, Attempts: 15, Grants: 16,
		Reloads: map[control.ReloadOutcome]int{control.Applied: 17, control.Unchanged: 18, control.Rejected: 19, control.Held: 20},
		Work: effect.Work{
			Queued: 21, Places: 22, Oldest: noon.Add(-time.Hour - 23*time.Second), Running: 24, Commands: 25,
			Ran:     map[effect.CommandOutcome]int{{Result: effect.CommandSucceeded}: 26, {Result: effect.CommandHung}: 27, {Undo: true, Result: effect.CommandFailed}: 28},
			Journal: effect.JournalWork{Writes: 29, Failures: 30, Took: 31 * time.Second, Pending: 32, Oldest: noon.Add(-time.Hour - 33*time.Second)},
		},
	}
	st := &s.Status
	st.Mode, st.Guards = control.Observe, make([]string, 34)
	st.Live = control.Live{Attempts: 35}
	st.Counts = control.Counts{Packets: 36, Knocks: 37, Errors: 38, Clamped: 39, Dropped: map[string]int{"not_watched": 40, "duplicate": 41}}
	st.Capture = control.Capture{Interfaces: make([]string, 42), Missing: make([]string, 43), Lost: 44}
	st.Scripts = control.Scripts{Doors: 45, Generation: 46, Loaded: noon.Add(47 * time.Second), Drift: true, LastGood: true, Timeouts: make([]control.ScriptTimeout, 48)}
	st.Trial = &control.Trial{}
	st.Effects = control.Effects{Waiting: control.WaitingCommands{Count: 49}, FailingCount: 50}
	st.State.Journal.Unwritable = "no space"
	st.Firewall = control.Firewall{State: "ok", Repairs: 51, Repaired: noon.Add(52 * time.Second), Conflicts: make([]control.Conflict, 53),
		FullSets: make([]control.FullSet, 54), Conntrack: control.Conntrack{Flows: 55, Room: 56}}
	st.Geo.Databases = []control.Database{{Path: "/a.mmdb", Name: "A", Built: noon.Add(57 * time.Second)}, {Path: "/b.mmdb", Name: "B", Wrong: "cut off"}, {Path: "/c.mmdb"}}
	st.Recorder = control.Recorder{Bytes: 58, From: noon.Add(59 * time.Second), Blind: true}
	st.Helper = control.Helper{Used: true}
	st.Health = control.Health{Verdict: control.Degraded, Reasons: []control.Reason{{Code: "journal-unwritable"}}, Notes: []control.Reason{{Code: "packets-lost"}}}
	return s
}

// scrape returns what a handler answers the trusted for a snapshot, without the metrics of the
// process.
func scrape(t *testing.T, s Snapshot) string {
	t.Helper()
	var ours strings.Builder
	for line := range strings.Lines(scrapeAs(t, s, Trusted)) {
		if strings.Contains(line, "sesame_") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func scrapeAs(t *testing.T, s Snapshot, to Audience) string {
	t.Helper()
	var faults bytes.Buffer
	h := Handler(func(context.Context) Snapshot { return s }, to, log.New(&faults, "", 0))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || faults.Len() > 0 {
		t.Errorf("status %d, faults %q", w.Code, &faults)
	}
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("content type %q", kind)
	}
	return w.Body.String()
}

const goldenPath = "testdata/metrics.txt"

func TestAllMetrics(t *testing.T) {
	var lines strings.Builder
	for line := range strings.Lines(scrape(t, full())) {
		if !strings.HasPrefix(line, "sesame_health_reason") || strings.HasSuffix(line, "1\n") { // a new code changes nothing here
			lines.WriteString(strings.ReplaceAll(line, goversion(), "GO"))
		}
	}
	got := lines.String()
	if *update {
		if err := os.WriteFile(goldenPath, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// What is so and not so in the snapshot above is the other way round here.
func TestTheOppositeOfAllFlags(t *testing.T) {
	s := full()
	s.Status.Mode, s.Status.Scripts.Drift, s.Status.Scripts.LastGood, s.Status.Trial = control.Enforce, false, false, nil
	s.Status.State.Journal.Unwritable, s.Status.Firewall.State, s.Status.Recorder.Blind = "", "gone", false
	s.Status.Helper.Gone, s.Status.Health = "refused", control.Health{Verdict: control.OK}
	s.Work.Oldest, s.Work.Journal.Oldest, s.Status.Firewall.Repaired = time.Time{}, s.EngineNow.Add(time.Second), time.Time{}
	got := scrape(t, s)
	for _, line := range []string{
		"sesame_observing 0", "sesame_scripts_drift 0", "sesame_scripts_last_good 0", "sesame_scripts_trial 0", "sesame_last_reload_successful 1",
		"sesame_journal_unwritable 0", "sesame_firewall_ok 0", "sesame_recorder_blind 0", "sesame_helper_used 1", "sesame_helper_up 0",
		`sesame_health{verdict="ok"} 1`, `sesame_health{verdict="degraded"} 0`, `sesame_health_reason{code="packets-lost",severity="note"} 0`,
		"sesame_effects_oldest_seconds 0", "sesame_journal_oldest_seconds 0",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
	if strings.Contains(got, "repaired_timestamp") {
		t.Error("a time that never was has a value")
	}
	for outcome, want := range map[control.ReloadOutcome]string{control.Applied: "1", control.Unchanged: "1", control.Rejected: "0", control.Held: "0"} {
		s.Status.LastReload.Outcome.Outcome = outcome
		if got := scrape(t, s); !strings.Contains(got, "sesame_last_reload_successful "+want+"\n") {
			t.Errorf("after a reload that was %s: want %s", outcome, want)
		}
	}
}

func TestALoopThatNeverAnswered(t *testing.T) {
	got := scrape(t, Snapshot{Version: "1.2", Now: noon})
	for line := range strings.Lines(got) {
		if !strings.Contains(line, "sesame_up") && !strings.Contains(line, "sesame_build_info") {
			t.Errorf("unexpected: %s", line)
		}
	}
	if !strings.Contains(got, "sesame_up 0\n") || !strings.Contains(got, "sesame_build_info") {
		t.Errorf("got:\n%s", got)
	}
}

// A metric without help, with a name that Prometheus's own rules refuse, or with a label that
// nobody has bounded, fails here.
func TestEachMetricIsDescribed(t *testing.T) {
	bounded := []string{"door", "reason", "code", "severity", "verdict", "version", "goversion", "by", "outcome", "effect", "kind", "result", "path"}
	seen := map[string]bool{}
	for _, f := range Families() {
		if !strings.HasPrefix(f.Name, "sesame_") || seen[f.Name] {
			t.Errorf("%s: expected a name of its own that begins sesame_", f.Name)
		}
		seen[f.Name] = true
		if strings.HasSuffix(f.Name, "_total") != (f.Type == "counter") {
			t.Errorf("%s: it is a %s: counters end with _total", f.Name, f.Type)
		}
		if f.Help == "" || f.Help[0] < 'A' && f.Help[0] != '1' || f.Help[0] > 'Z' || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: help %q: expected sentences", f.Name, f.Help)
		}
		for _, label := range f.Labels {
			if !slices.Contains(bounded, label) {
				t.Errorf("%s: how many values has the label %s? Strangers must not choose any", f.Name, label)
			}
		}
	}
	if err := prometheus.NewPedanticRegistry().Register(collector{new(full()), Trusted}); err != nil {
		t.Error(err)
	}
}

// Names of doors come from files of many kinds.
func TestHostileNames(t *testing.T) {
	long := strings.Repeat("ü", 100)
	for _, tt := range []struct{ name, want string }{
		{"plain", `"plain"`},
		{`quo"te`, `"quo\"te"`},
		{"back\\slash", `"back\\slash"`},
		{"line\nbreak\r", `"line\nbreak` + "\r" + `"`},
		{"} 1\nsesame_up 0\n#", `"} 1\nsesame_up 0\n#"`},
		{"$(reboot) {{.}}", `"$(reboot) {{.}}"`},
		{"zero\x00", "\"zero\x00\""},
		{"none\xff\xfe", `"none\\xff\\xfe"`},
		{"half\xc3", `"half\\xc3"`},
		{"\ufffd", "\"\ufffd\""},
		{"\u202edoor", "\"\u202edoor\""},
		{"__name__", `"__name__"`},
		{strings.Repeat("a", 128), `"` + strings.Repeat("a", 128) + `"`},
		{strings.Repeat("a", 129), `"` + strings.Repeat("a", 117) + `…c12cb024"`},
		{long, `"` + strings.Repeat("ü", 58) + `…83af2e24"`},
		{strings.Repeat("\xff", 100), `"` + strings.Repeat(`\\xff`, 29) + `…da6f1497"`},
		{`none\xff`, `"none\\x5cxff"`},
		{`\\x`, `"\\\\x5cx"`},
	} {
		s := full()
		s.Doors = s.Doors[1:2]
		s.Doors[0].Door = tt.name
		if got, want := scrape(t, s), "sesame_door_opens_total{door="+tt.want+"} 104\n"; !strings.Contains(got, want) {
			t.Errorf("%q: there is no line %q", tt.name, want)
		}
	}
}

// Two names never become the same label: then one of them would be lost.
func TestLabelsDiffer(t *testing.T) {
	long := strings.Repeat("\xff", 31)
	seen := map[string]string{}
	for _, name := range []string{"a\xff", `a\xff`, `a\x5cxff`, `a\\xff`, long, long + "a", long + "b", strings.Repeat("a", 200), strings.Repeat("a", 201)} {
		if other, ok := seen[label(name)]; ok {
			t.Errorf("%q and %q are both %q", name, other, label(name))
		}
		seen[label(name)] = name
	}
}

// Who sees that a knock was right finds the rest of the sequence, knock by knock.
func TestEveryoneLearnsNothingOfKnocks(t *testing.T) {
	before, after := full(), full()
	d := &after.Doors[1]
	d.Attempts++
	d.Stages++
	d.Early++
	d.Errors++
	d.Functions += time.Second
	for i := range d.Misses {
		d.Misses[i]++
	}
	after.Waited += time.Second
	after.Failed = map[string]int{"exec": 99}
	st := &after.Status
	st.Live.Attempts++
	st.Counts = control.Counts{Packets: 1, Knocks: 1, Errors: 1, Clamped: 1, Dropped: map[string]int{"duplicate": 1}}
	st.Recorder, st.Scripts.Timeouts, st.Effects = control.Recorder{}, nil, control.Effects{}
	w := &after.Work
	w.Queued, w.Running, w.Ran = 0, 0, nil
	w.Journal.Writes, w.Journal.Took, w.Journal.Pending = 0, 0, 0
	lines := func(s Snapshot) (all string) {
		for line := range strings.Lines(scrapeAs(t, s, Everyone)) {
			if !strings.HasPrefix(line, "process_open_fds ") {
				all += line
			}
		}
		return all
	}
	if diff := cmp.Diff(lines(before), lines(after)); diff != "" {
		t.Errorf("metrics for everyone (-before +after):\n%s", diff)
	}
	t.Log("# the rest is there, and of the process what no packet moves")
	got := lines(before)
	for _, f := range Families() {
		if there := strings.Contains(got, "# TYPE "+f.Name+" "); there == f.Progress {
			t.Errorf("%s is there: %t", f.Name, there)
		}
	}
	for _, name := range forEveryone {
		if !strings.Contains(got, "# TYPE "+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	if strings.Contains(got, "go_memstats") || strings.Contains(got, "process_cpu") || strings.Contains(got, "process_resident") {
		t.Errorf("the work of the process is there:\n%s", got)
	}
}

// Nobody may forget to decide, and what is forgotten is not for everyone.
func TestEachMetricIsDecided(t *testing.T) {
	for _, g := range groups() {
		for _, f := range g.families {
			if f.progress == undecided {
				t.Errorf("%s: can a knock move it before a sequence is complete? Say progress: yes or no", f.name)
			}
		}
	}
	if (&family{}).tells(Everyone) || !(&family{}).tells(Trusted) {
		t.Error("what is undecided is for everyone")
	}
}

// However many ask, and whatever format they like, a text is written once a second.
func TestATextIsWrittenOnce(t *testing.T) {
	s, faults := full(), log.New(io.Discard, "", 0)
	h := Handler(func(context.Context) Snapshot { return s }, Everyone, faults)
	get := func(accept, encoding string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Encoding", encoding)
		h.ServeHTTP(w, r)
		return w
	}
	first := get("", "").Body.String()
	s.Doors[1].Opens++ // a text that is written anew has it
	for _, accept := range []string{"", "*/*", "application/openmetrics-text; version=1.0.0", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"} {
		for _, encoding := range []string{"", "gzip", "br, gzip", "zstd", "gzip;q=0", "identity"} {
			w := get(accept, encoding)
			if kind := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(kind, "text/plain; version=0.0.4") || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q, %q: status %d, content type %q", accept, encoding, w.Code, kind)
			}
			body, zipped := io.Reader(w.Body), w.Header().Get("Content-Encoding") == "gzip"
			if zipped != (strings.HasSuffix(encoding, "gzip")) {
				t.Errorf("%q: compressed %t", encoding, zipped)
			}
			if zipped {
				body, _ = gzip.NewReader(w.Body)
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != first {
				t.Errorf("%q, %q: %v, got:\n%s", accept, encoding, err, got)
			}
		}
	}
	for _, step := range []time.Duration{keep, -keep} { // the wall clock may be set back
		s.Now = s.Now.Add(step)
		if got := get("", "").Body.String(); got == first {
			t.Errorf("%v later the text is the same", step)
		}
		s.Doors[1].Opens++
	}
}

// A closed connection takes no bytes.
type closed struct {
	httptest.ResponseRecorder
	writes int
}

func (c *closed) Write([]byte) (int, error) {
	c.writes++
	return 0, io.ErrClosedPipe
}

func TestAClientThatIsGone(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		var faults bytes.Buffer // the client sets the pace of lines
		w := &closed{*httptest.NewRecorder(), 0}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept-Encoding", encoding)
		Handler(func(context.Context) Snapshot { return full() }, Trusted, log.New(&faults, "", 0)).ServeHTTP(w, r)
		if faults.Len() > 0 || w.writes != 1 {
			t.Errorf("%d writes, faults %s", w.writes, &faults)
		}
	}
}

func FuzzLabel(f *testing.F) {
	for _, name := range []string{"", "ssh", "\xff", "a\xc3b", strings.Repeat("é", 100), strings.Repeat("\xff", 200)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := label(name)
		if len(got) > maxLabel || !utf8.ValidString(got) {
			t.Errorf("%q is no label", got)
		}
		if len(name) <= maxLabel && !strings.Contains(name, `\x`) && utf8.ValidString(name) && got != name {
			t.Errorf("%q became %q", name, got)
		}
	})
}

// many returns a snapshot with so many doors.
func many(doors int) Snapshot {
	s := full()
	for i := range doors - 2 {
		d := s.Doors[1]
		d.Door = fmt.Sprint("door", i)
		s.Doors = append(s.Doors, d)
	}
	return s
}

// The page says how many series there are.
func TestSeriesAreBounded(t *testing.T) {
	count := func(doors int) int {
		n := 0
		for line := range strings.Lines(scrape(t, many(doors))) {
			if !strings.HasPrefix(line, "#") {
				n++
			}
		}
		return n
	}
	few, more := count(2), count(400)
	if each := (more - few) / 398; each != SeriesOfDoor() || more != few+398*each {
		t.Errorf("%d series of 2 doors and %d of 400: expected %d for each", few, more, SeriesOfDoor())
	}
	if others := few - 2*SeriesOfDoor(); others < 100 || others > 220 {
		t.Errorf("%d series beside those of doors: correct the page", others)
	}
}

func BenchmarkScrape(b *testing.B) {
	for _, doors := range []int{2, 400} {
		b.Run(fmt.Sprint(doors), func(b *testing.B) {
			s := many(doors) // each at another time, so that none is kept
			h := Handler(func(context.Context) Snapshot { s.Now = s.Now.Add(keep); return s }, Trusted, log.Default())
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				b.SetBytes(int64(w.Body.Len()))
			}
		})
	}
}
