package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/source"
)

// A trial is a set in force that goes again unless it is confirmed. The set before stays loaded,
// and was saved for the next start before the trial began: its return needs neither the disk nor
// the files, and a restart at any time returns to it. The reloader's goroutine owns a trial.
type trial struct {
	before inForce
	kept   *state.Held // with before, as it is saved
	after  *state.Held // with the set on trial, once it is confirmed
	waits  bool        // files changed meanwhile
	proof  *proof
	over   <-chan time.Time // by the monotonic clock
	late   bool             // the set before did not return at the first try
	told   trialTold

	tests    *control.Tests // of the set on trial
	standing outcome        // of the set before
}

// An inForce is a set that runs, with all that is needed to run it again.
type inForce struct {
	set      *scripting.Set
	files    *source.Files
	values   map[string]string // of the scripts' options
	from     string            // where it was read; "": at the path of the configuration
	lastGood bool              // the files on the disk do not run
}

// A trialTold is what people are told of a trial. The loop has a copy.
type trialTold struct {
	state       control.TrialState
	began, ends time.Time     // engine time
	boot        time.Duration // from the start of the machine to began
	from        string
	doors       []string
	why         string
}

// control returns it as the control socket sends it, with times of the wall clock.
func (t *trialTold) control(offset time.Duration) *control.Trial {
	if t == nil {
		return nil
	}
	return &control.Trial{
		State: t.state, Began: t.began.Add(offset).UTC(), Ends: t.ends.Add(offset).UTC(), From: t.from,
		Doors: t.doors[:min(len(t.doors), maxChanges)], Why: t.why,
	}
}

// trialStatus returns the trial that runs, with the doors that nobody has opened yet; nil: none
// does. Only the loop may call it.
func (r *reloader) trialStatus(now time.Time) *control.Trial {
	told := r.onTrial
	if told == nil {
		return nil
	}
	s := told.control(r.loop.wallOffset())
	s.Doors, s.Remaining = nil, control.Duration(max(0, told.ends.Sub(now)))
	for _, door := range told.doors[:min(len(told.doors), maxChanges)] {
		if r.loop.proof != nil && r.loop.proof.lacking[door] {
			s.Doors = append(s.Doors, door)
		}
	}
	return s
}

// ended returns whether the time of the trial is over.
func (r *reloader) trialEnded() bool {
	return r.trial != nil && !r.loop.clock.now().Before(r.trial.told.ends)
}

// proofOfTrial returns the channel of what proves the trial; nil: none runs.
func (r *reloader) proofOfTrial() <-chan string {
	if r.trial == nil {
		return nil
	}
	return r.trial.proof.proved
}

// returnRetry is the time until another try when the set before could not return.
const returnRetry = time.Second

// errTrialOver means that the time of a trial ended while the disk was waited for.
var errTrialOver = errors.New("the trial ended while the files were read: try again")

// trialOver returns the channel of the end of the trial; nil: none runs.
func (r *reloader) trialOver() <-chan time.Time {
	if r.trial == nil {
		return nil
	}
	return r.trial.over
}

// newTrial prepares a trial of a set, and saves the set before, without which it does not begin. In
// a trial the set before is that before the trial.
func (r *reloader) newTrial(ctx context.Context, now current, set *scripting.Set, asked wish, changes []difference.Change) (*trial, error) {
	t := &trial{before: now.inForce, standing: r.standing}
	t.told = trialTold{state: control.TrialRuns, began: r.loop.clock.now(), boot: sinceBoot(), from: asked.from}
	t.told.ends = t.told.began.Add(asked.trial)
	if r.trial != nil {
		t.before, t.standing = r.trial.before, r.trial.standing
		changes = difference.Of(t.before.set, set)
	}
	t.kept = r.hold(control.HeldByTrial, true, asked.from)
	if err := r.saveNow(t.before, t.kept); err != nil {
		return nil, fmt.Errorf("a trial needs the scripts before it saved, so that a restart returns to them: %w", err)
	}
	t.proof = newProof(t.told.began, set, changes)
	t.told.doors = slices.Sorted(maps.Keys(t.proof.doors))
	r.loop.do(ctx, func() { // no more are used before the set is in force: see exchange
		t.proof.used = slices.Concat(r.loop.used, r.loop.engine.Uses())
		if r.trial != nil {
			t.proof.used = append(t.proof.used, r.trial.proof.used...)
		}
	})
	return t, nil
}

// copyTold returns a copy for the loop, since the reloader changes its own.
func (t *trial) copyTold() *trialTold {
	told := t.told
	return &told
}

