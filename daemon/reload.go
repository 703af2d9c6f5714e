package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/control"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
)

// An outcome is what became of a reload.
type outcome struct {
	kind       control.ReloadOutcome
	generation int           // that runs now
	doors, was int           // of the sets after and before, when it was applied
	text       string        // why not, for people
	held       []packet.Port // guards that a person must release
	at         time.Time     // engine time
}

// A request calls for a reload.
type request struct {
	unguard []packet.Port
	answer  chan outcome // capacity 1, so that nobody need wait for it
}

// A reloader brings script sets in, one after another. Whoever calls, the watcher,
// a signal or a person, it is this goroutine that reads, compiles, loads and
// judges; only the exchange itself happens on the loop, between two packets.
type reloader struct {
	path    string
	load    func(*source.Files, map[string]string) (*scripting.Set, error)
	values  map[string]string // of the scripts' options
	loop    *loop
	save    func(*scripting.Set, *source.Files) error // for the next start
	log     hclog.Logger
	applied func(set *scripting.Set, generation int)
	unsure  func() // the firewall may not hold what it should

	hints      chan struct{} // capacity 1: something may have changed
	requests   chan request  // capacity 0
	referenced chan []string // capacity 1: paths of the referenced files; the latest list replaces an earlier one

	seen       *source.Files // that were judged last; nil: there were none
	generation int
	coarse     bool // said that the kernel's filter is

	// The loop's, for those who ask.
	last     outcome   // the last that was worth a word; the zero one: none since the start
	loaded   time.Time // when the set that runs began to
	lastGood bool      // the files failed at the start
	running  int       // generation of the set that runs
}

// newReloader returns a reloader that goes on from a start.
func (d *daemon) newReloader(first startup) *reloader {
	r := &reloader{
		path:       d.config.Scripts,
		load:       d.load,
		values:     d.values(),
		loop:       d.loop,
		save:       d.saveSet,
		log:        d.config.Log,
		applied:    d.reportApplied,
		unsure:     d.requestReconcile,
		hints:      make(chan struct{}, 1),
		requests:   make(chan request),
		referenced: make(chan []string, 1),
		generation: 1, running: 1, loaded: d.since,
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
			r.reload(ctx, nil, true)
		case q := <-r.requests:
			q.answer <- r.reload(ctx, q.unguard, false)
		}
	}
}

