package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/audit"
	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/packet"
)

// AuditPath returns where the audit log of a configuration is; "": nowhere.
func AuditPath(c *config.Config) string {
	switch {
	case c.Log.Audit.Text != "":
		return absolute(c.Log.Audit.Text)
	case c.Log.Audit.From != "":
		return ""
	}
	return filepath.Join(absolute(c.State), audit.Name)
}

// audited returns a function of the API whose calls have entries in the audit log. Entry tells what
// was asked for, and what came of it.
func audited[Q, T any](d *daemon, call func(context.Context, Q) (T, error), entry func(*Q, *T) audit.Entry) func(context.Context, Q) (T, error) {
	return func(ctx context.Context, q Q) (T, error) {
		answer, err := call(ctx, q)
		e := entry(&q, &answer)
		judge(&e, err)
		d.note(ctx, e)
		return answer, err
	}
}

// judge notes what came of a request.
func judge(e *audit.Entry, err error) {
	refusal, refused := errors.AsType[control.Refusal](err)
	switch {
	case refused:
		e.Outcome, e.Detail = audit.Refused, refusal.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errStopping):
		e.Outcome, e.Detail = audit.Unknown, "the answer was not waited for: it may have been done"
	case err != nil:
		e.Outcome, e.Detail = audit.Failed, err.Error()
	case e.Outcome == "":
		e.Outcome = audit.Done
	}
}

// note adds an entry of who asked.
func (d *daemon) note(ctx context.Context, e audit.Entry) {
	if caller, known := control.CallerOf(ctx); known {
		NoteCaller(&e, &caller)
	}
	e.Time = d.wallNow()
	d.audit.Add(e)
}

// wallNow returns the time of the wall clock.
func (d *daemon) wallNow() time.Time {
	now, offset := d.clock.read()
	return now.Add(offset).UTC().Truncate(time.Microsecond)
}

// NoteCaller notes who asked. The process may have ended, or be hidden from this one (ProtectProc=
// in the unit): then nothing is known of its login but what the client claims.
func NoteCaller(e *audit.Entry, c *control.Caller) {
	e.UID, e.GID, e.PID, e.User = &c.UID, &c.GID, c.PID, nameOf(c.UID)
	if login, known := loginIn(fmt.Sprintf("/proc/%d/loginuid", c.PID)); known {
		e.LoginUID, e.LoginUser = &login, nameOf(login)
	}
	e.ClaimedCommand, e.ClaimedLogin, e.ClaimedSudoUser, e.ClaimedAddress = c.Claims.Command, c.Claims.Login, c.Claims.SudoUser, c.Claims.Address
}

// loginIn returns the login in a file of /proc; false: there is none, or it cannot be read.
func loginIn(path string) (uid uint32, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	return control.LoginOf(string(text))
}

// nameOf returns the name of a user; "" when the machine does not tell it.
func nameOf(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return ""
	}
	return u.Username
}

func auditGrant(q *control.GrantRequest, given *control.Grant) audit.Entry {
	return audit.Entry{Action: audit.Grant, Source: q.Source.String(), Port: q.Port.String(), TTL: q.TTL.String(), Grant: given.ID}
}

func auditRevoke(q *control.RevokeRequest, gone *[]control.Grant) audit.Entry {
	e := audit.Entry{Action: audit.Revoke, Source: q.Source.String(), Cut: q.Cut, Count: len(*gone)}
	if q.Port.Port != (packet.Port{}) {
		e.Port = q.Port.String()
	}
	return e
}

// auditForget has no key: one may be a word that somebody could use again now.
func auditForget(q *control.ForgetRequest, gone *control.Forgotten) audit.Entry {
	e := audit.Entry{Action: audit.Forget, Script: string(q.Script), Count: gone.Count, Detail: gone.Unwritten}
	if q.Source.IsValid() {
		e.Source = q.Source.String()
	}
	return e
}

func auditReload(q *control.ReloadRequest, o *control.Outcome) audit.Entry {
	e := audit.Entry{
		Action: audit.Reload, Outcome: string(o.Outcome), Detail: o.Error, Generation: o.Generation,
		SkipTests: q.SkipTests, From: q.From, Return: q.Return, Unguard: strings.Join(portTexts(releasedPorts(q.Unguard)), ", "),
	}
	if q.Trial != 0 {
		e.Trial = q.Trial.String()
	}
	return e
}

func auditConfirm(q *control.ConfirmRequest, o *control.Outcome) audit.Entry {
	return audit.Entry{Action: audit.Confirm, Force: q.Force, Generation: o.Generation, Detail: o.Error}
}

// auditedRecord returns a function that writes a recording, whose calls have entries.
func (d *daemon) auditedRecord(call func(context.Context, io.Writer) error, withheld bool) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		err := call(ctx, w)
		e := audit.Entry{Action: audit.Record, Withheld: withheld}
		judge(&e, err)
		d.note(ctx, e)
		return err
	}
}

// auditSignal adds an entry of a signal. The kernel does not tell a Go program who sent it.
func (d *daemon) auditSignal(ctx context.Context, o *outcome) {
	e := audit.Entry{Action: audit.Signal, Signal: "SIGHUP", Outcome: string(o.kind), Detail: o.text, Generation: o.generation}
	judge(&e, o.refused())
	d.note(ctx, e)
}
