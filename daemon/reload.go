package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/control"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/lint"
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
}

// A reloader replaces script sets, one after another, in a goroutine of its own: it reads,
// compiles, loads and compares. Only the replacement itself happens in the loop, between two
// packets. Requests come from the watcher, from SIGHUP and from the control socket.
type reloader struct {
	path          string
	read          func(ctx context.Context, loaded *source.Files, referenced []string) (*source.Files, error)
	load          func(*source.Files, map[string]string) (*scripting.Set, error)
	vet           func(*source.Files, *scripting.Set) error // see daemon.vet
	values        map[string]string                         // of the scripts' options
	loop          *loop
	save          func(*scripting.Set, *source.Files) error // for the next start; errSaveRuns: saved gets the result
	saved         <-chan error
	noteSaved     func(error)
	log           hclog.Logger
	gate          *gate
	confinement   func() *confinement
	refusal       func(*scripting.Set) error // why this process cannot run a set; nil: it can
	applied       func(set *scripting.Set, generation int)
	prepareFacts  func(ctx context.Context, sets ...*scripting.Set)
	requestRepair func() // requests a repair of the firewall

	hints      chan struct{} // capacity 1: something may have changed
	requests   chan request  // capacity 0
	referenced chan []string // capacity 1: paths of the referenced files; the latest list replaces an earlier one

	stateRenewed chan struct{} // capacity 1: the state directory is new, so nothing is saved in it

	tested *source.Files  // of which the tests passed in the try before; nil: there was none
	passed *control.Tests // their result

	standing outcome // the last whose files are those that run; the zero value: none since the start

	seen       *source.Files // that were loaded last, with any outcome; nil: there were none
	generation int
	coarse     atomic.Bool      // the kernel's filter is coarse, and that was logged
	saveAgain  <-chan time.Time // when the running set is saved again; nil: it is saved

	// The loop owns these, because the status reads them.
	last     outcome   // the last that was reported; the zero value: none since the start
	loaded   time.Time // when the running set was applied
	lastGood bool      // the files failed at the start
	running  int       // generation of the set that runs
}

// newReloader returns a reloader that continues from a start.
func (d *daemon) newReloader(first startup) *reloader {
	r := &reloader{
		path:          d.config.Scripts,
		read:          d.readAgain,
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
		prepareFacts:  d.prepareFacts,
		requestRepair: d.requestReconcile,
		hints:         make(chan struct{}, 1),
		requests:      make(chan request),
		referenced:    make(chan []string, 1),
		stateRenewed:  make(chan struct{}, 1),
		generation:    1, running: 1, loaded: d.since,
	}
	r.seen = first.judged
	r.sendReferenced(first.files)
	if first.outcome.kind != control.Applied {
		r.last, r.lastGood = first.outcome, true
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
			q.answer <- r.reload(ctx, q.wish, false)
		case err := <-r.saved:
			r.kept(err)
		case <-r.saveAgain:
			r.keepRunning(ctx)
		case <-r.stateRenewed:
			r.keepRunning(ctx)
		}
	}
}

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
	set      *scripting.Set
	files    *source.Files
	lastGood bool // the files failed at the start
	oneTime  int  // Engine.OneTimeChanges before the files were read
}

