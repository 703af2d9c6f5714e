package engine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// restarted returns an engine that starts at a time, with what a journal and a clean stop of the
// engine before have. Its events go to w.
func (w *world) restarted(set *Set, journal []Record) *Engine {
	w.t.Helper()
	text, err := json.Marshal(w.e.Carry())
	if err != nil {
		w.t.Fatal(err)
	}
	var carried Carried
	if err := json.Unmarshal(text, &carried); err != nil {
		w.t.Fatal(err)
	}
	e := New(w.e.cfg, w.now)
	w.record(e.Swap(w.now, set))
	w.record(e.Restore(w.now, journal))
	w.record(e.Continue(w.now, e.Recognise(carried)))
	return e
}

// restart stops the engine of a world and starts the next one.
func (w *world) restart(doors ...*Door) { w.e = w.restarted(&Set{Doors: doors}, nil) }

func TestAttemptsSurviveARestart(t *testing.T) {
	door := func(change func(*Door)) *Door {
		d := guarding(t, aDoor(t, "ssh", "tcp/501", "tcp/502", "tcp/503"), "tcp/22")
		d.Tripwires = 64
		if change != nil {
			change(d)
		}
		return d
	}
	opened := []string{"3/3", "open"}
	for _, tt := range []struct {
		name   string
		before []string // ports
		pause  time.Duration
		next   []*Door
		after  []string
		want   []string // a part of each event after the restart
	}{
		{"at the first stage", []string{"tcp/501"}, time.Second, []*Door{door(nil)}, []string{"tcp/502", "tcp/503"}, slices.Concat([]string{"2/3"}, opened)},
		{"at the second", []string{"tcp/501", "tcp/502"}, time.Second, []*Door{door(nil)}, []string{"tcp/503"}, opened},
		{"the pause counts at the first stage", []string{"tcp/501"}, 10 * time.Second, []*Door{door(nil)}, []string{"tcp/502", "tcp/503"}, nil},
		{"the pause counts", []string{"tcp/501", "tcp/502"}, 10 * time.Second, []*Door{door(nil)}, []string{"tcp/503"}, []string{"2/3 total_timeout"}},
		{"until the last moment", []string{"tcp/501", "tcp/502"}, 10*time.Second - 1, []*Door{door(nil)}, []string{"tcp/503"}, opened},
		{"the door matches otherwise", []string{"tcp/501", "tcp/502"}, time.Second, []*Door{door(func(d *Door) { d.Within = time.Hour })}, []string{"tcp/503"}, []string{"miss ssh 203.0.113.9 2/3 reload"}},
		{"and at the first stage", []string{"tcp/501"}, time.Second, []*Door{door(func(d *Door) { d.Strict = true })}, []string{"tcp/502"}, nil},
		{"the door is gone", []string{"tcp/501", "tcp/502"}, time.Second, nil, []string{"tcp/503"}, []string{"2/3 reload"}},
		{"another line of the script", []string{"tcp/501", "tcp/502"}, time.Second, []*Door{aDoor(t, "new", "tcp/7"), door(func(d *Door) { d.Line, d.TTL = 7, time.Hour })}, []string{"tcp/503"}, opened},
		{"a wrong knock after it", []string{"tcp/501", "tcp/502"}, time.Second, []*Door{door(nil)}, []string{"tcp/501", "tcp/503"}, []string{"2/3 out_of_order"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, door(nil))
			w.knock(alice, tt.before...)
			w.got = nil
			w.advance(tt.pause)
			w.restart(tt.next...)
			w.knock(alice, tt.after...)
			got := slices.DeleteFunc(w.got, func(e Event) bool { return e.Kind == EventEffect || e.Kind == EventStage && e.Stage == 1 })
			if len(got) != len(tt.want) {
				t.Fatalf("events %v, want %v", briefs(got), tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(brief(got[i]), want) {
					t.Errorf("event %q, want %q", brief(got[i]), want)
				}
			}
		})
	}
}

func briefs(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, brief(e))
	}
	return all
}

