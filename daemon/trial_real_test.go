package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

const (
	triedDoor  = `sesame.door "d" { sequence = { "tcp/1", "tcp/2" }, tripwires = 0, guards = "tcp/22" }`
	otherDoor  = `sesame.door "d" { sequence = { "tcp/3", "tcp/4" }, tripwires = 0, guards = "tcp/22" }`
	thirdDoor  = `sesame.door "d" { sequence = { "tcp/5", "tcp/6" }, tripwires = 0, guards = "tcp/22" }`
	longerDoor = `sesame.door "d" { sequence = { "tcp/1", "tcp/2" }, tripwires = 0, guards = "tcp/22", ttl = "9h" }`
)

// A trying is a reloader that tries sets, and what it saved.
type trying struct {
	*reloading
	saves   []saved
	failing error      // of each save
	later   chan error // how a save ended that took long
}

type saved struct {
	inForce
	held *state.Held
}

func newTrying(t *testing.T, script string, files map[string]string) *trying {
	w := &trying{reloading: newReloading(t, script, files)}
	w.r.save = func(f inForce, held *state.Held) error {
		if w.failing == nil {
			w.saves = append(w.saves, saved{f, held})
		}
		return w.failing
	}
	w.later = make(chan error, 1)
	w.r.saved = w.later
	return w
}

func (w *trying) ask(asked wish) outcome { w.Helper(); return w.r.handle(w.Context(), asked) }

// confirm confirms the trial that runs.
func (w *trying) confirm(why string) outcome {
	w.Helper()
	began := time.Time{}
	if w.r.trial != nil {
		began = w.r.trial.told.began
	}
	return w.ask(wish{confirm: why, began: began})
}

func (w *trying) try() outcome { w.Helper(); return w.ask(wish{trial: time.Hour}) }

// last returns what was saved last, as the text of its script, and why files are held.
func (w *trying) last() (text, held string) {
	w.Helper()
	if len(w.saves) == 0 {
		return "", ""
	}
	s := w.saves[len(w.saves)-1]
	if s.held != nil {
		held = s.held.Why
	}
	return string(s.set.Files[0].Source), held
}

func (w *trying) wantSaved(text, held string) {
	w.Helper()
	if gotText, gotHeld := w.last(); gotText != text || gotHeld != held {
		w.Errorf("saved: %q, held %q, want %q, held %q", gotText, gotHeld, text, held)
	}
}

func (w *trying) wantRefused(o outcome, text string) {
	w.Helper()
	if o.refused() == nil || !strings.Contains(o.refused().Error(), text) {
		w.Errorf("%+v is not refused because of %q", o, text)
	}
}

// A set on trial is in force and not saved. The set before returns, and its files wait.
func TestRealTrialReturns(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 1) // it waits
	o := w.try()
	w.wantOutcome(o, control.Applied, 2)
	if o.trial == nil || !slices.Equal(o.trial.doors, []string{"d"}) || o.trial.ends.Sub(o.trial.began) != time.Hour {
		t.Errorf("the trial: %+v", o.trial)
	}
	w.wantSaved(triedDoor, "trial")
	w.knock(1, 2, 3, 4)
	w.wantOpened("d")

	t.Log("# neither other files nor a reload are put in force meanwhile")
	w.wantRefused(w.ask(wish{}), "a trial runs")
	w.script(thirdDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.wantOutcome(w.ask(wish{signal: true}), control.Unchanged, 2)
	w.script(otherDoor)

	w.failing = errors.New("the disk is gone") // which a return does not need
	got, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.failing = nil
	w.wantOutcome(got, control.Held, 3, notConfirmed)
	if got.hold != control.HeldByTrial || got.trial.state != control.TrialReturned {
		t.Errorf("%+v", got)
	}
	w.knock(3, 4, 1, 2)
	w.wantOpened("d")
	w.wantSaved(triedDoor, "trial")
	if len(w.saves) != 1 {
		t.Errorf("%d saves: the return must need no disk", len(w.saves))
	}

	t.Log("# the files wait, in auto mode too, and a SIGHUP changes nothing")
	w.r.manual = false
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	w.wantOutcome(w.ask(wish{signal: true}), control.Unchanged, 3)
	w.script(`sesame.door "d" {`)
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	w.script(otherDoor) // back again, which nobody confirmed
	w.wantOutcome(w.hint(), control.Unchanged, 3)

	t.Log("# a person puts them in force")
	w.wantOutcome(w.ask(wish{}), control.Applied, 4)
	w.wantSaved(otherDoor, "")
	w.wantRefused(w.confirm("x"), "no trial runs")
	w.wantRefused(w.ask(wish{giveUp: true}), "no trial runs")
}

