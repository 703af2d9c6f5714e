package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

const once = "/etc/sesame/once"

// onceOnly gives a door the lines of a file: "501,502" are two datagrams. One in
// brackets is of no file.
func withSequences(t testing.TB, d *Door, lines ...string) *Door {
	d.OneTime = &OneTime{File: once}
	for _, line := range lines {
		s := OneTimeSequence{Line: line}
		if strings.HasPrefix(line, "[") {
			s.Line = ""
		}
		for port := range strings.SplitSeq(strings.Trim(line, "[]"), ",") {
			s.Knocks = append(s.Knocks, Knock{Port: ports(t, "udp/"+port)[0], Flags: d.Flags})
		}
		d.OneTime.Sequences = append(d.OneTime.Sequences, s)
	}
	return d
}

// oneTimeDoor is a door with one-time sequences.
func oneTimeDoor(t testing.TB, name, guards string, lines ...string) *Door {
	return withSequences(t, guarding(t, aDoor(t, name), guards), lines...)
}

// answer gives the latest effect of a kind its result.
func (w *world) answer(effect Effect, err error) {
	w.t.Helper()
	for i := len(w.got) - 1; i >= 0; i-- {
		if w.got[i].Effect == effect && w.got[i].ID != 0 {
			id := w.got[i].ID
			w.got = nil
			w.record(w.e.Result(w.now, id, err))
			return
		}
	}
	w.t.Fatalf("no effect %d is awaited", effect)
}

// consumedRecords returns what was persisted of one-time sequences since the last want.
func (w *world) consumedRecords() (all []string) {
	for _, event := range w.got {
		if r := event.Persist; r != nil && r.Consumed != nil && r.Ended {
			all = append(all, "commented out "+r.Consumed.Line)
		} else if r != nil && r.Consumed != nil {
			all = append(all, "used "+r.Consumed.Line)
		}
	}
	return all
}

func (w *world) wantConsumed(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.consumedRecords()); diff != "" {
		w.t.Errorf("persisted (-want +got):\n%s", diff)
	}
}

// opens reports whether knocks open something, and forgets what came of it.
func (w *world) opens(source, line string) bool {
	before := w.e.Counts().Opens
	for port := range strings.SplitSeq(line, ",") {
		w.knock(source, "udp/"+port)
	}
	w.got = nil
	return w.e.Counts().Opens > before
}

func TestEachSequenceIsUsedOnce(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "v", "tcp/22", "501,502", "503"))
	w.knock(alice, "udp/501", "udp/502")
	w.wantConsumed("used 501,502")
	w.want("0s stage v 203.0.113.9 1/2", "0s stage v 203.0.113.9 2/2", "0s effect v 203.0.113.9 consume 501,502",
		"0s open v 203.0.113.9", "0s effect v 203.0.113.9 allow #1 tcp/22 30s")
	t.Log("# it is over at once, and the next one holds")
	w.knock(bob, "udp/501", "udp/502")
	w.want()
	w.knock(bob, "udp/503")
	w.want("0s stage v 203.0.113.77 1/1", "0s effect v 203.0.113.77 consume 503", "0s open v 203.0.113.77",
		"0s effect v 203.0.113.77 allow #2 tcp/22 30s",
		"0s effect v 203.0.113.77 log (/etc/sesame/once has no sequence left, so door v cannot be opened: write new ones into it)")
	w.knock(alice, "udp/501", "udp/502", "udp/503")
	w.want()
	if c := w.e.Counts(); c.Knocks != 3 || c.Dropped[packet.NotWatched] != 5 {
		t.Errorf("counted %+v", c)
	}
}

func TestAUseIsRecordedAndThenCommentedOut(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "v", "tcp/22", "501", "502"))
	w.knock(alice, "udp/501")
	consumed, allow := w.got[1], w.got[4]
	if consumed.Effect != EffectConsume || consumed.Decision != consumed.ID || allow.Decision != consumed.ID || allow.Effect != EffectAllow {
		t.Errorf("what is given does not hang on what is written down: %+v\n%+v", consumed, allow)
	}
	w.answer(EffectConsume, nil)
	w.want("0s effect v 203.0.113.9 comment out 501")
	w.record(w.e.Result(w.now, allow.ID, nil))
	w.want()
	if n := w.e.Unanswered(); n != 1 {
		t.Errorf("%d effects are awaited", n)
	}
	w.record(w.e.Result(w.now, allow.ID+1, nil))
	w.wantConsumed("commented out 501")
	if w.e.Unanswered() != 0 || len(w.e.oneTime.pending) != 0 || w.e.OneTimeChanges() != 2 {
		t.Errorf("%d awaited, pending %v, %d changes", w.e.Unanswered(), w.e.oneTime.pending, w.e.OneTimeChanges())
	}
}

