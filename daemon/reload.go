package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
)

// An outcome is what became of a reload.
type outcome struct {
	kind       control.ReloadOutcome
	generation int           // that runs now
	text       string        // why not, for people
	held       []packet.Port // guards that a person must release
	at         time.Time     // engine time
}

// A request asks for a reload.
type request struct {
	unguard []packet.Port
	answer  chan outcome // capacity 1, so that nobody need wait for it
}

// A reloader brings script sets in, one after another. Whoever asks, the watcher,
// a signal or a person, it is this goroutine that reads, compiles, loads and
// judges; only the exchange itself happens on the loop, between two packets.
type reloader struct {
	path    string
	load    func(*scripting.Files, map[string]string) (*scripting.Set, error)
	values  map[string]string // of the scripts' options
	loop    *loop
	save    func(*scripting.Set, *scripting.Files) error // for the next start
	log     hclog.Logger
	applied func(set *scripting.Set, generation int)
	unsure  func() // the firewall may not hold what it should

	hints    chan struct{} // capacity 1: something may have changed
	requests chan request  // capacity 0

	seen       [sha256.Size]byte // the files that were judged last
	generation int
	coarse     bool // said that the kernel's filter is

	// The loop's, for those who ask.
	told     outcome   // the last that was worth a word; the zero one: none since the start
	loaded   time.Time // when the set that runs began to
	lastGood bool      // the files failed at the start
	running  int       // generation of the set that runs
}

// newReloader returns a reloader that goes on from a start.
func (d *daemon) newReloader(first beginning) *reloader {
	r := &reloader{
		path:       d.config.Scripts,
		load:       d.load,
		values:     d.values(),
		loop:       d.loop,
		save:       d.saveSet,
		log:        d.config.Log,
		applied:    d.sayApplied,
		unsure:     d.mend,
		hints:      make(chan struct{}, 1),
		requests:   make(chan request),
		generation: 1, running: 1, loaded: d.since,
	}
	if first.judged != nil {
		r.seen = first.judged.Sum
	}
	if first.outcome.kind != control.Applied {
		r.told, r.lastGood = first.outcome, true
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

// ask asks for a reload and returns what became of it.
func (r *reloader) ask(ctx context.Context, unguard []packet.Port) (outcome, error) {
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

// reload reads the files and brings them in, or leaves everything as it is. A
// hint about files that were judged before is not worth a word.
func (r *reloader) reload(ctx context.Context, unguard []packet.Port, hint bool) outcome {
	files, err := scripting.Read(r.path)
	if err == nil && r.known(ctx, files, hint) {
		return outcome{kind: control.Unchanged, generation: r.generation}
	}
	o := outcome{kind: control.Rejected, generation: r.generation, at: r.loop.clock.now()}
	if err == nil {
		r.seen = files.Sum
		err = r.judge(ctx, files, unguard, &o)
	}
	switch {
	case errors.Is(err, errStopping): // nobody is left to be told
		return o
	case err != nil:
		o.text = err.Error()
	}
	r.loop.do(ctx, func() {
		if r.told = o; o.kind == control.Applied {
			r.loaded, r.lastGood, r.running = o.at, false, o.generation
		}
	})
	r.tell(o)
	return o
}

// known reports whether there is nothing to say of files: they run, or,
// to a hint, they were judged before.
func (r *reloader) known(ctx context.Context, files *scripting.Files, hint bool) (known bool) {
	r.loop.do(ctx, func() { known = files.Sum == r.loop.files.Sum && !r.lastGood })
	return known || hint && files.Sum == r.seen
}

// judge loads files and decides between the outcomes. An error: rejected.
func (r *reloader) judge(ctx context.Context, files *scripting.Files, unguard []packet.Port, o *outcome) error {
	set, err := r.load(files, r.values)
	if err != nil {
		return err
	}
	var running *scripting.Set
	if !r.loop.do(ctx, func() { running = r.loop.set }) {
		set.Close()
		return errStopping
	}
	if o.held = withheld(running, set, unguard); len(o.held) > 0 {
		set.Close()
		o.kind, o.text = control.Held, heldText(o.held)
		return nil
	}
	if err := r.exchange(ctx, running, set, files); err != nil {
		set.Close()
		return err
	}
	r.generation++
	o.kind, o.generation = control.Applied, r.generation
	r.applied(set, r.generation)
	if err := r.save(set, files); err != nil {
		r.log.Warn("the scripts could not be saved for the next start", "error", err)
	}
	return nil
}

// withheld returns the ports that set would leave without a guard that is in
// earnest, or without a door that opens them, and that nobody released. What was
// so before is no news.
func withheld(running, set *scripting.Set, released []packet.Port) []packet.Port {
	lost := without(guardsOf(running.Engine).Drop, guardsOf(set.Engine).Drop)
	stuck := without(lint.NoWays(set), lint.NoWays(running))
	return without(union(lost, stuck), released)
}

func heldText(ports []packet.Port) string {
	names := portTexts(ports)
	return fmt.Sprintf("the scripts would leave %s without a guard or without a door that opens it, so the old ones stay; if that is meant: sesame reload --unguard %s",
		strings.Join(names, ", "), strings.Join(names, " --unguard "))
}

// exchange puts set in the place of the one that runs. Until the doors are
// exchanged it can fail, and then leaves everything as it was: the kernel is first
// made to do what either set needs, and what only the old one needed goes last.
func (r *reloader) exchange(ctx context.Context, running, set *scripting.Set, files *scripting.Files) error {
	now, next := filter.Watch(running.Engine.Watch()), filter.Watch(set.Engine.Watch())
	if err := r.listenTo(now.Union(next)); err != nil {
		return fmt.Errorf("preparing the kernel's filter for the new scripts: %w", err)
	}
	if err := r.loop.guard(ctx, set.Engine); err != nil {
		return errors.Join(fmt.Errorf("guarding the ports of the new scripts: %w", err), r.loop.guard(ctx, nil), r.listenTo(now))
	}
	if !r.loop.do(ctx, func() { r.loop.swap(set, files, r.values) }) {
		return errStopping
	}
	if err := errors.Join(r.listenTo(next), r.loop.guard(ctx, nil)); err != nil {
		r.log.Warn("something that only the old scripts needed is still there", "error", err)
		r.unsure()
	}
	return nil
}

// listenTo lets the kernel pass what is watched.
func (r *reloader) listenTo(w filter.Watch) error { return r.attach(w, r.loop.source.SetProgram) }

// attach gives the kernel's filter for what is watched to who needs it. Where the
// kernel has no room for it, a coarse one must do.
func (r *reloader) attach(w filter.Watch, give func([]bpf.Instruction) error) error {
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

func (r *reloader) tell(o outcome) {
	switch o.kind {
	case control.Applied:
		r.log.Info("scripts applied", "generation", o.generation)
	case control.Rejected:
		r.log.Warn("scripts rejected: the old ones stay", "generation", o.generation, "error", o.text)
	case control.Held:
		r.log.Warn("scripts held: the old ones stay", "generation", o.generation, "reason", o.text)
	}
}