// What is saved during a trial waits with what was tried: whoever saved it may be locked out. So
// does a change of tests alone. What is saved after its end is put in force in auto mode.
func TestRealOtherFilesInATrial(t *testing.T) {
	for name, save := range map[string]func(*trying){
		"other scripts": func(w *trying) { w.script(thirdDoor) },
		"a test":        func(w *trying) { writeFile(w, w.dir+"/zz_test.lua", "-- a note\n") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTrying(t, triedDoor, nil)
			w.r.manual = true
			w.script(otherDoor)
			w.wantOutcome(w.try(), control.Applied, 2)
			w.r.manual = false
			for range 2 {
				save(w)
				w.wantOutcome(w.hint(), control.Unchanged, 2)
			}
			if n := strings.Count(w.log.String(), "wait for its end"); n != 1 {
				t.Errorf("told %d times", n)
			}
			if held := w.saves[len(w.saves)-1].held; held == nil || !held.Running {
				t.Errorf("a start puts the files in force: %+v", held)
			}
			_, err := w.r.endTrial(t.Context(), notConfirmed)
			must(t, err)
			if len(w.r.hints) != 1 {
				t.Error("nobody looks at the files after the end")
			}
			w.wantOutcome(w.ask(wish{signal: true}), control.Unchanged, 3)
			w.wantOutcome(w.hint(), control.Unchanged, 3)
			if held := w.saves[len(w.saves)-1].held; held == nil || held.Running || held.Why != "trial" {
				t.Errorf("saved: %+v", held)
			}
			w.knock(3, 4, 5, 6)
			w.wantOpened()
			w.script(longerDoor)
			w.wantOutcome(w.hint(), control.Unchanged, 3) // it waits, too
			w.script(triedDoor)
			must(t, os.RemoveAll(w.dir+"/zz_test.lua"))
			w.wantOutcome(w.hint(), control.Unchanged, 3) // what is in force
			w.wantSaved(triedDoor, "")
			w.script(longerDoor)
			w.wantOutcome(w.hint(), control.Applied, 4)
		})
	}
}

