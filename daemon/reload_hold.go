package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/scripting/source"
)

// This file is about files that are not put in force by themselves, although they may have no
// fault: they were tried, a set from elsewhere runs, or the configuration says reload = "manual".

// hold returns a note that files wait for a person: of a trial that runs or ended, whose scripts
// are from there, or of another set that is in force.
func (r *reloader) hold(why control.Hold, running bool, from string) *state.Held {
	return &state.Held{Why: string(why), Running: running, From: wire.Text(from), At: r.loop.clock.now().Add(r.loop.wallOffset()).UTC()}
}

// waits reports whether changed files are not put in force now, because nobody asked for it. Each
// is told once.
func (r *reloader) waits(ctx context.Context, now current, files *source.Files) bool {
	switch {
	case r.seen != nil && files.Compare(r.seen) != source.Changed:
		r.noteReadable(ctx)
		return true
	case r.trial != nil:
		r.trial.waits = true
		r.log.Info("scripts changed during a trial, and wait for its end: unless it is confirmed, they are held then")
	case r.held != nil && r.from != "" && files.Compare(now.files) == source.Same && len(now.files.Referenced()) == 0:
		return false // they are what is in force
	case r.held != nil:
		r.log.Info("scripts changed, and wait, since scripts were tried, or are in force from elsewhere: sesame reload")
	case r.manual:
		r.log.Info("scripts changed, and wait, since the configuration says reload = \"manual\": sesame reload")
	default:
		return false
	}
	r.seen = files
	files.Forget()
	r.sendReferenced(now.files)
	return true
}

// noteReadable reports again what was reported of files that could not be read for a while.
func (r *reloader) noteReadable(ctx context.Context) {
	r.loop.do(ctx, func() {
		if r.unreadable != nil {
			r.last, r.unreadable = *r.unreadable, nil
		}
	})
}

// signalWaits reports whether a SIGHUP leaves files held: it may come from logrotate, and nobody
// looks at it.
func (r *reloader) signalWaits() bool {
	if r.trial == nil && r.held == nil {
		return false
	}
	r.log.Warn("a SIGHUP came, and the scripts stay as they are, since a trial runs, or those on the disk wait for a person: sesame reload")
	return true
}

// elsewhere reads what a person named with --from, and notes the files of the configuration, which
// wait then.
func (r *reloader) elsewhere(ctx context.Context, now current, set *scripting.Set, from string) (*state.Held, error) {
	for _, f := range set.Files {
		if f.OneTime && isBelow(f.Path, from) {
			return nil, fmt.Errorf("%s has one-time sequences, and lies below %s: what is used there stays valid in another copy, so name the one file by its absolute path", f.Path, from)
		}
	}
	files, err := r.readFiles(ctx, now, "")
	if errors.Is(err, errTrialOver) {
		return nil, err
	}
	if err != nil {
		r.seen = nil
		return r.hold(control.HeldByFrom, false, ""), nil
	}
	r.seen = files
	return r.hold(control.HeldByFrom, false, ""), nil
}

// isBelow reports whether a file lies in the directory of scripts, or of the one script.
func isBelow(path, scripts string) bool {
	if filepath.Ext(scripts) == ".lua" {
		scripts = filepath.Dir(scripts)
	}
	return strings.HasPrefix(path, filepath.Clean(scripts)+"/")
}

// readFiles reads the scripts at a path; "": that of the configuration. During a trial it waits for
// the disk no longer than the trial runs.
func (r *reloader) readFiles(ctx context.Context, now current, from string) (*source.Files, error) {
	if r.trial == nil {
		return r.read(ctx, from, now.files, r.referencedFiles(now.files))
	}
	type result struct {
		files *source.Files
		err   error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done, named := make(chan result, 1), r.referencedFiles(now.files)
	go func() {
		files, err := r.read(ctx, from, now.files, named)
		done <- result{files, err}
	}()
	select {
	case read := <-done:
		return read.files, read.err
	case <-r.trial.over:
		return nil, errTrialOver
	}
}

// hint makes the reloader look at the files again.
func (r *reloader) hint() {
	select {
	case r.hints <- struct{}{}:
	default:
	}
}

// heldAtStart returns why the files on the disk do not run at a start, although they have no fault;
// "": they run. Good is the set that was in force when the daemon ended.
func (d *daemon) heldAtStart(found stateFound, good, set *scripting.Set) (hold control.Hold, text string) {
	switch {
	case sameFiles(good, set):
		return "", ""
	case found.saved.Held != nil:
		hold = control.Hold(found.saved.Held.Why)
	case d.config.Reload == "manual":
		hold = control.HeldByManual
	default:
		return "", ""
	}
	return hold, heldText(hold, string(found.saved.From))
}

// trialAtStart returns what is told of a trial that the end of a daemon ended, when the files are
// those that run; nil: there was none.
func trialAtStart(held *state.Held, at time.Time) *outcome {
	if held == nil || !held.Running {
		return nil
	}
	told := &trialTold{state: control.TrialReturned, began: held.At, ends: at, from: string(held.From), why: "the daemon ended"}
	return &outcome{
		kind: control.Held, generation: 1, at: at, trial: told, hold: control.HeldByTrial,
		text: fmt.Sprintf("scripts%s were on trial when the daemon ended, so those before are in force", fromText(told.from)),
	}
}

// heldText says why files wait.
func heldText(hold control.Hold, from string) string {
	switch hold {
	case control.HeldByReturn:
		return "the scripts were on trial, and a person ended that, so those before it are in force"
	case control.HeldByTrial:
		return "the scripts were on trial, and nobody confirmed them before the daemon ended or the trial was over, so those before it are in force"
	case control.HeldByFrom:
		return "scripts" + fromText(from) + " were put in force instead of those of the configuration, and are in force after this start, too"
	case control.HeldByManual:
		return `the scripts changed, and the configuration says reload = "manual", so those that were in force when the daemon ended are in force again`
	}
	return "a newer version of Sesame held the scripts, so those that were in force when it ended are in force again"
}

// releasedPorts returns the ports that a person lets lose their guards.
func releasedPorts(ports []control.Port) (released []packet.Port) {
	for _, p := range ports {
		released = append(released, p.Port)
	}
	return released
}