func TestAJournalThatCannotBeWrittenGivesNothing(t *testing.T) {
	notify := Exec{Argv: []string{"/bin/notify"}, Timeout: time.Second}
	w := newWorld(t, scripted(oneTimeDoor(t, "v", "tcp/22", "501", "502"), HookOpen, always(Allow{}, mount, notify)))
	w.knock(alice, "udp/501")
	w.answer(EffectConsume, errNo)
	w.want("0s failed v 203.0.113.9 consume (exit status 1)",
		"0s close v 203.0.113.9 #1 tcp/22 failed", "0s close v 203.0.113.9 #2 failed", "0s effect v 203.0.113.9 comment out 501")
	t.Log("# it was seen on the wire, so it is used all the same; the file remembers it")
	if w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("the used one opens, or the next does not")
	}
}

func TestAFailedCommentingOutIsReportedAndStaysPending(t *testing.T) {
	d := oneTimeDoor(t, "v", "tcp/22", "501", "502", "503")
	w := newWorld(t, d)
	w.knock(alice, "udp/501")
	w.answer(EffectConsume, nil)
	w.answer(EffectCommentOut, errNo)
	w.want("0s failed v 203.0.113.9 comment out (exit status 1)")
	t.Log("# a reload finds the line in the file, and it stays used")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{d}}))
	if w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("a reload brought the sequence back")
	}
}

func TestAttemptsInAUsedSequenceAreOver(t *testing.T) {
	heard := ""
	v := scripted(oneTimeDoor(t, "v", "tcp/22", "501,502,503", "501,502,504"), HookMiss, func(m *Call) (Decision, error) {
		heard += fmt.Sprint(m.Source, " ", m.Stage, " of ", m.Stages, " ", m.Reason, ";")
		return Decision{}, nil
	})
	w := newWorld(t, v)
	w.knock(bob, "udp/501", "udp/502")
	w.knock("203.0.113.5", "udp/501")
	w.knock(alice, "udp/501", "udp/502")
	w.got = nil
	w.knock(alice, "udp/503")
	w.want("0s stage v 203.0.113.9 3/3", "0s effect v 203.0.113.9 consume 501,502,503", "0s open v 203.0.113.9",
		"0s effect v 203.0.113.9 allow #1 tcp/22 30s", "0s miss v 203.0.113.77 2/3 used")
	if heard != "203.0.113.77 2 of 3 used;" {
		t.Errorf("the script heard %q", heard)
	}
	t.Log("# not even a first knock counts for the next one, though it begins alike")
	w.knock("203.0.113.5", "udp/502", "udp/504")
	w.knock(bob, "udp/504")
	w.want()
	if !w.opens(bob, "501,502,504") {
		t.Error("the next sequence does not open")
	}
}

func TestARefusalConsumesTheSequence(t *testing.T) {
	v := scripted(oneTimeDoor(t, "v", "tcp/22", "501", "502"), HookOpen, func(*Call) (Decision, error) { return Decision{Refused: true, Verdict: Verdict{Detail: "no"}}, nil })
	v.Limit = &Limit{Count: 1, Per: time.Hour, Text: "1/h"}
	w := newWorld(t, v)
	w.knock(alice, "udp/501", "udp/502")
	w.want("0s stage v 203.0.113.9 1/1", "0s effect v 203.0.113.9 consume 501", "0s refuse v 203.0.113.9 when (no)",
		"0s stage v 203.0.113.9 1/1", "0s effect v 203.0.113.9 consume 502", "0s refuse v 203.0.113.9 limit (1/h)",
		"0s effect v 203.0.113.9 log (/etc/sesame/once has no sequence left, so door v cannot be opened: write new ones into it)")
}