// What waited for the end of a trial is put in force when it is confirmed.
func TestRealOtherFilesAfterAConfirmedTrial(t *testing.T) {
	w := newTrying(t, triedDoor, map[string]string{"a.lua": otherDoor})
	w.wantOutcome(w.ask(wish{from: w.out, trial: time.Hour}), control.Applied, 2)
	w.script(thirdDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.wantOutcome(w.confirm("x"), control.Applied, 2)
	w.wantOutcome(w.hint(), control.Unchanged, 2) // scripts from elsewhere are in force
	w.wantOutcome(w.ask(wish{trial: time.Hour}), control.Applied, 3)
	w.script(longerDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	w.wantOutcome(w.confirm("x"), control.Applied, 3)
	w.wantOutcome(w.hint(), control.Applied, 4)
}

// A confirmation is of the trial that was looked at.
func TestRealConfirmOfAnotherTrial(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual, w.r.requests = true, make(chan request)
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.l.do(t.Context(), func() { w.r.onTrial.boot -= time.Hour }) // it began an hour ago
	d := &daemon{loop: w.l, reloader: w.r}
	age := control.Duration(30 * time.Minute)
	done := make(chan error, 1)
	go func() {
		_, err := d.confirm(t.Context(), control.ConfirmRequest{SessionAge: &age, Session: "sshd"})
		done <- err
	}()
	q := <-w.r.requests // its age was compared; meanwhile another trial begins
	w.script(thirdDoor)
	w.wantOutcome(w.try(), control.Applied, 3)
	q.answer <- w.r.handle(t.Context(), q.wish)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "another trial began") {
		t.Errorf("a session from before the trial confirmed it: %v", err)
	}
}

// Files that differ from those on trial in tests alone get more time, too.
func TestRealMoreTimeForOtherTests(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	ends := w.r.trial.told.ends
	w.tests(`sesame.test "opens" { { knock = "d", opens = "d" } }`)
	o := w.ask(wish{trial: 2 * time.Hour})
	w.wantOutcome(o, control.Unchanged, 2)
	if o.trial == nil || !o.trial.ends.After(ends) || !w.r.trial.told.ends.Equal(o.trial.ends) {
		t.Errorf("%+v", o.trial)
	}
}

// Neither tests nor another trial hold up the end of one.
func TestRealTrialEndsBeforeTests(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	run := w.r.gate.run
	w.r.gate.run = func(ctx context.Context, c suite.Config) *suite.Report {
		w.r.trial.told.ends = w.l.clock.now()
		<-ctx.Done() // as tests that take long
		return run(ctx, c)
	}
	w.script(thirdDoor)
	w.tests(`sesame.test "opens" { { knock = "d", opens = "d" } }`)
	w.r.gate.budget = 20 * time.Millisecond
	w.wantRefused(w.try(), errTrialOver.Error())
	if w.r.trial != nil || w.r.last.trial.state != control.TrialReturned {
		t.Errorf("%+v", w.r.last)
	}
	w.knock(1, 2)
	w.wantOpened("d")
}

func TestRealTrialConfirmed(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	o := w.confirm("sesame confirm")
	w.wantOutcome(o, control.Applied, 2)
	if o.trial.state != control.TrialConfirmed || o.trial.why != "sesame confirm" || w.r.trial != nil || w.r.trialOver() != nil {
		t.Errorf("%+v", o.trial)
	}
	w.wantSaved(otherDoor, "")
	w.wantRefused(w.confirm("twice"), "no trial runs")
	w.wantOutcome(w.ask(wish{}), control.Unchanged, 2)
	w.knock(3, 4)
	w.wantOpened("d")
}

// A trial in a trial: the set that returns is the one before the first.
func TestRealTrialInATrial(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	first := w.r.trial

	t.Log("# the same again gives more time")
	o := w.ask(wish{trial: 2 * time.Hour})
	w.wantOutcome(o, control.Unchanged, 2)
	if w.r.trial != first || o.trial == nil || !o.trial.ends.After(first.told.began.Add(time.Hour)) {
		t.Errorf("%+v", o.trial)
	}

	t.Log("# one that is rejected changes nothing")
	w.script(`sesame.door "d" {`)
	w.wantOutcome(w.try(), control.Rejected, 2)
	if w.r.trial != first {
		t.Error("the trial is another")
	}

	w.script(thirdDoor)
	w.wantOutcome(w.try(), control.Applied, 3)
	w.wantSaved(triedDoor, "trial")
	w.knock(5, 6)
	w.wantOpened("d")
	o = w.ask(wish{giveUp: true})
	w.wantOutcome(o, control.Applied, 4)
	if o.trial.state != control.TrialReturned || w.r.last.kind != control.Held {
		t.Errorf("%+v, and last %+v", o, w.r.last)
	}
	w.knock(1, 2)
	w.wantOpened("d")
	if w.l.proof != nil || w.r.onTrial != nil {
		t.Error("something of the trial is left")
	}
	w.wantOutcome(w.hint(), control.Unchanged, 4)
}

// A trial whose set before is not on the disk does not begin, and nothing is left of it.
func TestRealTrialNeedsTheState(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual, w.failing = true, errors.New("no space left")
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Rejected, 1, "no space left", "a trial needs")
	if w.r.trial != nil || w.l.proof != nil || w.r.held != nil {
		t.Error("something of the trial is left")
	}
	w.knock(1, 2)
	w.wantOpened("d")
	w.failing = nil
	w.wantOutcome(w.try(), control.Applied, 2)
}

// A save that takes long is waited for: before its end a crash would not return to the set before.
func TestRealTrialWaitsForTheState(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.failing = errSaveRuns
	w.later <- errors.New("the disk is broken")
	w.wantOutcome(w.try(), control.Rejected, 1, "the disk is broken")
	w.later <- nil
	w.wantOutcome(w.try(), control.Applied, 2)
}

// A reload with the same files tries nothing.
func TestRealNothingToTry(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	if o := w.try(); o.kind != control.Unchanged || o.trial != nil || w.r.trial != nil || len(w.saves) > 0 {
		t.Errorf("%+v", o)
	}
}