// beginTrial notes that the set of a trial is in force.
func (r *reloader) beginTrial(ctx context.Context, t *trial) {
	t.over = after(t.told.ends.Sub(r.loop.clock.now()))
	r.trial = t
	told := t.copyTold()
	r.loop.do(ctx, func() { r.onTrial = told })
	r.log.Warn("scripts are on trial: those before return unless somebody confirms: sesame confirm",
		"for", t.told.ends.Sub(t.told.began).String(), "confirmed_by_opening", fmt.Sprint(t.told.doors))
}

// extendTrial gives the set that is on trial more time.
func (r *reloader) extendTrial(ctx context.Context, d time.Duration) {
	t := r.trial
	t.told.ends = r.loop.clock.now().Add(d)
	t.over = after(d)
	told := t.copyTold()
	r.loop.do(ctx, func() { r.onTrial = told })
	r.log.Info("the trial goes on", "for", d.String())
}

// confirmTrial keeps the set of the trial. The text of the outcome is why it is not saved.
func (r *reloader) confirmTrial(ctx context.Context, why string) outcome {
	t := r.trial
	t.told.state, t.told.why = control.TrialConfirmed, why
	o := outcome{kind: control.Applied, generation: r.generation, trial: t.copyTold(), tests: t.tests}
	now, err := r.current(ctx)
	if err != nil { // the daemon is stopping, and the next start returns to the set before
		return outcome{refusal: control.Refusal(err.Error())}
	}
	if err := r.saveNow(now.inForce, t.after); err != nil { // before anybody is told
		o.text = "the scripts are not saved yet, so a restart returns to those before: " + err.Error()
	}
	o.at, o.doors = r.loop.clock.now(), len(now.set.Engine.Doors)
	r.loop.do(ctx, func() {
		r.loop.proof, r.onTrial, r.last = nil, nil, o
		t.before.set.Close() // its Lua states are the loop's
	})
	if r.trial, r.held = nil, t.after; t.waits {
		r.seen = nil // those of the configuration are looked at again
	}
	r.log.Info("the trial is confirmed: its scripts stay", "generation", r.generation, "by", why)
	r.tellHelper(now.files, false)
	r.prepareFacts(ctx, now.set)
	r.hint()
	return o
}

// endTrial puts the set before the trial in force again. Nothing that it waits for needs the disk.
// When the kernel refuses, another try follows.
func (r *reloader) endTrial(ctx context.Context, why string) (o outcome, err error) {
	t := r.trial
	for err = errConsumed; errors.Is(err, errConsumed); {
		o, err = r.returnTo(ctx, t, why)
	}
	switch {
	case errors.Is(err, errStopping):
		return o, err
	case err != nil:
		if t.over = after(returnRetry); !t.late {
			r.log.Error("the trial is over, and the scripts before it cannot be put in force yet; that is tried each second", "error", err)
		}
		t.late = true
		return o, err
	}
	r.trial, r.held, r.from, r.standing = nil, r.hold(o.hold, false, t.told.from), t.before.from, t.standing
	r.tellHelper(t.before.files, false)
	r.log.Warn("the trial is over: the scripts before it are in force again, and those of the trial are held", "generation", o.generation, "because", why)
	r.loop.do(ctx, func() { // before anything that may wait for a disk
		r.last, r.onTrial = o, nil
		r.loaded, r.lastGood, r.running = o.at, t.before.lastGood, o.generation
	})
	var set *scripting.Set
	if r.loop.do(ctx, func() { set = r.loop.set }) {
		r.prepareFacts(ctx, set)
		r.applied(set, r.generation)
		r.keepRunning(ctx) // that the trial is over
	}
	r.hint()
	return o, nil
}

// returnTo is one try of endTrial.
func (r *reloader) returnTo(ctx context.Context, t *trial, why string) (o outcome, err error) {
	now, used := current{}, []engine.Consumed(nil)
	if !r.loop.do(ctx, func() { now, used = r.currentNow(), slices.Clone(t.proof.used) }) {
		return o, errStopping
	}
	back := r.withoutUsed(t.before, used)
	if err := r.exchange(ctx, now, exchange{set: back.set, files: back.files, values: back.values}); err != nil {
		if back.set != t.before.set {
			back.set.Close()
		}
		return o, err
	}
	if back.set != t.before.set {
		r.loop.do(ctx, t.before.set.Close)
	}
	r.generation++
	told := t.told
	told.state, told.why, told.ends = control.TrialReturned, why, r.loop.clock.now()
	o = outcome{
		kind: control.Held, generation: r.generation, at: told.ends, trial: &told, hold: holdAfter(why),
		doors: len(back.set.Engine.Doors), was: len(now.set.Engine.Doors),
		text: fmt.Sprintf("the scripts%s were on trial, and %s, so those before are in force again", fromText(told.from), why),
	}
	return o, nil
}