func TestTwoDoorsOfOneFileShareIt(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "a", "tcp/22", "501,502,503", "511,512"), oneTimeDoor(t, "b", "tcp/80", "501,502,503", "511,512"))
	w.knock(alice, "udp/501", "udp/502")
	w.got = nil
	t.Log("# the first door has it, and the other, whose sequence it was as well, not any more")
	w.knock(alice, "udp/503")
	w.want("0s stage a 203.0.113.9 3/3", "0s effect a 203.0.113.9 consume 501,502,503", "0s open a 203.0.113.9",
		"0s effect a 203.0.113.9 allow #1 tcp/22 30s", "0s miss b 203.0.113.9 2/3 used")
	for id := uint64(1); w.e.Unanswered() > 0; id++ {
		w.record(w.e.Result(w.now, id, nil))
	}
	w.wantConsumed("commented out 501,502,503")
	if w.opens(bob, "501,502,503") || !w.opens(bob, "511,512") || w.opens(bob, "511,512") {
		t.Error("the two do not go on alike")
	}
}

func TestTwoDoorsOfAGroupShareAFile(t *testing.T) {
	a, b := inGroup(oneTimeDoor(t, "a", "tcp/22", "501,502", "511"), "k"), inGroup(oneTimeDoor(t, "b", "tcp/80", "501,502", "511"), "k")
	w := newWorld(t, a, b)
	w.knock(bob, "udp/501")
	w.knock(alice, "udp/501", "udp/502")
	w.want("0s stage a 203.0.113.77 1/2", "0s stage b 203.0.113.77 1/2",
		"0s stage a 203.0.113.9 1/2", "0s stage b 203.0.113.9 1/2",
		"0s stage a 203.0.113.9 2/2", "0s effect a 203.0.113.9 consume 501,502", "0s open a 203.0.113.9", "0s effect a 203.0.113.9 allow #1 tcp/22 30s")
	w.knock(bob, "udp/502", "udp/511")
	w.want("0s stage a 203.0.113.77 1/1", "0s effect a 203.0.113.77 consume 511", "0s open a 203.0.113.77", "0s effect a 203.0.113.77 allow #2 tcp/22 30s",
		"0s effect a 203.0.113.77 log (/etc/sesame/once has no sequence left, so door a cannot be opened: write new ones into it)",
		"0s effect b 203.0.113.77 log (/etc/sesame/once has no sequence left, so door b cannot be opened: write new ones into it)")
}

func TestALineThatIsThereTwiceIsUsedTwice(t *testing.T) {
	d := oneTimeDoor(t, "v", "tcp/22", "501", "501", "502")
	w := newWorld(t, d)
	w.knock(alice, "udp/501")
	w.answer(EffectConsume, nil)
	t.Log("# a reload before it is marked, and one after")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{d}}))
	w.answer(EffectCommentOut, nil)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{oneTimeDoor(t, "v", "tcp/22", "501", "502")}}))
	if !w.opens(alice, "501") || w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("the line was not used twice, or once more")
	}
}

func TestADoorThatAppearsLater(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "v", "tcp/22", "501", "502", "503"))
	w.knock(alice, "udp/501")
	late := oneTimeDoor(t, "late", "tcp/80", "501", "502", "503")
	t.Log("# its file was read before the line was marked")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{late}}))
	if w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("a line that another door used opens it")
	}
}

func TestPendingLinesAreCommentedOutAfterARestart(t *testing.T) {
	for _, doorsFirst := range []bool{true, false} {
		w := newWorld(t)
		set := &Set{Doors: []*Door{oneTimeDoor(t, "v", "tcp/22", "501", "502"), oneTimeDoor(t, "other", "tcp/80", "601")}}
		set.Doors[1].OneTime.File = "/another"
		records := []Record{{Consumed: &Consumed{once, "501"}}, {Consumed: &Consumed{"/gone", "9"}}, {Consumed: &Consumed{once, "7"}, Ended: true}}
		want := []string{"0s effect v invalid IP comment out 501", "0s effect  invalid IP comment out 9"}
		if doorsFirst {
			w.record(w.e.Swap(w.now, set))
			w.record(w.e.Restore(w.now, records))
		} else {
			w.record(w.e.Restore(w.now, records))
			w.record(w.e.Swap(w.now, set))
			want[0] = "0s effect  invalid IP comment out 501"
		}
		ids := []uint64{w.got[0].ID, w.got[1].ID}
		w.want(want...)
		if w.opens(alice, "501") || !w.opens(alice, "502") || !w.opens(alice, "601") {
			t.Error("what was used before opens again, or more than that is lost")
		}
		for _, id := range ids {
			w.record(w.e.Result(w.now, id, nil))
		}
		w.wantConsumed("commented out 501", "commented out 9")
		if w.e.HasPendingUndo() {
			t.Error("a mark is no undo")
		}
	}
}