// When the wall clock was set back during the restart no time has passed, and limits hold.
func TestARestartWithAClockThatWasSetBack(t *testing.T) {
	d := aDoor(t, "a", "udp/501", "udp/502")
	d.Limit = &Limit{Count: 1, Per: time.Hour}
	w := newWorld(t, d)
	w.knock(alice, "udp/501", "udp/502")
	w.knock(bob, "udp/501")
	w.advance(-24 * time.Hour)
	w.got = nil
	w.restart(d)
	w.knock(bob, "udp/502")
	if got := w.got[len(w.got)-1]; got.Kind != EventRefuse || got.Reason != "limit" {
		t.Errorf("%v, want a refusal by the limit", briefs(w.got))
	}
	w.advance(time.Hour)
	w.knock(bob, "udp/501", "udp/502")
	if !slices.ContainsFunc(w.got, func(e Event) bool { return e.Kind == EventOpen }) {
		t.Errorf("%v, want that it opens after an hour", briefs(w.got))
	}
}

// Engine time is the wall clock at the start, so a step of that clock before the stop is a part of
// how times move.
func TestARestartAfterAStepOfTheClock(t *testing.T) {
	d := aDoor(t, "a", "udp/501", "udp/502", "udp/503")
	w := newWorld(t, d)
	w.knock(alice, "udp/501", "udp/502")
	w.record(w.e.Step(w.now, time.Hour)) // the wall clock shows an hour more than engine time
	w.advance(time.Hour + 9*time.Second)
	w.got = nil
	w.restart(d)
	w.knock(alice, "udp/503")
	w.want("1h0m9s stage a 203.0.113.9 3/3", "1h0m9s open a 203.0.113.9")
}

// A retransmit of a knock from before a restart is none, and a copy neither.
func TestARetransmitAcrossARestart(t *testing.T) {
	d := aDoor(t, "a", "tcp/501", "tcp/502", "tcp/501")
	w := newWorld(t, d)
	p := w.packet(alice, "tcp/501")
	w.record(w.e.Packet(&p))
	w.knock(alice, "tcp/502")
	w.got = nil
	w.advance(time.Second)
	w.restart(d)
	p.Time = w.now
	w.record(w.e.Packet(&p))
	w.want()
	if n := w.e.Counts().Dropped[packet.Retransmit]; n != 1 {
		t.Errorf("%d retransmits, want 1", n)
	}
}

// What a flood left is bounded, and the youngest attempts are carried.
func TestWhatIsCarriedIsBounded(t *testing.T) {
	d := aDoor(t, "a", "tcp/501", "tcp/502", "tcp/503")
	d.Within = time.Hour
	w := newWorld(t, d)
	from := func(n int) string { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}).String() }
	const most = 65_536 // as docs/upgrading.md says
	const many = most + 1000
	for n := range many {
		w.now = w.now.Add(time.Millisecond)
		w.got = nil
		w.knock(from(n), "tcp/501")
	}
	c := w.e.Carry()
	if got := len(c.FirstStage) / firstStageSize; got != most || c.Oldest != 1 {
		t.Errorf("%d first-stage attempts are carried, the oldest at %d, want %d", got, c.Oldest, most)
	}
	if text, err := json.Marshal(c); err != nil || len(text) > 8<<20 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	w.restart(d)
	for n, want := range map[int]int{many - 1: 2, many - most: 2, many - most - 1: 0, 0: 0} {
		w.got = nil
		w.knock(from(n), "tcp/502")
		if got := len(w.got); got != min(want, 1) {
			t.Errorf("source %d: %v, want stage %d", n, briefs(w.got), want)
		}
	}
	if n := w.e.attempts.used; n > most+1 {
		t.Errorf("%d attempts, want at most %d", n, most)
	}
}

// A stop and a start between any two packets change nothing of what is decided.
func TestARestartBetweenAnyTwoPackets(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		set := drawCarriedSet(t, r)
		through, other := newWorld(t), newWorld(t)
		journals := map[*world]*keptJournal{through: {}, other: {}}
		worlds := []*world{through, other}
		for w := range journals {
			w.record(w.e.Swap(w.now, set))
		}
		both := func(do func(w *world) []Event) {
			for _, w := range worlds {
				journals[w].take(w, do(w))
			}
		}
		sources := []string{alice, bob, "2001:db8::7"}
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			d := rapid.SampledFrom([]time.Duration{0, time.Second, 2 * time.Second, 11 * time.Second}).Draw(r, "pause")
			source, port := rapid.SampledFrom(sources).Draw(r, "source"), rapid.SampledFrom(carriedPorts).Draw(r, "port")
			same := rapid.IntRange(0, 9).Draw(r, "again") == 0
			both(func(w *world) []Event {
				w.advance(d)
				p := w.packet(source, port)
				if same && w.sent > 1 {
					p.SourcePort, p.Sequence = p.SourcePort-1, p.Sequence-1
				}
				return w.e.Packet(&p)
			})
			if rapid.IntRange(0, 3).Draw(r, "restart") > 0 {
				continue
			}
			serial := other.e.serial
			e := other.restarted(set, journals[other].records())
			e.serial = serial // of random numbers, which a restart draws anew
			other.e = e
		}
		both(func(w *world) []Event {
			w.advance(time.Hour)
			return w.e.Tick(w.now)
		})
		if diff := gocmp.Diff(decided(through.got), decided(other.got)); diff != "" {
			r.Fatalf("without a restart, and with (-without +with):\n%s", diff)
		}
	})
}

