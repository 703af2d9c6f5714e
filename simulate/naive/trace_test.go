package naive_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/trace"
)

var traces = flag.Int("traces", 300, "how many random captures TestTracesSayWhatWasDecided traces")

// A trace of a source has each of its packets once. It says what the naive matcher finds, and what
// an engine explains that gets the same packets.
func TestTracesSayWhatWasDecided(t *testing.T) {
	dir, compared, asked := t.TempDir(), 0, map[string]int{}
	for n := uint64(1); compared < *traces; n++ {
		s := newScenario(rand.New(rand.NewPCG(n, 1)))
		if s.layout != onePcap {
			continue
		}
		compared++
		source := s.packets[len(s.packets)/2].source
		tr := &traced{T: t, scenario: s, source: source, told: s.trace(t, dir, source), asked: asked}
		tr.naively()
		tr.explained()
		if t.Failed() {
			t.Fatalf("seed %d, the trace of %v\n%v", n, source, s)
		}
	}
	for _, question := range []string{"host", "port", "source", "new", "destination", "knock", "payload", "limit", "condition", "function"} {
		if *traces >= 300 && (asked[question+" yes"] == 0 || asked[question+" no"] == 0 && question != "function") {
			t.Errorf("the tests %q had not both outcomes: %v", question, asked)
		}
	}
}

// A traced is a scenario with the trace of one of its sources.
type traced struct {
	*testing.T
	*scenario
	source netip.Addr
	told   []*trace.Packet
	asked  map[string]int // how often which question had which outcome
}