// proofs returns why a trial is proved; "": it is not.
func (w *trying) proofs() (why string) {
	w.Helper()
	w.l.do(w.Context(), func() {}) // results may be waiting
	w.until("effects are done", func() bool {
		n := 1
		w.l.do(w.Context(), func() { w.l.results(); n = w.l.engine.Unanswered() })
		return n == 0
	})
	select {
	case why = <-w.r.proofOfTrial():
	default:
	}
	return why
}

// An opening of a changed door proves a trial, if all of its packets are of the trial.
func TestRealTrialProved(t *testing.T) {
	w := newTrying(t, triedDoor+` sesame.door "same" { sequence = { "tcp/8", "tcp/9" }, tripwires = 0 }`, nil)
	w.r.manual = true
	w.knock(1) // an attempt that lives on: the sequence stays as it is
	w.script(longerDoor + ` sesame.door "same" { sequence = { "tcp/8", "tcp/9" }, tripwires = 0 }`)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.knock(2)
	w.wantOpened("d")
	if why := w.proofs(); why != "" {
		t.Errorf("an attempt from before proves it: %s", why)
	}
	w.knock(8, 9)
	w.wantOpened("same")
	if why := w.proofs(); why != "" {
		t.Errorf("a door that did not change proves it: %s", why)
	}
	w.knock(1, 2)
	w.wantOpened("d")
	if why := w.proofs(); why != "door d was opened from 203.0.113.9" {
		t.Errorf("proved: %q", why)
	}
}

// A door of one knock is opened by any scan, and one that observes opens nothing.
func TestRealTrialNotProved(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(`sesame.door "d" { sequence = { "tcp/1", "tcp/2" }, tripwires = 0, guards = "tcp/22", mode = "observe", ttl = "9h" }
sesame.door "bell" { sequence = { "tcp/3" }, ports = "tcp/80", on_open = function(a) a:allow { port = "tcp/80" } end }`)
	o := w.ask(wish{trial: time.Hour, unguard: []packet.Port{{Proto: packet.TCP, Number: 22}}})
	w.wantOutcome(o, control.Applied, 2)
	if len(o.trial.doors) > 0 {
		t.Errorf("doors %q", o.trial.doors)
	}
	w.knock(1, 2, 3)
	w.wantOpened("d", "bell")
	if why := w.proofs(); why != "" {
		t.Errorf("proved: %s", why)
	}
}

// The run of a reloader confirms what is proved, and ends what is not.
func TestRealTrialsEndByThemselves(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.r.requests = make(chan request)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.r.run(ctx) }()
	defer func() {
		cancel()
		must(t, <-ended)
	}()
	last := func() (o outcome) {
		w.l.do(t.Context(), func() { o = w.r.last })
		return o
	}
	try := func(d time.Duration, generation int) {
		t.Helper()
		o, err := w.r.request(t.Context(), wish{trial: d})
		must(t, err)
		w.wantOutcome(o, control.Applied, generation)
	}
	w.script(otherDoor)
	try(time.Hour, 2)
	w.knock(3, 4)
	w.until("the opening confirms", func() bool { o := last(); return o.trial != nil && o.trial.state == control.TrialConfirmed })
	w.script(thirdDoor)
	try(time.Millisecond, 3)
	w.until("the time is over", func() bool { o := last(); return o.trial != nil && o.trial.state == control.TrialReturned })
	if o := last(); o.generation != 4 || o.trial.why != notConfirmed {
		t.Errorf("%+v", o)
	}
	w.opened = nil
	w.knock(3, 4)
	w.wantOpened("d")
}

// A disk that hangs holds up no return.
func TestRealTrialEndsWhileTheDiskHangs(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.ask(wish{trial: time.Millisecond}), control.Applied, 2)
	read, answers := w.r.read, make(chan struct{})
	w.r.read = func(ctx context.Context, from string, loaded *source.Files, named []string) (*source.Files, error) {
		<-answers
		return read(ctx, from, loaded, named)
	}
	w.wantRefused(w.try(), errTrialOver.Error())
	close(answers)
	w.knock(1, 2)
	w.wantOpened("d")
	if w.r.trial != nil || w.r.last.trial.state != control.TrialReturned {
		t.Errorf("%+v", w.r.last)
	}
}

