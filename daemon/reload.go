package daemon

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// A request is for a reload by hand or by a signal.
type request struct {
	wish
	answer chan outcome // capacity 1: the reloader never waits for the caller
}

// A wish is what a person asks for with a reload. The zero value asks for nothing.
type wish struct {
	unguard   []packet.Port // may lose their guards
	skipTests bool
	from      string        // where the scripts are; "": at the path of the configuration
	trial     time.Duration // 0: they are in force for good
	giveUp    bool          // only end a trial
	confirm   string        // only confirm a trial, for this reason; "": reload
	began     time.Time     // the beginning of the trial that is confirmed
	signal    bool          // it is a SIGHUP, which nobody may have meant
}

// A reloader replaces script sets, one after another, in a goroutine of its own: it reads,
// compiles, loads and compares. Only the replacement itself happens in the loop, between two
// packets. Requests come from the watcher, from SIGHUP and from the control socket.
type reloader struct {
	path          string
	manual        bool // files that change wait for a person
	read          func(ctx context.Context, from string, loaded *source.Files, referenced []string) (*source.Files, error)
	load          func(*source.Files, map[string]string) (*scripting.Set, error)
	vet           func(*source.Files, *scripting.Set) error // see daemon.vet
	values        map[string]string                         // of the scripts' options
	loop          *loop
	save          func(inForce, *state.Held) error // for the next start; errSaveRuns: saved gets the result
	saved         <-chan error
	noteSaved     func(error)
	log           hclog.Logger
	gate          *gate
	confinement   func() *confinement
	refusal       func(*scripting.Set) error // why this process cannot run a set; nil: it can
	applied       func(set *scripting.Set, generation int)
	tellHelper    func(files *source.Files, onTrial bool) // which set runs
	prepareFacts  func(ctx context.Context, sets ...*scripting.Set)
	requestRepair func() // requests a repair of the firewall

	hints      chan struct{} // capacity 1: something may have changed
	requests   chan request  // capacity 0
	referenced chan []string // capacity 1: paths of the referenced files; the latest list replaces an earlier one

	stateRenewed chan struct{} // capacity 1: the state directory is new, so nothing is saved in it

	tested *source.Files  // of which the tests passed in the try before; nil: there was none
	passed *control.Tests // their result

	trial *trial      // nil: none runs
	held  *state.Held // files that wait for a person; nil: none do
	from  string      // where the set was read that runs; "": at path

	standing outcome // the last whose files are those that run; the zero value: none since the start

	seen       *source.Files // that were loaded last, with any outcome; nil: there were none
	generation int
	coarse     atomic.Bool      // the kernel's filter is coarse, and that was logged
	saveAgain  <-chan time.Time // when the running set is saved again; nil: it is saved

	// The loop owns these, because the status reads them.
	unmarked bool                          // what the start holds is not saved yet
	last     outcome                       // the last that was reported; the zero value: none since the start
	loaded   time.Time                     // when the running set was applied
	lastGood bool                          // the files failed at the start
	running  int                           // generation of the set that runs
	outcomes map[control.ReloadOutcome]int // how often each was; nil: none was
	// unreadable is what was reported before the files could not be read; nil: they could be.
	unreadable *outcome
	onTrial    *trialTold // nil: no trial runs
}

// newReloader returns a reloader that continues from a start.
func (d *daemon) newReloader(first startup) *reloader {
	r := &reloader{
		path:          d.config.Scripts,
		manual:        d.config.Reload == "manual",
		read:          d.readAt,
		load:          d.load,
		vet:           d.vet,
		values:        d.values(),
		loop:          d.loop,
		save:          d.saveSet,
		saved:         d.state.saved,
		noteSaved:     d.noteSaved,
		log:           d.config.Log,
		gate:          &gate{budget: d.config.Tests.Budget, options: d.options, run: suite.Run, open: d.openClosed, log: d.config.Log},
		confinement:   d.confinement.Load,
		refusal:       d.refusal,
		applied:       d.reportApplied,
		tellHelper:    d.tellHelper,
		prepareFacts:  d.prepareFacts,
		requestRepair: d.requestReconcile,
		hints:         make(chan struct{}, 1),
		requests:      make(chan request),
		referenced:    make(chan []string, 1),
		stateRenewed:  make(chan struct{}, 1),
		generation:    1, running: 1, loaded: d.since,
	}
	r.seen, r.held, r.from, r.unmarked = first.judged, first.held, first.from, first.unmarked
	r.sendReferenced(first.files)
	if first.over != nil { // the files are those that run, so nothing is held
		r.last = *first.over
		r.log.Warn("a trial ran when the daemon ended, and is over: the scripts before it are in force", "tried", cmp.Or(r.last.trial.from, r.path))
	}
	if first.outcome.kind != control.Applied {
		r.last, r.lastGood = first.outcome, true
	}
	if first.outcome.kind != control.Applied && !first.without {
		r.log.Warn("the scripts that were applied last run, not those on the disk", "outcome", string(first.outcome.kind), "reason", first.outcome.text)
	}
	return r
}