func TestAnAttemptMeetsARestoredUse(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "v", "tcp/22", "501,502,503"))
	w.knock(alice, "udp/501", "udp/502")
	w.got = nil
	w.record(w.e.Restore(w.now, []Record{{Consumed: &Consumed{once, "501,502,503"}}}))
	w.want("0s effect v invalid IP comment out 501,502,503", "0s miss v 203.0.113.9 2/3 used",
		"0s effect v invalid IP log (/etc/sesame/once has no sequence left, so door v cannot be opened: write new ones into it)")
}

func TestAnObservedDoorCommentsNothingOut(t *testing.T) {
	dry, wet := oneTimeDoor(t, "dry", "tcp/22", "501", "502"), oneTimeDoor(t, "wet", "tcp/80", "501", "502")
	dry.Observe = true
	w := newWorld(t, dry, wet)
	w.knock(alice, "udp/501")
	w.wantConsumed("used 501")
	w.want("0s stage dry 203.0.113.9 1/1", "0s open dry 203.0.113.9", "0s effect dry 203.0.113.9 allow #1 tcp/22 30s",
		"0s stage wet 203.0.113.9 1/1", "0s effect wet 203.0.113.9 consume 501", "0s open wet 203.0.113.9", "0s effect wet 203.0.113.9 allow #2 tcp/80 30s")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{dry}}))
	w.knock(alice, "udp/501", "udp/502")
	w.want("0s stage dry 203.0.113.9 1/1", "0s open dry 203.0.113.9", "0s effect dry 203.0.113.9 allow #1 tcp/22 30s",
		"0s effect dry 203.0.113.9 log (/etc/sesame/once has no sequence left, so door dry cannot be opened: write new ones into it)")
	t.Log("# in memory it goes on, until the door is in earnest")
	same := *dry
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{&same}}))
	if w.opens(alice, "502") {
		t.Error("a reload brings back what was observed")
	}
	same.Observe = false
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{&same}}))
	if w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("the file does not decide what is in earnest")
	}
}

func TestASequenceOfNoFile(t *testing.T) {
	d := oneTimeDoor(t, "v", "tcp/22", "[500]", "501")
	w := newWorld(t, d, oneTimeDoor(t, "w", "tcp/80", "501"))
	w.knock(alice, "udp/500")
	w.wantConsumed()
	w.want("0s stage v 203.0.113.9 1/1", "0s open v 203.0.113.9", "0s effect v 203.0.113.9 allow #1 tcp/22 30s")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{d}}))
	if w.opens(alice, "500") || !w.opens(alice, "501") {
		t.Error("a reload brings it back")
	}
	t.Log("# another in its place is new")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{oneTimeDoor(t, "v", "tcp/22", "[499]", "501")}}))
	if !w.opens(alice, "499") {
		t.Error("it is not")
	}
}

func TestAnEmptyListIsLegal(t *testing.T) {
	d := oneTimeDoor(t, "v", "tcp/22")
	d.Strict = true
	empty := oneTimeDoor(t, "e", "tcp/22")
	empty.OneTime.Sequences = []OneTimeSequence{{Line: "odd"}}
	w := newWorld(t, d, inGroup(oneTimeDoor(t, "k", "tcp/22"), "k"), empty)
	w.knock(alice, "udp/501", "tcp/22")
	w.want()
	if watch := (&Set{Doors: []*Door{oneTimeDoor(t, "v", "tcp/22", "501", "502,503")}}).Interest(); len(watch.UDP) != 3 {
		t.Errorf("the kernel is to pass %v", watch.UDP)
	}
}

func TestWhatIsUsedStaysUsedWhenTheRestIsRefused(t *testing.T) {
	w := newWorld(t, oneTimeDoor(t, "v", "tcp/22", "501", "502"))
	w.knock(alice, "udp/501")
	consumed := w.got[1].ID
	t.Log("# the runner has no room for the allow, and says so first")
	w.answer(EffectAllow, errNo)
	w.want("0s failed v 203.0.113.9 allow #1 tcp/22 (exit status 1)", "0s close v 203.0.113.9 #1 tcp/22 failed")
	w.record(w.e.Result(w.now, consumed, nil))
	w.want("0s effect v 203.0.113.9 comment out 501")
}