// When the kernel refuses what the set before needs, another try follows.
func TestRealTrialReturnsLate(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	before := w.r.trial.before.set
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	busy, free := make(chan struct{}), make(chan struct{})
	go w.l.do(t.Context(), func() { close(busy); <-free }) // else the loop may be as fast as ctx
	<-busy
	_, err := w.r.endTrial(ctx, notConfirmed)
	close(free)
	if !errors.Is(err, errStopping) || w.r.trial == nil {
		t.Fatalf("a daemon that is stopping: %v", err)
	}
	_, err = w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	if w.l.set != before {
		t.Error("the set is not the one from before")
	}
}

// A one-time sequence that is used during a trial stays used when the set before returns.
func TestRealTrialKeepsUsedSequences(t *testing.T) {
	w := newTrying(t, onceScript, map[string]string{"once": "1,2\n3,4\n"})
	w.r.manual = true
	w.script(onceScript + ` sesame.door "e" { sequence = { "tcp/7", "tcp/8" }, tripwires = 0 }`)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.knock(1, 2)
	w.marked("once", "#,2\n3,4\n", 2)
	w.opened = nil
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.knock(1, 2)
	w.wantOpened()
	w.knock(3, 4)
	if len(w.opened) != 1 {
		t.Errorf("%q opened by the next sequence", w.opened)
	}
}

// When such a set does not load again, its doors with one-time sequences are shut, and the others
// are there.
func TestRealTrialWithoutALoad(t *testing.T) {
	w := newTrying(t, onceScript+` sesame.door "plain" { sequence = { "tcp/7", "tcp/8" }, tripwires = 0 }`, map[string]string{"once": "1,2\n3,4\n"})
	w.r.manual = true
	w.script(onceScript + ` sesame.door "plain" { sequence = { "tcp/7", "tcp/9" }, tripwires = 0 }`)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.knock(1, 2)
	w.marked("once", "#,2\n3,4\n", 2)
	w.opened = nil
	w.r.load = func(*source.Files, map[string]string) (*scripting.Set, error) { return nil, errors.New("no memory") }
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.logged("no memory")
	w.knock(1, 2, 3, 4)
	w.wantOpened()
	w.knock(7, 8)
	w.wantOpened("plain")
}