// ask calls for a reload and returns what became of it.
func (r *reloader) request(ctx context.Context, unguard []packet.Port) (outcome, error) {
	q := request{unguard, make(chan outcome, 1)}
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

// errUsed says that a one-time sequence was used, or marked as used, while files
// were read and judged: they may hold it, and their set would bring it back.
var errUsed = errors.New("a one-time sequence was used meanwhile")

// A present is what runs while files are read and judged.
type present struct {
	set      *scripting.Set
	files    *source.Files
	lastGood bool // the files failed at the start
	spends   int  // of the engine, before the files were read
}

// reload reads the files and brings them in, or leaves everything as it is. A
// hint about files that were judged before is not worth a word.
func (r *reloader) reload(ctx context.Context, unguard []packet.Port, hint bool) outcome {
	for {
		o, err := r.tryReload(ctx, unguard, hint)
		if !errors.Is(err, errUsed) || ctx.Err() != nil { // each sequence is used once, so this ends
			return o
		}
	}
}

// try is reload, unless a one-time sequence is used on the way. Marks in files of
// one-time sequences are no news: the engine asked for them.
func (r *reloader) tryReload(ctx context.Context, unguard []packet.Port, hint bool) (outcome, error) {
	now, err := r.present(ctx)
	if err != nil { // nobody is left to be told
		return outcome{kind: control.Rejected, generation: r.generation}, err
	}
	files, err := source.Read(r.path, r.referencedFiles(now.files)...)
	unchanged := outcome{kind: control.Unchanged, generation: r.generation}
	switch {
	case err == nil && files.Compare(now.files) == source.Same && !now.lastGood:
		r.noteUnchanged(ctx, files)
		return unchanged, nil
	case err == nil && files.Compare(now.files) == source.Consumed && !now.lastGood:
		return unchanged, r.replaceQuietly(ctx, now, files)
	case err == nil && hint && r.seen != nil && files.Compare(r.seen) != source.Changed:
		return unchanged, nil
	}
	o := outcome{kind: control.Rejected, generation: r.generation, at: r.loop.clock.now()}
	if err == nil {
		err = r.judge(ctx, now, files, unguard, &o)
	}
	switch {
	case errors.Is(err, errStopping), errors.Is(err, errUsed):
		return o, err
	case err != nil:
		o.text = err.Error()
	}
	if files != nil {
		r.seen = files
		r.sendReferenced(now.files)
	}
	r.loop.do(ctx, func() {
		if r.last = o; o.kind == control.Applied {
			r.loaded, r.lastGood, r.running = o.at, false, o.generation
		}
	})
	r.logOutcome(o)
	return o, nil
}

func (r *reloader) present(ctx context.Context) (now present, err error) {
	if !r.loop.do(ctx, func() { now = present{r.loop.set, r.loop.files, r.lastGood, r.loop.engine.OneTimeChanges()} }) {
		return now, errStopping
	}
	return now, nil
}

// named returns the files outside the directory of the scripts that running ones
// name, and those that the files judged last name: if these were rejected, they may
// be right soon.
func (r *reloader) referencedFiles(running *source.Files) []string {
	names := running.Referenced()
	if r.seen != nil {
		names = append(names, r.seen.Referenced()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// watch tells the watcher which these files are.
func (r *reloader) sendReferenced(running *source.Files) {
	select {
	case <-r.referenced:
	default:
	}
	r.referenced <- r.referencedFiles(running) // nobody else sends, so there is room
}

// replaceQuietly exchanges a set for the same one without the sequences that are marked as
// used. It is the engine that used them, so it is no news, and no generation.
func (r *reloader) replaceQuietly(ctx context.Context, now present, files *source.Files) error {
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

// settle takes the files for judged, since they are those that run. That others were
// rejected or held before is over.
func (r *reloader) noteUnchanged(ctx context.Context, files *source.Files) {
	r.seen = files
	over := false
	r.loop.do(ctx, func() {
		if over = r.last.kind == control.Rejected || r.last.kind == control.Held; over {
			r.last = outcome{kind: control.Unchanged, generation: r.generation, at: r.loop.clock.now()}
		}
	})
	if over {
		r.sendReferenced(files)
		r.log.Info("the scripts are again those that run", "generation", r.generation)
	}
}

// judge loads files and decides between the outcomes. An error: rejected.
func (r *reloader) judge(ctx context.Context, now present, files *source.Files, unguard []packet.Port, o *outcome) error {
	set, err := r.load(files, r.values)
	if err != nil {
		return err
	}
	if o.held = heldPorts(now.set, set, unguard); len(o.held) > 0 {
		set.Close()
		o.kind, o.text = control.Held, heldMessage(o.held)
		return nil
	}
	if err := r.exchange(ctx, now, set, files); err != nil {
		set.Close()
		return err
	}
	r.generation++
	o.kind, o.generation = control.Applied, r.generation
	o.doors, o.was = len(set.Engine.Doors), len(now.set.Engine.Doors)
	r.applied(set, r.generation)
	if err := r.save(set, files); err != nil {
		r.log.Warn("the scripts could not be saved for the next start", "error", err)
	}
	return nil
}

// heldPorts returns the ports that set would leave without a guard that is in
// earnest, or without a door that opens them, and that nobody released. What was
// so before is no news.
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

// exchange puts set in the place of the one that runs. Until the doors are
// exchanged it can fail, and then leaves everything as it was: the kernel is first
// made to do what either set needs, and what only the old one needed goes last.
func (r *reloader) exchange(ctx context.Context, now present, set *scripting.Set, files *source.Files) error {
	old, next := filter.Interest(now.set.Engine.Interest()), filter.Interest(set.Engine.Interest())
	if err := r.setFilter(old.Union(next)); err != nil {
		return fmt.Errorf("preparing the kernel's filter for the new scripts: %w", err)
	}
	if err := r.loop.guard(ctx, set.Engine); err != nil {
		return errors.Join(fmt.Errorf("guarding the ports of the new scripts: %w", err), r.loop.guard(ctx, nil), r.setFilter(old))
	}
	switch err := r.swap(ctx, now, set, files); {
	case errors.Is(err, errUsed):
		return errors.Join(err, r.loop.guard(ctx, nil), r.setFilter(old))
	case err != nil:
		return err
	}
	if err := errors.Join(r.setFilter(next), r.loop.guard(ctx, nil)); err != nil {
		r.log.Warn("something that only the old scripts needed is still there", "error", err)
		r.unsure()
	}
	return nil
}

// swap exchanges the doors, unless a one-time sequence was used since the files were
// read.
func (r *reloader) swap(ctx context.Context, now present, set *scripting.Set, files *source.Files) error {
	used := false
	if !r.loop.do(ctx, func() {
		if used = r.loop.engine.OneTimeChanges() != now.spends; !used {
			r.loop.swap(set, files, r.values)
		}
	}) {
		return errStopping
	}
	if used {
		return errUsed
	}
	return nil
}

// setFilter lets the kernel pass what is watched.
func (r *reloader) setFilter(w filter.Interest) error {
	return r.installFilter(w, r.loop.source.SetProgram)
}

// installFilter gives the kernel's filter for what is watched to who needs it. Where the
// kernel has no room for it, a coarse one must do.
func (r *reloader) installFilter(w filter.Interest, give func([]bpf.Instruction) error) error {
	f := filter.New(w)
	program, coarse := f.Program()
	err := give(program)
	if errors.Is(err, unix.ENOMEM) && !coarse {
		coarse, err = true, give(f.Coarse())
	}
	if coarse && !r.coarse {
		r.log.Warn("too many ports for the kernel's filter, so Sesame looks at every packet of their protocols itself")
	}
	r.coarse = coarse
	return err
}

func (r *reloader) logOutcome(o outcome) {
	switch o.kind {
	case control.Applied:
		r.log.Info("scripts applied", "generation", o.generation, "doors", o.doors, "before", o.was)
		if o.doors == 0 && o.was > 0 {
			r.log.Warn("no door is left: nobody can knock", "scripts", r.path, "before", o.was)
		}
	case control.Rejected:
		r.log.Warn("scripts rejected: the old ones stay", "generation", o.generation, "error", o.text)
	case control.Held:
		r.log.Warn("scripts held: the old ones stay", "generation", o.generation, "reason", o.text)
	case control.Unchanged:
	}
}