func TestAStateHoldsWhatWasUsed(t *testing.T) {
	set := &Set{Doors: []*Door{oneTimeDoor(t, "v", "tcp/22", "[500]", "501", "502", "503"), oneTimeDoor(t, "dry", "tcp/80", "501", "502")}}
	set.Doors[1].Observe = true
	w := newWorld(t)
	w.record(w.e.Swap(w.now, set))
	w.knock(alice, "udp/500", "udp/501")
	consumed := w.got[len(w.got)-2]
	for _, event := range w.got {
		if event.Effect == EffectConsume {
			consumed = event
		}
	}
	var err error
	if w.e, err = Resume(Config{}, w.e.State(), set); err != nil {
		t.Fatal(err)
	}
	w.got = nil
	w.record(w.e.Result(w.now, consumed.ID, nil))
	w.want("0s effect v 203.0.113.9 comment out 501")
	w.record(w.e.Swap(w.now, set))
	if w.opens(alice, "500") || w.opens(alice, "501") || !w.opens(alice, "502") {
		t.Error("the state forgets what was used")
	}
	for name, harm := range map[string]func(*State){
		"a use of nothing":    func(s *State) { s.Doors[0].Used = append(s.Doors[0].Used, "504") },
		"a negative count":    func(s *State) { s.Consumed[0].Count = -1 },
		"a use of no one":     func(s *State) { s.Doors[1].Used = []wire.Text{"501", "501"} },
		"an unknown effect":   func(s *State) { s.Batches[0].Effects[0].Effect = uint8(EffectTest) },
		"a number of a door":  func(s *State) { s.Doors[0].ID = 0 },
		"no such door at all": func(s *State) { s.Doors[0].Name = "z" },
	} {
		s := w.e.State()
		harm(s)
		if _, err := Resume(Config{}, s, set); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A command that ran and failed counts as done where that is wanted.
func TestAnyStatus(t *testing.T) {
	start := Exec{Argv: []string{"/bin/start"}, Undo: []string{"/bin/stop"}, TTL: time.Minute, Timeout: time.Second, AnyStatus: true, Required: true}
	ran := &CommandError{Status: 3, Text: "exit status 3"}
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, start, Allow{Ports: ports(t, "tcp/80")})))
	w.knock(alice, "udp/501")
	ids := w.takeAwaited()
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[1], ran))
	if failed := w.got[0]; !failed.Ran || failed.Status != 3 {
		t.Errorf("told %+v", failed)
	}
	w.record(w.e.Result(w.now, ids[2], nil))
	w.want("0s failed a 203.0.113.9 exec #2 (exit status 3)")
	w.tick(time.Minute)
	undo := w.got[len(w.got)-1]
	if undo.Effect != EffectUndo || !undo.AnyStatus {
		t.Fatalf("the undo is %+v", undo)
	}
	w.got = nil
	t.Log("# an undo too, which is not pending then")
	w.record(w.e.Result(w.now, undo.ID, ran))
	if r := w.got[1].Persist; r == nil || !r.Ended || r.Grant.ID != 2 {
		t.Errorf("after the undo: %s", brief(w.got[1]))
	}
	w.got = nil

	t.Log("# one that did not run fails as ever")
	w.knock(alice, "udp/501")
	ids = w.takeAwaited()
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[1], errNo))
	w.want("1m0s failed a 203.0.113.9 exec #5 (exit status 1)", "1m0s close a 203.0.113.9 #5 failed",
		"1m0s close a 203.0.113.9 #6 tcp/80 failed", "1m0s close a 203.0.113.9 #4 tcp/22 failed")

	t.Log("# and where nothing is said of it, one that ran and failed does too, and tells its status")
	strict := start
	strict.AnyStatus = false
	w = newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(strict)))
	w.knock(alice, "udp/501")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], &CommandError{Status: -1, Text: "killed"}))
	if failed := w.got[0]; !failed.Ran || failed.Status != -1 {
		t.Errorf("told %+v", failed)
	}
	w.want("0s failed a 203.0.113.9 exec #1 (killed)", "0s close a 203.0.113.9 #1 failed")
}
