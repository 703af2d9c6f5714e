package daemon

import (
	"cmp"
	"context"
	"encoding/hex"
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

// hold returns a note that files wait for a person.
func (r *reloader) hold(files *source.Files, why control.Hold) *state.Held {
	return &state.Held{Sum: sumText(files), Why: string(why), At: r.loop.clock.now().Add(r.loop.wallOffset()).UTC()}
}

// holdAny returns a note that whatever files there are wait for a person: a trial runs, or ended
// just now. What is saved during one by whoever cannot get in is not for a start to put in force.
func (r *reloader) holdAny() *state.Held {
	held := &state.Held{Any: true, Why: string(control.HeldByTrial), At: r.loop.clock.now().Add(r.loop.wallOffset()).UTC()}
	if r.heldFor != nil {
		held.From = wire.Text(r.heldFor.from)
	}
	return held
}

func sumText(files *source.Files) string {
	sum := files.ScriptsSum()
	return hex.EncodeToString(sum[:])
}

// isHeld reports whether files are those that wait for a person.
func isHeld(held *state.Held, files *source.Files) bool {
	return held != nil && (held.Any || held.Sum == sumText(files))
}

// waits reports whether changed files are not put in force now, because nobody asked for it. Each
// is told once.
func (r *reloader) waits(ctx context.Context, now current, files *source.Files) bool {
	switch {
	case r.heldAny:
		r.heldAny = false
		if !isHeld(r.held, files) {
			r.held = r.hold(files, cmp.Or(r.last.hold, control.HeldByTrial))
		}
		r.keep(now.inForce)
	case r.seen != nil && files.Compare(r.seen) != source.Changed:
		r.noteReadable(ctx)
		return true
	case r.trial != nil:
		r.trial.waits = true
		r.log.Info("scripts changed during a trial, and wait for its end: unless it is confirmed, they are held then")
	case isHeld(r.held, files):
		r.log.Info("the scripts are again those that are held, and wait: sesame reload")
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
func (r *reloader) signalWaits(files *source.Files) bool {
	if r.trial == nil && !r.heldAny && !isHeld(r.held, files) {
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
		r.log.Warn("the scripts of the configuration cannot be read; they are put in force when they can be, and change", "error", err)
		return nil, nil
	}
	r.seen = files
	return r.hold(files, control.HeldByFrom), nil
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
func (d *daemon) heldAtStart(found stateFound, good, set *scripting.Set, files *source.Files) (hold control.Hold, text string) {
	switch {
	case isHeld(found.saved.Held, files) && !(found.saved.Held.Any && sameFiles(good, set)):
		hold = control.Hold(found.saved.Held.Why)
	case d.config.Reload == "manual" && !sameFiles(good, set):
		hold = control.HeldByManual
	default:
		return "", ""
	}
	return hold, heldText(hold, string(found.saved.From))
}

// trialAtStart returns what is told of a trial that the end of a daemon ended, when the files are
// those that run; nil: there was none.
func trialAtStart(held *state.Held, at time.Time) *outcome {
	if held == nil || !held.Any {
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
	}
	return `the scripts changed, and the configuration says reload = "manual", so those that were in force when the daemon ended are in force again`
}

// releasedPorts returns the ports that a person lets lose their guards.
func releasedPorts(ports []control.Port) (released []packet.Port) {
	for _, p := range ports {
		released = append(released, p.Port)
	}
	return released
}