func (r *reloader) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hints:
			r.reload(ctx, wish{}, true)
		case q := <-r.requests:
			q.answer <- r.handle(ctx, q.wish)
		case <-r.trialOver():
			_, _ = r.endTrial(ctx, notConfirmed)
		case why := <-r.proofOfTrial():
			r.confirmTrial(ctx, why)
		case err := <-r.saved:
			r.kept(err)
		case <-r.saveAgain:
			r.keepRunning(ctx)
		case <-r.stateRenewed:
			r.keepRunning(ctx)
		}
	}
}

// Why trials end.
const (
	notConfirmed = "nobody confirmed them in time"
	givenUp      = "a person ended the trial"
)

// handle does what a person asks for. During a trial it is no reload for good: whether the set that
// runs then stays is not decided.
func (r *reloader) handle(ctx context.Context, asked wish) outcome {
	switch {
	case r.trial == nil && (asked.giveUp || asked.confirm != ""):
		return outcome{refusal: noTrial}
	case asked.confirm != "" && !r.trial.told.began.Equal(asked.began):
		return outcome{refusal: anotherTrial}
	case asked.confirm != "":
		return r.confirmTrial(ctx, asked.confirm)
	case asked.giveUp:
		o, err := r.endTrial(ctx, givenUp)
		if err != nil {
			return outcome{refusal: control.Refusal("the scripts before the trial cannot be put in force yet; that is tried each second: " + err.Error())}
		}
		o.kind, o.text, o.hold = control.Applied, "", ""
		return o
	case r.trial != nil && asked.trial == 0 && !asked.signal:
		return outcome{refusal: duringTrial}
	}
	return r.reload(ctx, asked, false)
}

const duringTrial = control.Refusal("a trial runs: keep its scripts with sesame confirm, return to those before with sesame reload --return, or try others with sesame reload --trial")