// holdAfter returns why files are held after a trial.
func holdAfter(why string) control.Hold {
	if why == givenUp {
		return control.HeldByReturn
	}
	return control.HeldByTrial
}

func fromText(from string) string {
	if from == "" {
		return ""
	}
	return " of " + from
}

// withoutLines returns files as they are once these lines are commented out.
func withoutLines(files *source.Files, used []engine.Consumed) *source.Files {
	for _, use := range used {
		files = files.WithoutLine(use.File, use.Line)
	}
	return files
}

// withoutUsed returns a set without the one-time sequences that were used since it was loaded: in
// the kept one they would count again. It is made of the texts that are in memory. When it does not
// load, the doors with such sequences cannot be opened until the next reload.
func (r *reloader) withoutUsed(back inForce, used []engine.Consumed) inForce {
	files := withoutLines(back.files, used)
	if files == back.files {
		return back
	}
	set, err := r.load(files, back.values)
	if err == nil {
		back.set, back.files = set, files
		return back
	}
	r.log.Error("the scripts before the trial cannot be loaded without the one-time sequences that were used, so their doors stay shut until the next reload", "error", err)
	for i, d := range back.set.Engine.Doors {
		if d.OneTime != nil && slices.ContainsFunc(used, func(u engine.Consumed) bool { return u.File == d.OneTime.File }) {
			shut := *d
			shut.OneTime = &engine.OneTime{File: d.OneTime.File}
			back.set.Engine.Doors[i] = &shut
		}
	}
	return back
}

// confirm keeps the set of a trial, unless the caller's session says nothing about it.
func (d *daemon) confirm(ctx context.Context, q control.ConfirmRequest) (control.Outcome, error) {
	var told *trialTold
	var grants []engine.Grant
	if !d.loop.do(ctx, func() { told, grants = d.reloader.onTrial, slices.Clone(d.loop.engine.Grants()) }) {
		return control.Outcome{}, unanswered(ctx)
	}
	if told == nil {
		return control.Outcome{}, noTrial
	}
	if err := proves(&q, sinceBoot()-told.boot); err != nil {
		return control.Outcome{}, err
	}
	if !q.Force && letInBefore(grants, q.Address, told.began) {
		return control.Outcome{}, control.Refusal(fmt.Sprintf("%s was let in by a grant that is not of a knock in the trial, so your session proves nothing about new knocks: %s", q.Address, nextProof))
	}
	why := "sesame confirm"
	if q.Force {
		why += " --force"
	}
	o, err := d.reloader.request(ctx, wish{confirm: why, began: told.began})
	if err != nil {
		return control.Outcome{}, err
	}
	return d.reloader.answer(ctx, o), o.refused()
}

const anotherTrial = control.Refusal("another trial began meanwhile: look at sesame status, and confirm again")

const noTrial = control.Refusal("no trial runs: the scripts that are in force stay")

// nextProof is what to do in a session that proves nothing.
const nextProof = "knock, log in anew, and run it there; or run: sesame confirm --force"

// letInBefore reports whether what lets an address in are grants from before a trial, or of a
// person, and none of a knock in it. Where no grant does, it may be trusted, or nothing is guarded:
// then it gets in whatever the doors are.
func letInBefore(grants []engine.Grant, address netip.Addr, began time.Time) bool {
	before := false
	for i := range grants {
		g := &grants[i]
		if g.Port == (packet.Port{}) || g.Observed || !address.IsValid() || !g.Source.Contains(address) {
			continue
		}
		if g.Door != "" && !g.End.Add(-g.TTL).Before(began) {
			return false
		}
		before = true
	}
	return before
}

// proves returns why a session does not prove a trial that began so long ago.
func proves(q *control.ConfirmRequest, trial time.Duration) error {
	const next = nextProof
	switch {
	case q.Force:
		return nil
	case q.SessionAge == nil:
		return control.Refusal("it is not known when your session was opened, so it proves nothing about new knocks: " + next)
	case time.Duration(*q.SessionAge) >= trial:
		return control.Refusal(fmt.Sprintf("your session (%s) was opened before the trial, and stands whatever the scripts do, so it proves nothing about new knocks: %s",
			cmp.Or(q.Session, "not named"), next))
	}
	return nil
}