// reload reads the files and replaces the running set, or changes nothing. It starts again
// when a one-time sequence was consumed in the meantime. With hint set, files that were judged
// before are not reported again.
func (r *reloader) reload(ctx context.Context, asked wish, hint bool) outcome {
	defer func() { r.tested = nil }()
	for {
		o, err := r.tryReload(ctx, asked, hint)
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
	files, err := r.read(ctx, now.files, r.referencedFiles(now.files))
	unchanged := outcome{kind: control.Unchanged, generation: r.generation}
	switch {
	case err == nil && files.Compare(now.files) == source.Same && !now.lastGood && (hint || !r.standing.unproved()):
		r.noteUnchanged(ctx, files)
		return unchanged, nil
	case err == nil && files.Compare(now.files) == source.Consumed && !now.lastGood:
		return unchanged, r.replaceQuietly(ctx, now, files)
	case err == nil && hint && r.seen != nil && files.Compare(r.seen) != source.Changed:
		return unchanged, nil
	}
	o := outcome{kind: control.Rejected, generation: r.generation, at: r.loop.clock.now()}
	if err == nil {
		err = r.judge(ctx, now, files, asked, &o)
	}
	switch {
	case errors.Is(err, errStopping), errors.Is(err, errConsumed):
		return o, err
	case err != nil:
		o.refuse(r.confinement().explain(err))
	}
	if files != nil {
		running := now.files
		switch r.seen = files; o.kind {
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
		if r.last = o; o.kind == control.Applied {
			r.loaded, r.lastGood, r.running = o.at, false, o.generation
		}
	})
	r.logOutcome(o)
	return o, nil
}

func (r *reloader) current(ctx context.Context) (now current, err error) {
	if !r.loop.do(ctx, func() { now = current{r.loop.set, r.loop.files, r.lastGood, r.loop.engine.OneTimeChanges()} }) {
		return now, errStopping
	}
	return now, nil
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
	if err := r.swap(ctx, now, set, files); err != nil {
		set.Close()
		return err
	}
	r.noteUnchanged(ctx, files)
	r.log.Debug("files of one-time sequences were read again")
	if err := r.setFilter(filter.Interest(set.Engine.Interest())); err != nil {
		r.log.Debug("the kernel's filter still has ports of sequences that were used", "error", err)
	}
	return nil
}

// judge loads files and decides between applied and held. An error means rejected, or held when it
// is a [*heldError].
func (r *reloader) judge(ctx context.Context, now current, files *source.Files, asked wish, o *outcome) error {
	if err := r.vet(files, nil); err != nil {
		return err
	}
	set, err := r.load(files, r.values)
	if err != nil {
		return err
	}
	if err := r.vet(files, set); err != nil {
		set.Close()
		return err
	}
	if o.tests, err = r.test(ctx, files, asked); err != nil {
		set.Close()
		return err
	}
	if err := r.refusal(set); err != nil {
		set.Close()
		return err
	}
	if !now.lastGood && sameFiles(now.set, set) {
		set.Close()
		return r.adopt(ctx, files, o)
	}
	if o.held = heldPorts(now.set, set, asked.unguard); len(o.held) > 0 {
		set.Close()
		o.kind, o.text = control.Held, heldMessage(o.held)
		return nil
	}
	changes := difference.Of(now.set, set) // the exchange closes the earlier set
	r.prepareFacts(ctx, now.set, set)
	if err := r.exchange(ctx, now, set, files); err != nil {
		r.prepareFacts(ctx, now.set)
		set.Close()
		return err
	}
	r.prepareFacts(ctx, set)
	r.generation++
	o.kind, o.generation = control.Applied, r.generation
	o.doors, o.was = len(set.Engine.Doors), len(now.set.Engine.Doors)
	o.changes = changes
	o.unread = r.unread(ctx)
	r.applied(set, r.generation)
	r.keep(set, files)
	return nil
}

// heldPorts returns the ports that set would leave without an enforcing guard or without a
// door that opens them, unless a person released them. Ports for which that was so before do
// not count.
func heldPorts(running, set *scripting.Set, released []packet.Port) []packet.Port {
	lost := subtract(requiredGuards(running.Engine).Drop, requiredGuards(set.Engine).Drop)
	stuck := subtract(lint.NoWays(set), lint.NoWays(running))
	return subtract(union(lost, stuck), released)
}

func heldMessage(ports []packet.Port) string {
	names := portTexts(ports)
	return fmt.Sprintf("the scripts would leave %s without a guard or without a door that opens it, so the old ones stay; if that is meant: sesame reload --unguard %s",
		strings.Join(names, ", "), strings.Join(names, " --unguard "))
}

// exchange replaces the running set. The order makes a failure harmless: first the kernel's
// filter and the firewall cover both sets, then the doors are replaced, and only then the
// filter and the firewall drop what the old set alone needed. Until the doors are replaced
// every error leaves all as it was.
func (r *reloader) exchange(ctx context.Context, now current, set *scripting.Set, files *source.Files) error {
	old, next := filter.Interest(now.set.Engine.Interest()), filter.Interest(set.Engine.Interest())
	if err := r.setFilter(old.Union(next)); err != nil {
		return fmt.Errorf("preparing the kernel's filter for the new scripts: %w", err)
	}
	if err := r.loop.guard(ctx, set.Engine); err != nil {
		return errors.Join(fmt.Errorf("guarding the ports of the new scripts: %w", err), r.loop.guard(ctx, nil), r.setFilter(old))
	}
	switch err := r.swap(ctx, now, set, files); {
	case errors.Is(err, errConsumed):
		return errors.Join(err, r.loop.guard(ctx, nil), r.setFilter(old))
	case err != nil:
		return err
	}
	if err := errors.Join(r.setFilter(next), r.loop.guard(ctx, nil)); err != nil {
		r.log.Warn("something that only the old scripts needed is still there", "error", err)
		r.requestRepair()
	}
	return nil
}

// swap replaces the doors in the loop, unless a one-time sequence was consumed since the files
// were read.
func (r *reloader) swap(ctx context.Context, now current, set *scripting.Set, files *source.Files) error {
	consumed := false
	if !r.loop.do(ctx, func() {
		if consumed = r.loop.engine.OneTimeChanges() != now.oneTime; !consumed {
			r.loop.swap(set, files, r.values)
		}
	}) {
		return errStopping
	}
	if consumed {
		return errConsumed
	}
	return nil
}

// setFilter sets the kernel's filter of the running capture.
func (r *reloader) setFilter(w filter.Interest) error {
	return r.installFilter(w, r.loop.source.SetProgram)
}

// installFilter builds the kernel's filter and passes it to give. When the kernel has no
// memory for it, it uses a coarse one, which passes all packets of the protocols.
func (r *reloader) installFilter(w filter.Interest, give func([]bpf.Instruction) error) error {
	f := filter.New(w)
	program, coarse := f.Program()
	err := give(program)
	if errors.Is(err, unix.ENOMEM) && !coarse {
		coarse, err = true, give(f.Coarse())
	}
	if coarse && !r.coarse.Load() {
		r.log.Warn("too many ports for the kernel's filter, so Sesame looks at every packet of their protocols itself")
	}
	r.coarse.Store(coarse)
	return err
}