// decided returns what people see of events.
func decided(events []Event) (all []string) {
	for _, e := range events {
		if e.Effect != EffectPersist && e.Effect != EffectElement {
			all = append(all, brief(e))
		}
	}
	return all
}

var carriedPorts = []string{"tcp/1", "tcp/2", "udp/3", "udp/4", "tcp/22"}

func drawCarriedSet(t *testing.T, r *rapid.T) *Set {
	set := &Set{Timers: []Timer{{Script: "s.lua", Name: "later", Handler: always(Log{Text: "later"}, Put{Key: "k", Value: true})}}}
	for i := range rapid.IntRange(1, 4).Draw(r, "doors") {
		d := guarding(t, aDoor(t, fmt.Sprint("door", i), rapid.SliceOfN(rapid.SampledFrom(carriedPorts[:4]), 1, 4).Draw(r, "sequence")...), "tcp/22")
		d.Script = "s.lua"
		d.Strict, d.NoteCompletions = rapid.Bool().Draw(r, "strict"), rapid.Bool().Draw(r, "noted")
		d.StepTimeout = time.Duration(rapid.IntRange(0, 2).Draw(r, "step")) * 2 * time.Second
		d.Tripwires = 20 * rapid.IntRange(0, 2).Draw(r, "tripwires")
		d.OnWrong, d.Duplicates = OnWrong(rapid.IntRange(0, 1).Draw(r, "wrong")), Duplicates(rapid.IntRange(0, 1).Draw(r, "duplicates"))
		if rapid.IntRange(0, 2).Draw(r, "group") == 0 {
			asking(inGroup(d, "group"), SYN)
			d.StepTimeout, d.Strict = 0, false
		}
		if rapid.Bool().Draw(r, "limit") {
			d.Limit = &Limit{Count: 2, Per: 20 * time.Second, PerSource: rapid.Bool().Draw(r, "per source")}
		}
		operations := []Operation{Log{Text: "ran"}}
		if rapid.Bool().Draw(r, "delay") {
			operations = append(operations, After{Delay: 3 * time.Second, Name: "later"})
		}
		if rapid.Bool().Draw(r, "functions") {
			scripted(d, HookOpen|HookMiss|HookClose, func(c *Call) (Decision, error) {
				c.Spend(300_000)
				return Decision{Operations: operations}, nil
			})
		}
		set.Doors = append(set.Doors, d)
	}
	return set
}

// A keptJournal answers all effects, and holds what a journal would.
type keptJournal struct {
	grants map[uint64]Grant
	values map[string]Record
	last   uint64
}

func (j *keptJournal) take(w *world, events []Event) {
	if j.grants == nil {
		j.grants, j.values = map[uint64]Grant{}, map[string]Record{}
	}
	events = slices.Clone(events)
	w.got = append(w.got, events...)
	for _, event := range events {
		if p := event.Persist; p != nil && p.Grant != nil {
			j.last = max(j.last, p.Grant.ID)
			if j.grants[p.Grant.ID] = *p.Grant; p.Ended {
				delete(j.grants, p.Grant.ID)
			}
		} else if p != nil && p.Store != nil {
			j.values[fmt.Sprint(p.Script, p.Source, p.Store.Key)] = *p
		}
		if event.ID != 0 {
			j.take(w, w.e.Result(w.now, event.ID, nil))
		}
	}
}

func (j *keptJournal) records() []Record {
	all := []Record{{Grant: &Grant{ID: j.last}, Ended: true}}
	for id := range j.last + 1 {
		if g, live := j.grants[id]; live {
			all = append(all, Record{Grant: &g})
		}
	}
	for _, v := range j.values {
		all = append(all, v)
	}
	return all
}

