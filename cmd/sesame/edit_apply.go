//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/packet"
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
	r.Claims = claims(e.command)
	r.Waiting = func(limit time.Duration) {
		e.note("the daemon loads the scripts and runs their tests; it is waited for, at most %s", span(limit))
	}
	var err error
	switch r.status, err = r.Status(ctx); {
	case errors.Is(err, control.ErrNoDaemon):
		r.none = "no daemon answers: one that starts will load the script"
	case err != nil:
		r.none = err.Error()
	case !sameFile(r.status.Scripts.Path, e.config.Scripts):
		r.none = "the daemon runs other scripts, those of " + r.status.Scripts.Path
	}
	return r
}

// reload makes the daemon load what was written, for good or on trial. What it refuses is put back,
// and then settled is false. It prints last: a terminal that is gone must not keep it from what it
// has to do.
func (e *editing) reload(ctx context.Context, to *editedDaemon, try *attempt) (settled bool, err error) {
	if to.none != "" {
		return true, e.print("written: %s\n", pathsOf(try.files))
	}
	request := control.ReloadRequest{}
	if try.trial {
		request.Trial = control.Duration(e.flags.time)
	}
	for _, text := range try.held {
		port, err := packet.ParsePort(text)
		if err != nil {
			return false, fmt.Errorf("the daemon holds a guard of %q: %w", text, err)
		}
		request.Unguard = append(request.Unguard, control.Port{Port: port})
	}
	outcome, err := to.Reload(ctx, request)
	refusal, refused := errors.AsType[control.Refusal](err)
	switch {
	case err != nil && !refused:
		return false, fmt.Errorf("%s: written; making the daemon load that: %w", pathsOf(try.files), err)
	case refused:
		outcome = control.Outcome{Outcome: control.Rejected, Error: refusal.Error(), Generation: to.status.Scripts.Generation, Doors: to.status.Scripts.Doors}
	}
	try.refused = outcome.Outcome == control.Rejected || outcome.Outcome == control.Held
	try.held = outcome.Held
	switch {
	case try.refused:
		return false, e.putBack(&outcome, try)
	case try.trial && outcome.Trial == nil && outcome.Generation != to.status.Scripts.Generation:
		return false, e.tooLate(ctx, to, try)
	}
	e.status = done
	if err := e.print("written: %s\n", pathsOf(try.files)); err != nil {
		return true, err
	}
	return true, e.printOutcome(&outcome)
}

// putBack makes the script what it was, since the daemon does not take the edit.
func (e *editing) putBack(outcome *control.Outcome, try *attempt) error {
	e.status = answerNo
	err := undo(try.files)
	if err := e.printOutcome(outcome); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("putting the script back: %w", err)
	}
	e.note("the script on the disk is as it was")
	return nil
}

// tooLate makes the script what it was, when the daemon found it by itself before it was asked for
// a trial: what it loaded would stay.
func (e *editing) tooLate(ctx context.Context, to *editedDaemon, try *attempt) error {
	e.status = answerNo
	if err := undo(try.files); err != nil {
		return fmt.Errorf("no trial runs, since the daemon found the script by itself before that; putting the script back: %w", err)
	}
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