// trace returns the trace of a source.
func (s *scenario) trace(t *testing.T, dir string, source netip.Addr) (all []*trace.Packet) {
	t.Helper()
	path := filepath.Join(dir, "trace.pcap")
	if err := os.WriteFile(path, s.files()[0], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := simulate.Run(t.Context(), simulate.Config{
		Captures: []string{path}, Set: s.set, Local: s.local, Writer: &collector{},
		Sources: []netip.Prefix{netip.PrefixFrom(source, source.BitLen())},
		Trace:   func(p *trace.Packet) { all = append(all, p) },
	})
	if err != nil {
		t.Fatalf("%v\n%v", err, s)
	}
	return all
}

// naively compares the trace with the naive matcher, packet by packet.
func (tr *traced) naively() {
	m, told := newMatcher(tr.scenario), tr.told
	if last := len(told) - 1; last >= 0 && told[last].Number == 0 {
		told = told[:last] // the end
	}
	var clock recordingClock
	for i := range tr.packets {
		s, number := &tr.packets[i], i+1
		at, stepped := clock.follow(s.at)
		if stepped {
			m.now = max(m.now, at)
		}
		n := m.read(s, at, number)
		if s.source != tr.source {
			continue
		}
		switch {
		case len(told) > 0 && told[0].Number == number:
			tr.compare(told[0], n)
			told = told[1:]
		case s.form == whole && n.drop != "other_protocol":
			tr.Errorf("packet %d has no trace", number)
		}
	}
	if len(told) > 0 {
		tr.Errorf("packet %d has a trace more", told[0].Number)
	}
}

// A reading is what the naive matcher says about one packet.
type reading struct {
	drop      string
	decodable bool
	global    []string // the questions that are the same for all doors, with their answers
	doors     map[string]doorReading
	stages    []opening
	opens     []opening
}

// A doorReading is what it says about one packet at one door of the policy sesame.
type doorReading struct{ accepts, wants, fits, asked bool }

// read reads the packet at hand, and hands it to the matcher.
func (m *matcher) read(s *sent, at int64, number int) reading {
	m.at, m.sent, m.number = at, s, number
	r := reading{decodable: m.undecodable() == "", doors: map[string]doorReading{}}
	if r.decodable {
		m.now = max(m.now, at)
		r.global = m.global()
	}
	for _, d := range m.states {
		if d.Policy != engine.PolicyKnockd {
			one := doorReading{accepts: m.accepts(d.Door), wants: d.wants(s), fits: fitsPayload(d.Payload, s)}
			one.asked = one.accepts && one.wants && (d.Listen || s.is(d.Sequence[0]) || len(m.run(d)) > 0)
			r.doors[d.Name] = one
		}
	}
	drops, opens, stages := m.drops(), len(m.result.Opens), len(m.result.Stages)
	m.take(s, at, number, 0)
	for name, n := range m.result.Dropped {
		if n > drops[name] {
			r.drop = name
		}
	}
	if last := len(r.global) - 1; last >= 0 && r.global[last] == "new ?" {
		r.global[last] = answer("new", r.drop != "duplicate" && r.drop != "retransmit")
	}
	r.opens, r.stages = m.result.Opens[opens:], m.result.Stages[stages:]
	return r
}

func (m *matcher) drops() map[string]int {
	drops := map[string]int{}
	for name, n := range m.result.Dropped {
		drops[name] = n
	}
	return drops
}

func answer(question string, yes bool) string {
	if yes {
		return question + " yes"
	}
	return question + " no"
}

// global returns the questions about the packet at hand that are the same for all doors, up to the
// first that it does not pass. Whether it is new is found out when the matcher takes it.
func (m *matcher) global() (asked []string) {
	s := m.sent
	targeted := slices.ContainsFunc(m.states, func(d *state) bool { return d.Target == s.dest })
	host := m.isLocal(s.dest) || targeted
	asked = append(asked, answer("host", host))
	if !host {
		return asked
	}
	port := len(m.tripped()) > 0 || m.wantedBySome() || m.anyStrict() && m.stray()
	asked = append(asked, answer("port", port))
	if !port || m.local == nil && (s.dest.IsMulticast() || s.dest == everyone) && !targeted {
		return asked
	}
	asked = append(asked, answer("source", !m.own(s.source)))
	if m.own(s.source) {
		return asked
	}
	return append(asked, "new ?")
}

// compare compares the trace of a packet with a reading.
func (tr *traced) compare(p *trace.Packet, n reading) {
	var global []string
	doors := map[string]map[string]string{} // the outcomes of the tests of each door
	for _, e := range p.Entries {
		switch {
		case e.Ruling != "":
			continue
		case e.Door == "":
			global = append(global, e.Test+" "+e.Outcome)
		default:
			if doors[e.Door] == nil {
				doors[e.Door] = map[string]string{}
			}
			doors[e.Door][e.Test] = e.Outcome
		}
		tr.asked[e.Test+" "+e.Outcome]++
	}
	switch {
	case global == nil: // the filter knows that no door is interested, or it cannot be read
		if n.decodable && !slices.ContainsFunc(n.global, func(s string) bool { return s == "port no" || s == "host no" }) {
			tr.Errorf("nothing was asked about packet %d, want %v", p.Number, n.global)
		}
	case !slices.Equal(global, n.global):
		tr.Errorf("packet %d: asked %v, want %v", p.Number, global, n.global)
	}
	if !n.decodable && p.Dropped != n.drop && n.drop != "not_watched" {
		tr.Errorf("packet %d is dropped as %q, want %q", p.Number, p.Dropped, n.drop)
	}
	if p.Dropped != "" && n.drop != p.Dropped && n.drop != "not_watched" && n.drop != "not_local" && p.Dropped != "not_watched" {
		tr.Errorf("packet %d is dropped as %q, want %q", p.Number, p.Dropped, n.drop)
	}
	tr.compareDoors(p, n, doors)
	tr.compareDecisions(p, n, doors)
	tr.compareForms(p)
}

// compareDoors compares the tests of each door.
func (tr *traced) compareDoors(p *trace.Packet, n reading, doors map[string]map[string]string) {
	same := func(door, test string, want bool) {
		if got := doors[door][test]; got != "" && got != strings.TrimPrefix(answer(test, want), test+" ") {
			tr.Errorf("packet %d at %s: %s is %s", p.Number, door, test, got)
		}
	}
	for name, door := range n.doors {
		if n.drop == "" && door.asked && doors[name]["knock"] != "yes" {
			tr.Errorf("packet %d is a knock of %s, and the trace says %v", p.Number, name, doors[name])
		}
		same(name, "destination", door.accepts)
		same(name, "knock", door.wants)
		same(name, "payload", door.fits)
		same(name, "condition", admits(p.Source))
		if tests := doors[name]; n.drop != "" && n.drop != "other_payload" && len(tests) > 0 {
			tr.Errorf("packet %d is dropped as %s, and %s tested %v", p.Number, n.drop, name, tests)
		}
	}
}

// compareDecisions compares how far the packet brought its source, and what opened. A door opens
// when each test was passed.
func (tr *traced) compareDecisions(p *trace.Packet, n reading, doors map[string]map[string]string) {
	var reached, opened, passed []string
	for _, e := range p.Entries {
		if e.Ruling == "began" || e.Ruling == "advanced" || e.Ruling == "finished" || e.Ruling == "disturbed" && e.Stage > 0 {
			if door := tr.door(e.Door); !door.Listen {
				reached = append(reached, e.Door)
			}
			if e.Ruling == "finished" && !slices.Contains([]string{doors[e.Door]["limit"], doors[e.Door]["condition"], doors[e.Door]["function"]}, "no") {
				passed = append(passed, e.Door)
			}
			if slices.IndexFunc(n.stages, func(o opening) bool { return o.Door == e.Door && o.Stage == e.Stage }) < 0 && !tr.door(e.Door).Listen {
				tr.Errorf("packet %d at %s: %s with %d of %d knocks, want %v", p.Number, e.Door, e.Ruling, e.Stage, e.Stages, n.stages)
			}
		}
	}
	for _, e := range p.Events {
		if e.Kind == engine.EventOpen {
			opened = append(opened, e.Door)
		}
	}
	naive := func(all []opening) (names []string) {
		for _, o := range all {
			names = append(names, o.Door)
		}
		return names
	}
	for what, pair := range map[string][2][]string{
		"stages": {naive(n.stages), reached}, "events of openings": {naive(n.opens), opened}, "doors that passed all": {naive(n.opens), passed},
	} {
		if slices.Sort(pair[0]); !slices.Equal(pair[0], slices.Sorted(slices.Values(pair[1]))) {
			tr.Errorf("packet %d: the %s are %v, want %v", p.Number, what, pair[1], pair[0])
		}
	}
}

func (tr *traced) door(name string) *engine.Door {
	return tr.set.Doors[slices.IndexFunc(tr.set.Doors, func(d *engine.Door) bool { return d.Name == name })]
}

// compareForms compares what people read with what programs read.
func (tr *traced) compareForms(p *trace.Packet) {
	var text, out bytes.Buffer
	if err := p.WriteText(&text, nil); err != nil {
		tr.Fatal(err)
	}
	lines := transcript.NewJSON(&out)
	for _, line := range p.Lines() {
		lines.Line(line...)
	}
	if err := lines.Flush(); err != nil {
		tr.Fatal(err)
	}
	read, decoder := strings.Split(text.String(), "\n")[1:], json.NewDecoder(&out)
	for i := range len(p.Entries) + 1 {
		var got, want trace.Entry
		if err := decoder.Decode(&got); err != nil {
			tr.Fatal(err)
		}
		if i == 0 {
			continue
		}
		want = p.Entries[i-1]
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(trace.Entry{})); diff != "" {
			tr.Errorf("packet %d (-trace +jsonl):\n%s", p.Number, diff)
		}
		if want.Condition == "" && want.Test == "condition" || want.Ruling == "" && want.Outcome == "" {
			tr.Errorf("packet %d: %+v", p.Number, want)
		}
		if !strings.Contains(read[i-1], want.Door) || !strings.Contains(read[i-1], want.Outcome) || !strings.HasSuffix(read[i-1], want.Text) {
			tr.Errorf("packet %d: %q is not %+v", p.Number, read[i-1], want)
		}
	}
	if _, err := decoder.Token(); err != io.EOF {
		tr.Errorf("packet %d has more lines than entries: %v", p.Number, err)
	}
}