// The digest outlives the program: another one for the same rules ends all attempts at an upgrade.
func TestTheDigestOfRules(t *testing.T) {
	door := func(change func(*Door)) *Door {
		d := &Door{Name: "ssh", Sequence: []Knock{{Port: packet.Port{Proto: packet.UDP, Number: 7421}}}, Within: time.Minute}
		change(d)
		return d
	}
	plain := door(func(*Door) {})
	if got := plain.matchingDigest(); got != "91cfec4164994153d2083efed4a8ffe8" {
		t.Errorf("the digest of a door is %q", got)
	}
	for name, tt := range map[string]struct {
		change func(*Door)
		same   bool
	}{
		"another name":         {func(d *Door) { d.Name, d.TTL = "vpn", time.Hour }, true},
		"a list with nothing":  {func(d *Door) { d.Except = []packet.Port{} }, true},
		"another knock":        {func(d *Door) { d.Sequence[0].Port.Number++ }, false},
		"one knock more":       {func(d *Door) { d.Sequence = append(d.Sequence, d.Sequence[0]) }, false},
		"it listens":           {func(d *Door) { d.Listen = true }, false},
		"a policy":             {func(d *Door) { d.Policy = PolicyKnockd }, false},
		"a group":              {func(d *Door) { d.Group = "g" }, false},
		"a target":             {func(d *Door) { d.Target = netip.MustParseAddr("192.0.2.1") }, false},
		"another time":         {func(d *Door) { d.Within++ }, false},
		"a time for each step": {func(d *Door) { d.StepTimeout++ }, false},
		"a wrong knock":        {func(d *Door) { d.OnWrong++ }, false},
		"a knock twice":        {func(d *Door) { d.Duplicates++ }, false},
		"strict":               {func(d *Door) { d.Strict = true }, false},
		"an exception":         {func(d *Door) { d.Except = []packet.Port{{Proto: packet.TCP, Number: 22}} }, false},
	} {
		d := door(tt.change)
		if got := sameMatching(plain, d); got != tt.same {
			t.Errorf("%s: matches as before: %v", name, got)
		}
		if got := plain.matchingDigest() == d.matchingDigest(); got != tt.same {
			t.Errorf("%s: the same digest: %v", name, got)
		}
	}
}

// FuzzContinue gives an engine whatever a file may hold: it stays within its bounds, and decides.
func FuzzContinue(f *testing.F) {
	door := func() *Door {
		d := scripted(aDoor(f, "a", "tcp/501", "tcp/502", "tcp/503"), HookMiss, always(Log{Text: "x"}))
		d.Limit = &Limit{Count: 2, Per: time.Hour, PerSource: true}
		d.NoteCompletions = true
		return d
	}
	e := New(Config{Attempts: 10, Grants: 10}, monday)
	e.Swap(monday, &Set{Doors: []*Door{door()}})
	for i, port := range ports(f, "tcp/501", "tcp/502", "tcp/503", "tcp/501", "tcp/502", "tcp/501") {
		e.Packet(&packet.Packet{
			Time: monday, Number: i, Source: netip.MustParseAddr([]string{alice, bob}[i/5]), Dest: netip.MustParseAddr("198.51.100.1"),
			SourcePort: uint16(i), Port: port, Flags: packet.SYN, Sequence: uint32(i),
		})
	}
	text, err := json.Marshal(e.Carry())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"Now":5,"Doors":[{"Name":"a","ID":1}],"Rules":[],"Runs":[{"Door":1,"Source":"::1","Hits":[]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c Carried
		if json.Unmarshal(text, &c) != nil {
			return
		}
		w := &world{t: t, now: monday, e: New(Config{Attempts: 10, Grants: 10}, monday)}
		d := door()
		w.e.Swap(w.now, &Set{Doors: []*Door{d}})
		w.e.Continue(w.now, w.e.Recognise(c))
		if w.e.attempts.used > 10 || w.e.delayed > 10 || w.e.limits.used > 10 {
			t.Errorf("%d attempts, %d delays, %d limits", w.e.attempts.used, w.e.delayed, w.e.limits.used)
		}
		w.knock("192.0.2.77", "tcp/501", "tcp/502", "tcp/503")
		if w.tick(time.Hour); !w.e.attempts.full() && !slices.ContainsFunc(w.got, func(e Event) bool { return e.Kind == EventOpen }) && len(c.Steps)+len(c.ScriptSteps) == 0 {
			t.Errorf("it does not open: %v", briefs(w.got))
		}
	})
}