// request requests a reload and returns its outcome, or an error when ctx ends first.
func (r *reloader) request(ctx context.Context, asked wish) (outcome, error) {
	q := request{asked, make(chan outcome, 1)}
	select {
	case r.requests <- q:
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
	select {
	case o := <-q.answer:
		return o, nil
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// errConsumed is returned when a one-time sequence was consumed, or commented out in its file,
// while files were read and loaded. The new set may still contain it, and would make it valid
// again.
var errConsumed = errors.New("a one-time sequence was used meanwhile")

// A current is what runs while files are read and loaded.
type current struct {
	inForce
	oneTime int               // Engine.OneTimeChanges before the files were read
	used    []engine.Consumed // that the set still has
}

// reload reads the files and replaces the running set, or changes nothing. It starts again
// when a one-time sequence was consumed in the meantime. With hint set, files that were judged
// before are not reported again.
func (r *reloader) reload(ctx context.Context, asked wish, hint bool) outcome {
	defer func() { r.tested = nil }()
	for {
		o, err := r.tryReload(ctx, asked, hint)
		if errors.Is(err, errTrialOver) {
			_, _ = r.endTrial(ctx, notConfirmed)
			return outcome{refusal: control.Refusal(errTrialOver.Error())}
		}
		if !errors.Is(err, errConsumed) || ctx.Err() != nil { // each sequence is consumed once, so the loop ends
			return o
		}
	}
}

// tryReload is one try of reload, which ends with errConsumed when a one-time sequence was
// consumed. Lines that the daemon itself commented out do not count as a change.
func (r *reloader) tryReload(ctx context.Context, asked wish, hint bool) (outcome, error) {
	now, err := r.current(ctx)
	if err != nil { // the daemon is stopping
		return outcome{kind: control.Rejected, generation: r.generation}, err
	}
	files, err := r.readFiles(ctx, now, asked.from)
	unchanged := outcome{kind: control.Unchanged, generation: r.generation}
	running := !now.lastGood && asked.from == now.from
	switch {
	case errors.Is(err, errTrialOver):
		return unchanged, err
	case err == nil && running && files.Compare(now.files) == source.Same && (hint || !r.standing.unproved()):
		r.noteUnchanged(ctx, files, hint)
		if asked.trial > 0 && r.trial != nil {
			r.extendTrial(ctx, asked.trial)
			unchanged.trial = r.trial.copyTold()
		}
		return unchanged, nil
	case err == nil && running && files.Compare(now.files) == source.Consumed:
		return unchanged, r.replaceQuietly(ctx, now, files)
	case hint && err == nil && now.from != "" && len(now.used) > 0:
		r.hint() // to look at the files that were read
		return unchanged, r.replaceQuietly(ctx, now, withoutLines(now.files, now.used))
	case hint && err == nil && r.waits(ctx, now, files), hint && err != nil && r.trial != nil, err == nil && asked.signal && r.signalWaits():
		return unchanged, nil
	}
	o := outcome{kind: control.Rejected, generation: r.generation, at: r.loop.clock.now()}
	if err == nil {
		err = r.judge(ctx, now, files, asked, &o)
	}
	switch {
	case errors.Is(err, errStopping), errors.Is(err, errConsumed), errors.Is(err, errTrialOver):
		return o, err
	case err != nil:
		o.refuse(r.confinement().explain(err))
	}
	if files != nil && asked.from == "" {
		r.seen = files
	}
	if files != nil {
		running := now.files
		switch o.kind {
		case control.Applied:
		case control.Unchanged:
			running = files
		case control.Rejected, control.Held:
			files.Forget()
		}
		r.sendReferenced(running)
		r.noteStanding(now, files, &o)
	}
	r.loop.do(ctx, func() {
		r.countOutcome(o.kind)
		switch {
		case asked.from != "":
		case files != nil:
			r.unreadable = nil
		case r.unreadable == nil:
			r.unreadable = new(r.last)
		}
		if asked.from == "" || o.kind == control.Applied { // what is wrong elsewhere concerns who asked
			r.last = o
		}
		if o.kind == control.Applied {
			r.loaded, r.lastGood, r.running = o.at, false, o.generation
		}
	})
	r.logOutcome(o)
	return o, nil
}

func (r *reloader) current(ctx context.Context) (now current, err error) {
	if !r.loop.do(ctx, func() { now = r.currentNow() }) {
		return now, errStopping
	}
	return now, nil
}

// currentNow returns what runs. Only the loop may call it, while the reloader waits.
func (r *reloader) currentNow() current {
	l := r.loop
	return current{inForce{l.set, l.files, l.values, r.from, r.lastGood}, l.engine.OneTimeChanges(), slices.Clone(l.used)}
}

// referencedFiles returns the referenced files of the running set and of the files that were
// judged last. The latter may have been rejected because of a referenced file, so a change of
// it matters.
func (r *reloader) referencedFiles(running *source.Files) []string {
	names := running.Referenced()
	if r.seen != nil {
		names = append(names, r.seen.Referenced()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sendReferenced sends the list of referenced files to the watcher.
func (r *reloader) sendReferenced(running *source.Files) {
	select {
	case <-r.referenced:
	default:
	}
	r.referenced <- r.referencedFiles(running) // this goroutine alone sends, so there is room
}

// replaceQuietly replaces the set by the same one without the sequences that are commented
// out. The engine consumed them, so this is no reload: it gets no generation and no log line.
func (r *reloader) replaceQuietly(ctx context.Context, now current, files *source.Files) error {
	set, err := r.load(files, r.values)
	if err != nil {
		r.log.Warn("the scripts were loaded before, and cannot be loaded again", "error", err)
		return nil
	}
	x := exchange{set: set, files: files, values: r.values}
	if r.trial != nil {
		x.proof = r.trial.proof
	}
	if err := r.swap(ctx, now, x); err != nil {
		set.Close()
		return err
	}
	r.noteUnchanged(ctx, files, true)
	r.log.Debug("files of one-time sequences were read again")
	if err := r.setFilter(filter.Interest(set.Engine.Interest())); err != nil {
		r.log.Debug("the kernel's filter still has ports of sequences that were used", "error", err)
	}
	return nil
}