// Scripts from elsewhere are in force until the files of the configuration change or a person asks.
func TestRealFromElsewhere(t *testing.T) {
	w := newTrying(t, triedDoor, map[string]string{"a.lua": otherDoor})
	o := w.ask(wish{from: w.out})
	w.wantOutcome(o, control.Applied, 2)
	w.wantSaved(otherDoor, "from")
	if w.r.from != w.out || w.saves[0].from != w.out {
		t.Errorf("from %q, saved %q", w.r.from, w.saves[0].from)
	}
	w.knock(3, 4)
	w.wantOpened("d")
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.wantOutcome(w.ask(wish{from: w.out}), control.Unchanged, 2)

	t.Log("# a change there is not seen, one of the configuration waits")
	writeFile(t, filepath.Join(w.out, "a.lua"), thirdDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.script(longerDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.wantOutcome(w.ask(wish{}), control.Applied, 3)
	w.wantSaved(longerDoor, "")
	if w.r.from != "" {
		t.Errorf("from %q", w.r.from)
	}

	t.Log("# a person goes back to the configuration")
	w.wantOutcome(w.ask(wish{from: w.out}), control.Applied, 4)
	w.wantOutcome(w.ask(wish{}), control.Applied, 5)
	w.wantSaved(longerDoor, "")

	t.Log("# the same in both places, written where the configuration has it")
	w.wantOutcome(w.ask(wish{from: w.out}), control.Applied, 6)
	w.script(thirdDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 6)
	w.wantSaved(thirdDoor, "")
	if w.r.from != "" || w.r.held != nil {
		t.Errorf("from %q, held %v", w.r.from, w.r.held)
	}

	t.Log("# there is nothing")
	w.wantOutcome(w.ask(wish{from: w.out + "/none"}), control.Rejected, 6, "no such file")
	if w.r.last.kind == control.Rejected {
		t.Error("the status says that the scripts are wrong")
	}
	must(t, os.Remove(filepath.Join(w.out, "a.lua")))
	w.wantOutcome(w.ask(wish{from: w.out}), control.Rejected, 6, "no scripts in")
}

func TestRealTrialFromElsewhere(t *testing.T) {
	w := newTrying(t, triedDoor, map[string]string{"a.lua": otherDoor})
	w.wantOutcome(w.ask(wish{from: w.out, trial: time.Hour}), control.Applied, 2)
	w.wantSaved(triedDoor, "trial")
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	defer w.wantSaved(otherDoor, "from")
	w.wantOutcome(w.hint(), control.Unchanged, 3) // nothing changed on the disk, and what happened is still told
	w.wantSaved(triedDoor, "")
	if w.r.last.kind != control.Held || w.r.from != "" {
		t.Errorf("%+v", w.r.last)
	}
	w.wantOutcome(w.ask(wish{}), control.Unchanged, 3)
	if w.r.last.kind != control.Unchanged {
		t.Errorf("a person asked, and still %+v", w.r.last)
	}

	t.Log("# confirmed: the files of the configuration wait")
	w.wantOutcome(w.ask(wish{from: w.out, trial: time.Hour}), control.Applied, 4)
	w.wantOutcome(w.confirm("x"), control.Applied, 4)
	w.wantSaved(otherDoor, "from")
	w.wantOutcome(w.hint(), control.Unchanged, 4)
}

// A copy of one-time sequences would make each of them valid twice.
func TestRealNoCopyOfOneTimeSequences(t *testing.T) {
	w := newTrying(t, triedDoor, map[string]string{
		"a.lua": strings.ReplaceAll(onceScript, "OUT/once", "once"), "once": "1,2\n3,4\n",
	})
	w.wantOutcome(w.ask(wish{from: w.out}), control.Rejected, 1, "OUT/once has one-time sequences", "absolute path")
}

// A trial's end is an input like any reload: what the engine knows goes on.
func TestRealTrialKeepsGrants(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.knock(1, 2)
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.knock(3, 4)
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	var grants []engine.Grant
	w.l.do(t.Context(), func() { grants = slices.Clone(w.l.engine.Grants()) })
	if len(grants) != 1 {
		t.Errorf("%d grants, want the one that was extended", len(grants))
	}
}

// A sequence that is used before a trial is used after it, also when the set that returns is from
// elsewhere, of which no file is watched.
func TestRealTrialAfterAUsedSequence(t *testing.T) {
	once := t.TempDir() + "/once"
	writeFile(t, once, "1,2\n3,4\n5,6\n")
	w := newTrying(t, triedDoor, map[string]string{"a.lua": strings.ReplaceAll(onceScript, "OUT/once", once)})
	w.wantOutcome(w.ask(wish{from: w.out}), control.Applied, 2)
	w.knock(1, 2)
	if len(w.opened) != 1 {
		t.Fatalf("%q opened", w.opened)
	}
	w.until("it is marked", func() bool {
		text, _ := os.ReadFile(once)
		pending := []engine.Consumed{{}}
		w.l.do(t.Context(), func() { pending = w.l.engine.Uses() })
		return string(text) == "#,2\n3,4\n5,6\n" && len(pending) == 0
	})
	w.script(otherDoor)
	w.r.manual = true
	w.wantOutcome(w.try(), control.Applied, 3)
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.opened = nil
	w.knock(1, 2)
	w.wantOpened()
	w.knock(3, 4)
	if len(w.opened) != 1 {
		t.Errorf("%q opened by the next sequence", w.opened)
	}
	w.until("it is marked", func() bool { text, _ := os.ReadFile(once); return string(text) == "#,2\n#,4\n5,6\n" })

	t.Log("# the recorder begins anew with the set as it is by then")
	w.wantOutcome(w.hint(), control.Unchanged, 4)
	left := ""
	w.l.do(t.Context(), func() {
		for _, f := range w.l.set.Files {
			if f.OneTime {
				left = string(f.Source)
			}
		}
	})
	if left != "#,2\n#,4\n5,6\n" {
		t.Errorf("the set has %q", left)
	}
	w.opened = nil
	w.knock(3, 4)
	w.wantOpened()
}

// A trial that does not begin leaves what is saved as it was.
func TestRealTrialThatDoesNotBegin(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	exchanging := w.r.prepareFacts
	w.r.prepareFacts = func(ctx context.Context, sets ...*scripting.Set) {
		if w.r.prepareFacts = exchanging; len(w.saves) == 1 {
			must(t, w.l.source.Close()) // the kernel takes no filter any more
		}
	}
	w.wantOutcome(w.try(), control.Rejected, 1, "filter")
	w.wantSaved(triedDoor, "")
	if len(w.saves) != 2 || w.r.trial != nil || w.l.proof != nil || w.r.held != nil {
		t.Errorf("%d saves, held %v", len(w.saves), w.r.held)
	}
}

// What the tests of a confirmed set said is told.
func TestRealTestsOfATrial(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.tests(`sesame.test "opens" { { knock = "d", opens = "d" } }`)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.script(`sesame.door "d" {`)
	w.wantOutcome(w.try(), control.Rejected, 2)
	if o := w.confirm("x"); o.tests == nil || o.tests.Passed != 1 {
		t.Errorf("tests: %+v", o.tests)
	}
	w.failing = errors.New("no space left")
	w.script(thirdDoor)
	w.tests("")
	w.failing = nil
	w.wantOutcome(w.try(), control.Applied, 3)
	w.failing = errors.New("no space left")
	if o := w.confirm("x"); o.kind != control.Applied || !strings.Contains(o.text, "no space left") {
		t.Errorf("a set that cannot be saved: %+v", o)
	}
}

// A state directory that is made anew gets the set before the trial. What is of the set before is
// so again after the trial.
func TestRealTrialIsNeverSaved(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.l.do(t.Context(), func() { w.r.lastGood = true })
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.r.keepRunning(t.Context())
	w.wantSaved(triedDoor, "trial")
	if len(w.saves) != 2 {
		t.Errorf("%d saves", len(w.saves))
	}
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.l.do(t.Context(), func() {
		if !w.r.lastGood || w.r.running != 3 {
			t.Errorf("last good %v, generation %d", w.r.lastGood, w.r.running)
		}
	})
}

// A return that the kernel refuses is tried again.
func TestRealTrialReturnIsTriedAgain(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	must(t, w.l.source.Close()) // the kernel takes no filter any more
	for range 2 {
		if _, err := w.r.endTrial(t.Context(), notConfirmed); err == nil || w.r.trial == nil || w.r.trialOver() == nil {
			t.Fatalf("%v: no other try follows", err)
		}
	}
	if n := strings.Count(w.log.String(), "that is tried each second"); n != 1 {
		t.Errorf("%d lines tell so", n)
	}
	w.wantRefused(w.ask(wish{giveUp: true}), "cannot be put in force yet")
}

// A sequence that is used in the first of two trials stays used when the set before both returns.
func TestRealTrialInATrialKeepsUsedSequences(t *testing.T) {
	w := newTrying(t, onceScript, map[string]string{"once": "1,2\n3,4\n"})
	w.r.manual = true
	w.script(onceScript + ` sesame.door "e" { sequence = { "tcp/7", "tcp/8" }, tripwires = 0 }`)
	w.wantOutcome(w.try(), control.Applied, 2)
	w.knock(1, 2)
	w.marked("once", "#,2\n3,4\n", 2)
	w.wantOutcome(w.hint(), control.Unchanged, 2) // the set is loaded again without it
	w.script(onceScript + ` sesame.door "e" { sequence = { "tcp/7", "tcp/9" }, tripwires = 0 }`)
	w.wantOutcome(w.try(), control.Applied, 3)
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.opened = nil
	w.knock(1, 2)
	w.wantOpened()
}

// Files that cannot be read for a while, and wait as before, are no fault any more.
func TestRealFilesThatWaitAreReadAgain(t *testing.T) {
	w := newTrying(t, triedDoor, nil)
	w.r.manual = true
	w.script(otherDoor)
	w.wantOutcome(w.try(), control.Applied, 2)
	_, err := w.r.endTrial(t.Context(), notConfirmed)
	must(t, err)
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	must(t, os.Rename(w.dir, w.dir+".away"))
	w.wantOutcome(w.hint(), control.Rejected, 3, "no such file")
	w.wantOutcome(w.hint(), control.Rejected, 3, "no such file")
	must(t, os.Rename(w.dir+".away", w.dir))
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	if w.r.last.kind != control.Held || w.r.last.hold != control.HeldByTrial {
		t.Errorf("%+v", w.r.last)
	}

	t.Log("# ones with a fault are still rejected")
	w.script(`sesame.door "d" {`)
	w.wantOutcome(w.ask(wish{}), control.Rejected, 3)
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	if w.r.last.kind != control.Rejected {
		t.Errorf("%+v", w.r.last)
	}
}