// explained compares the judgments with those of an engine that gets the same packets and is asked
// for nothing but explanations.
func (tr *traced) explained() {
	want, got := tr.explain(), []string{}
	for _, p := range tr.told {
		for _, e := range p.Entries {
			if e.Ruling != "" {
				got = append(got, spell(e.Door, e.Ruling, e.Stage))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tr.Errorf("judgments (-engine +trace):\n%s", diff)
	}
}

// spell spells a judgment.
func spell(door, ruling string, stage int) string {
	return fmt.Sprintf("%s %s %d", door, ruling, stage)
}

// rulings are the rulings as docs/transcript.md has them.
var rulings = map[engine.Ruling]string{
	engine.Ignored: "ignored", engine.Began: "began", engine.Advanced: "advanced", engine.Finished: "finished",
	engine.Repeated: "repeated", engine.Disturbed: "disturbed", engine.TooLate: "too_late", engine.Ended: "ended",
	engine.LetIn: "let_in", engine.KeptOut: "kept_out",
}

// explain gives the packets to an engine, and returns its judgments of the source.
func (tr *traced) explain() []string {
	reader, err := record.NewReader(bytes.NewReader(tr.files()[0]), -1, "the capture")
	if err != nil {
		tr.Fatal(err)
	}
	all, pending, now := []string{}, []string{}, false
	var e *engine.Engine
	last := int64(0)
	judge := func(j *engine.Judgment) {
		if j.Source != tr.source {
			return
		}
		name := ""
		if j.Door != nil {
			name = j.Door.Name
		}
		// What time did while others sent packets stands in the next packet of the source, or at
		// the end.
		if pending = append(pending, spell(name, rulings[j.Ruling], j.Stage)); now {
			all, pending = append(all, pending...), nil
		}
	}
	watched, decoder := filter.New(filter.Interest(tr.set.Interest())), packet.NewDecoder()
	var clock recordingClock
	for {
		f, err := reader.Next()
		if err != nil {
			break
		}
		at, _ := clock.follow(f.Time().UnixNano())
		last = max(last, at)
		if e == nil {
			e = tr.engine(time.Unix(0, at), judge)
		}
		var p packet.Packet
		drop := decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception, &p)
		p.Time, p.Number = time.Unix(0, at), f.Number
		p.CameBy(f.Interface)
		if now = p.Source == tr.source; now {
			all, pending = append(all, pending...), nil
		}
		switch wanted := watched.Match(f.Link, f.Data); {
		case drop == packet.NotDropped && wanted:
			e.Packet(&p)
		case drop == packet.NotDropped && now:
			e.Unwatched(&p)
		}
	}
	if now = false; e != nil {
		e.End(time.Unix(0, last), time.Unix(0, last))
	}
	return append(all, pending...)
}

// engine returns an engine with the doors, whose judgments judge gets.
func (tr *traced) engine(begin time.Time, judge func(*engine.Judgment)) *engine.Engine {
	e := engine.New(engine.Config{}, begin)
	e.Explain(judge)
	if tr.local != nil {
		e.Own(slices.DeleteFunc(slices.Clone(tr.local), func(p netip.Prefix) bool { return !p.IsSingleIP() }))
		e.Local(begin, tr.local)
	}
	e.Swap(begin, tr.set)
	return e
}
