//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sesame/daemon/control"
)

// An editedDaemon is the daemon that runs the scripts which are edited.
type editedDaemon struct {
	*control.Client
	status control.Status
	none   string // why there is none; "": there is one
}

// daemon looks whether a daemon runs the scripts.
func (e *editing) daemon(ctx context.Context) *editedDaemon {
	r := &editedDaemon{Client: control.Dial(e.flags.diff.daemonSocket(&e.config))}
	r.Waiting = func(limit time.Duration) {
		e.note("the daemon loads the scripts and runs their tests; it is waited for, at most %s", span(limit))
	}
	var err error
	switch r.status, err = r.Status(ctx); {
	case errors.Is(err, control.ErrNoDaemon):
		r.none = "no daemon answers: it will load the script when it starts"
	case err != nil:
		r.none = err.Error()
	case !sameFile(r.status.Scripts.Path, e.config.Scripts):
		r.none = "the daemon runs other scripts, those of " + r.status.Scripts.Path
	}
	return r
}

// prevents says why a script cannot be put in force now; "" when it can.
func (r *editedDaemon) prevents(trial bool) string {
	switch {
	case r.none != "" && trial:
		return "nothing can be tried: " + r.none
	case r.none == "" && r.status.Trial != nil && !trial:
		return fmt.Sprintf("a trial runs until %s: first keep its scripts with sesame confirm, or return to those before with sesame reload --return; or try this edit", formatTime(r.status.Trial.Ends))
	}
	return ""
}

// reload makes the daemon load what was written, for good or on trial. It prints last: a terminal
// that is gone must not keep it from what it has to do.
func (e *editing) reload(ctx context.Context, to *editedDaemon, trial bool) error {
	if to.none != "" {
		return e.print("%s is written\n%s\n", e.file.path, to.none)
	}
	request := control.ReloadRequest{}
	if trial {
		request.Trial = control.Duration(e.flags.time)
	}
	outcome, err := to.Reload(ctx, request)
	if refusal, refused := errors.AsType[control.Refusal](err); refused {
		e.note("%s is written, and is not in force: %s", e.file.path, refusal.Error())
		e.status = answerNo
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s is written; making the daemon load it: %w", e.file.path, err)
	}
	loaded := outcome.Outcome == control.Applied || outcome.Outcome == control.Unchanged
	if trial && loaded && outcome.Trial == nil && outcome.Generation != to.status.Scripts.Generation {
		return e.putBack(ctx, to)
	}
	if !loaded {
		e.status = answerNo
	}
	if err := e.print("%s is written\n", e.file.path); err != nil {
		return err
	}
	return e.printOutcome(&outcome)
}

// putBack makes the script what it was, when the daemon found it by itself before it was asked for
// a trial: what it loaded would stay.
func (e *editing) putBack(ctx context.Context, to *editedDaemon) error {
	e.status = answerNo
	if err := e.file.undo(); err != nil {
		return fmt.Errorf("no trial runs, since the daemon found the script by itself before that; putting the script back: %w", err)
	}
	e.file.before = nil // so the copy is kept
	outcome, err := to.Reload(ctx, control.ReloadRequest{})
	e.note("the daemon found the script by itself before the trial began, so no trial runs: the script is put back")
	if err != nil {
		return err
	}
	return e.printOutcome(&outcome)
}

// sameFile reports whether two paths lead to the same file or directory.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
