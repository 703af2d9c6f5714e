package daemon

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/engine"
	"sesame/daemon/metrics"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/source"
)

// errStopping is returned once the loop has ended.
var errStopping = errors.New("the daemon is stopping")

// api returns the functions that the control socket serves. Each is called from the goroutine
// of a connection, and reads what the loop owns through loop.do.
func (d *daemon) api() control.API {
	api := control.API{
		Status: d.status, Grants: d.grants, Stored: d.stored, Events: d.tail, Refused: d.denied,
		Grant: audited(d, d.grant, auditGrant), Revoke: audited(d, d.revoke, auditRevoke), Forget: audited(d, d.forget, auditForget),
		Reload: audited(d, d.reload, auditReload), Confirm: audited(d, d.confirm, auditConfirm),
		Record: d.auditedRecord(d.record, false), RecordWithheld: d.auditedRecord(d.recordWithheld, true),
		Metrics: d.metricsHandler(metrics.Trusted),
	}
	if d.config.Pprof {
		api.Profiles = profiles()
	}
	return api
}

func (d *daemon) grants(ctx context.Context) (all []control.Grant, err error) {
	offset := time.Duration(0)
	if !d.loop.do(ctx, func() { all, offset = d.grantList(), d.loop.wallOffset() }) {
		return nil, unanswered(ctx)
	}
	if guard, ours := d.firewall.(*firewall.Guard); ours {
		results := d.outdated.with(guard.Reached())
		for i := range all {
			all[i].Reached = reachedOf(results, &all[i], offset, d.since)
		}
	}
	return all, nil
}

// grantList returns the live grants as they are now. Only the loop may call it.
func (d *daemon) grantList() []control.Grant {
	live, now, offset := d.loop.engine.Grants(), d.loop.clock.now(), d.loop.wallOffset()
	all := make([]control.Grant, len(live))
	for i := range live {
		all[i] = control.GrantOf(&live[i], now, offset)
		if live[i].Shared {
			all[i].SharedBy = d.loop.engine.Holders(&live[i])
		}
		all[i].Failure = control.FailureOf(d.loop.engine.Failure(&live[i]))
	}
	return all
}

// grant gives access by hand, and waits until the firewall has it.
func (d *daemon) grant(ctx context.Context, q control.GrantRequest) (control.Grant, error) {
	var given control.Grant
	var refused error
	done := make(chan error, 1)
	in := record.Input{Kind: record.InputGrant, Source: q.Source.Prefix, Port: wire.Port(q.Port.Port), TTL: time.Duration(q.TTL)}
	if !d.loop.do(ctx, func() {
		var id uint64
		d.loop.input(in, func(now time.Time) []engine.Event {
			events := d.loop.engine.Grant(now, in.Source, q.Port.Port, in.TTL)
			id, refused = d.awaited(events, done)
			return events
		})
		for _, g := range d.grantList() {
			if g.ID == id {
				given = g
			}
		}
		given.Unguarded = !slices.Contains(d.loop.guards.Drop, q.Port.Port)
	}) {
		return given, unanswered(ctx)
	}
	if refused != nil {
		return given, refused
	}
	select {
	case err := <-done:
		return given, err
	case <-ctx.Done():
		return given, ctx.Err()
	}
}

// awaited returns the ID of the grant that events give, and registers done for the result of
// its effect. It returns an error when the engine refused the grant.
func (d *daemon) awaited(events []engine.Event, done chan<- error) (grant uint64, refused error) {
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == engine.EventRefuse:
			return 0, control.Refusal(e.Detail)
		case e.Kind == engine.EventEffect && e.Effect == engine.EffectAllow && e.Door == "":
			if e.ID == 0 { // a wider grant covers it
				done <- nil
			} else {
				d.waiting[e.ID] = done
			}
			return e.Grant, nil
		}
	}
	return 0, errors.New("the engine gave no answer")
}

// answered passes the result of an effect to the connection that waits for it. The loop calls
// it for each result.
func (d *daemon) answered(id uint64, err error) {
	if done, some := d.waiting[id]; some {
		delete(d.waiting, id)
		done <- err
	}
}

// revoke ends grants and waits until the firewall has closed their ports. It returns the
// grants as they were before, and entries without an ID for sessions that it ended.
func (d *daemon) revoke(ctx context.Context, q control.RevokeRequest) (gone []control.Grant, err error) {
	if q.Cut && d.config.Firewall.Mode == "set" {
		return nil, control.Refusal(cutInSetMode)
	}
	in := record.Input{Kind: record.InputRevoke, Source: q.Source.Prefix, Port: wire.Port(q.Port.Port), Cut: q.Cut}
	var shut <-chan error
	if !d.loop.do(ctx, func() {
		before := d.grantList()
		d.loop.input(in, func(now time.Time) []engine.Event {
			events := d.loop.engine.Revoke(now, in.Source, q.Port.Port, q.Cut)
			gone = ended(before, events)
			return events
		})
		shut = d.loop.install()
	}) {
		return nil, unanswered(ctx)
	}
	select {
	case err := <-shut:
		return gone, err
	case <-ctx.Done():
		return gone, ctx.Err()
	}
}

const cutInSetMode = "sessions cannot be cut in set mode: rules of your own decide there what an open connection may do; without --cut the grants end"

// ended returns what a revoke ended: grants, and sessions without a grant.
func ended(before []control.Grant, events []engine.Event) []control.Grant {
	var gone []control.Grant
	for i := range events {
		e := &events[i]
		at := slices.IndexFunc(before, func(g control.Grant) bool { return g.ID == e.Grant })
		switch {
		case e.Kind == engine.EventClose && at >= 0:
			before[at].Cut = e.Cut
			gone = append(gone, before[at])
		case e.Kind == engine.EventEffect && e.Effect == engine.EffectCut:
			gone = append(gone, control.Grant{Source: control.Source{Prefix: e.Source}, Port: control.Port{Port: e.Port}, Cut: true})
		}
	}
	return gone
}

// status returns what the daemon does, and the verdict on it.
func (d *daemon) status(ctx context.Context) (control.Status, error) {
	s, err := d.findings(ctx, func() (firewallLook, fileState) { return d.lookNow(ctx) }, func() {})
	s.Health = control.HealthOf(&s)
	return s, err
}

// findings returns what the daemon does and what is wrong with it. The loop calls also at the
// moment of which the status is.
func (d *daemon) findings(ctx context.Context, look func() (firewallLook, fileState), also func()) (s control.Status, err error) {
	kernel, files := look()
	var asks []source.AskSite
	if !d.loop.do(ctx, func() { s, asks = d.statusNow(), d.loop.set.Asks; also() }) {
		return s, unanswered(ctx)
	}
	s.Scripts.Drift, s.Scripts.Unreadable = files.drift, files.unreadable
	s.Scripts.Writable, s.Scripts.WritableAllowed = joined(files.held, writable.Text(files.writable)), d.config.AllowWritable
	s.Scripts.WritableFiles = files.writable[:min(len(files.writable), maxWritable)]
	s.Scripts.Unrunnable, s.Scripts.UnrunnableCount = files.unrunnable, files.unrunnableCount
	s.Geo, s.Hosts = d.geoStatus(asks), d.hostStatus()
	s.Firewall.Conntrack = kernel.tracked
	if kernel.err != nil {
		s.Firewall.Unseen = kernel.err.Error()
	}
	s.Firewall.FullSets = kernel.full
	d.addMeasured(ctx, &kernel, &s)
	return s, nil
}

// joined joins two lists of findings, of which each may be empty.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// unanswered returns why the loop did not answer: the time of the request is over, or the daemon
// is stopping.
func unanswered(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errStopping
}

// drift reports whether the files on disk differ from those that run. Lines of one-time
// sequences that the daemon itself commented out are no difference. It also returns why files
// cannot be read, if so.
func (d *daemon) drift(ctx context.Context) (drift bool, unreadable string) {
	var files *source.Files
	if !d.loop.do(ctx, func() { files = d.loop.files }) {
		return false, ""
	}
	there, err := d.readAgain(ctx, files, files.Referenced())
	if err == nil {
		if there.Compare(files) != source.Changed {
			return false, ""
		}
		err = there.Unreadable()
	}
	if err != nil {
		unreadable = err.Error()
	}
	return true, unreadable
}

// statusNow returns the part of the status that the loop owns. Only the loop may call it.
func (d *daemon) statusNow() control.Status {
	// One reading of the clock: an attempt that ends between two would be in neither number.
	l, offset, now := d.loop, d.loop.wallOffset(), d.loop.clock.now()
	counts := l.engine.Counts()
	counts.Misses += l.engine.Overdue(now)
	s := control.Status{
		Version: d.config.Version, Mode: d.mode(), Now: now.Add(offset).UTC(), Offset: control.Duration(offset), Since: d.since.Add(offset).UTC(), Privileges: d.privileges, User: d.user, Confinement: d.confinement.Load().text,
		Helper: d.helperStatus(offset),
		Scripts: control.Scripts{
			Path: d.config.Scripts, Generation: d.reloader.running, SHA256: hex.EncodeToString(l.files.Sum[:]),
			Loaded: d.reloader.loaded.Add(offset).UTC(), Doors: len(l.set.Engine.Doors), LastGood: d.reloader.lastGood,
			From: d.reloader.from, Manual: d.reloader.manual,
		},
		Guards: portTexts(l.guards.Drop), Observed: portTexts(l.guards.Count),
		Live:     control.Live{Attempts: l.engine.Attempts(now), Grants: len(l.engine.Grants())},
		Counts:   control.CountsOf(counts, l.dropped),
		Firewall: d.firewallStatus(offset),
		Effects:  d.effects(offset),
		Recorder: d.recorderStatus(offset),
	}
	s.Capture.Interfaces, s.Capture.Missing = d.links.Captured(d.config.Interfaces)
	s.Capture.Lost, s.Capture.Coarse, s.ClockDoubt = l.lost, d.reloader.coarse.Load(), l.windowsRefuse
	for _, door := range l.set.Engine.Doors {
		if door.Observe {
			s.Scripts.Observed = append(s.Scripts.Observed, door.Name)
		}
		if door.Cut && d.config.Firewall.Mode == "set" {
			s.Scripts.CutIgnored = append(s.Scripts.CutIgnored, door.Name)
		}
	}
	s.Scripts.Confined, s.KnockdLog, s.AuditLog = d.confined.Load(), d.knockd.Failure(), d.audit.Failure()
	s.State.Damaged, s.State.Torn, s.State.Newer = d.damaged, d.torn, d.newer
	if d.reloader.lastGood {
		s.State.SetUnloaded = d.unloaded
	}
	d.troubles.tell(&s)
	s.MetricsUnserved = cmp.Or(s.MetricsUnserved, d.metricsElsewhere())
	s.State.Journal = journalStatus(l.runner.Journal(), offset)
	s.Scripts.Unread = unreadTexts(l.engine.Unread())
	s.Scripts.Failing = failing(l.engine.Failing(), l.engine.TimedOut(), offset)
	s.Scripts.Timeouts = timeouts(l.engine.TimedOut(), offset)
	s.Scripts.UsedUp = usedUp(l.engine.Doors())
	s.Scripts.Limited = limited(l.engine.Limiting(), offset)
	s.Scripts.OtherPayloads = otherPayloads(l.engine.Misfits(), offset)
	if o := d.reloader.last; o.kind != "" {
		s.LastReload = control.LastReload{At: o.at.Add(offset).UTC(), Outcome: o.control(len(l.set.Engine.Doors), offset)}
	}
	s.Trial = d.reloader.trialStatus(now)
	return s
}

// journalStatus returns the state of the journal, with times of the wall clock.
func journalStatus(j effect.JournalState, offset time.Duration) control.Journal {
	if j.Err == nil {
		return control.Journal{}
	}
	return control.Journal{Unwritable: j.Err.Error(), Since: j.Since.Add(offset).UTC(), Pending: j.Pending}
}

// failing returns the functions that failed when they ran last, with times of the wall clock. One
// that the clock ended is left out when that was long ago: it may run rarely, and the machine was
// busy then.
func failing(all []engine.Failing, recent []engine.TimedOut, offset time.Duration) (list []control.Failing) {
	for _, f := range all {
		if f.Fault.Timeout && !slices.ContainsFunc(recent, func(t engine.TimedOut) bool { return t.Script == f.Script }) {
			continue
		}
		list = append(list, control.Failing{
			Door: f.Door, Function: scripting.FunctionName(f.Kind), Handler: f.Handler,
			File: f.Fault.Script, Line: f.Fault.Line, Detail: f.Fault.Detail, At: f.At.Add(offset).UTC(), Count: f.Count, Timeout: f.Fault.Timeout,
		})
	}
	return list
}

// timeouts returns the scripts of which functions were ended by the clock, with times of the wall
// clock.
func timeouts(all []engine.TimedOut, offset time.Duration) (list []control.ScriptTimeout) {
	for _, one := range all {
		list = append(list, control.ScriptTimeout{
			Script: one.Script, File: one.Fault.Script, Line: one.Fault.Line, Detail: one.Fault.Detail, At: one.At.Add(offset).UTC(), Count: one.Count,
		})
	}
	return list
}

// usedUp returns the doors whose one-time sequences are all consumed.
func usedUp(doors []*engine.Door) (all []control.UsedUp) {
	for _, door := range doors {
		if door.OneTime != nil && !door.Listen && len(door.Sequence) == 0 {
			all = append(all, control.UsedUp{Door: door.Name, File: door.OneTime.File})
		}
	}
	return all
}

// limited returns the doors that refused because of a bound, with times of the wall clock.
func limited(all []engine.Limiting, offset time.Duration) (list []control.Limited) {
	for _, one := range all {
		list = append(list, control.Limited{
			Door: one.Door, Bound: string(one.Bound), Detail: one.Detail, Now: one.Now, ByAnyone: one.ByAnyone, Source: one.Source, Count: one.Count,
			Since: one.Since.Add(offset).UTC(), Last: one.Last.Add(offset).UTC(),
		})
	}
	return list
}

// otherPayloads returns the doors to which packets with another payload came.
func otherPayloads(all []engine.Misfits, offset time.Duration) (list []control.OtherPayload) {
	for _, one := range all {
		list = append(list, control.OtherPayload{Door: one.Door, Count: one.Count, Last: one.Last.Add(offset).UTC(), Source: one.Source, Detail: one.Detail})
	}
	return list
}

// mode returns whether decisions are enforced.
func (d *daemon) mode() control.Mode {
	if d.config.Observe {
		return control.Observe
	}
	return control.Enforce
}

func (d *daemon) firewallStatus(offset time.Duration) control.Firewall {
	f := control.Firewall{State: "ok", Mode: d.config.Firewall.Mode, Repairs: d.firewallState.repairs, Conflicts: d.firewallState.conflicts}
	if guard, ours := d.firewall.(*firewall.Guard); ours {
		f.Mark = fmt.Sprintf("%#x", guard.Mark())
	}
	if d.firewallState.err != nil {
		f.State = d.firewallState.err.Error()
	}
	if !d.firewallState.repaired.IsZero() {
		f.Repaired = d.firewallState.repaired.Add(offset).UTC()
	}
	return f
}

// recorderStatus returns the zero value when nothing is recorded.
func (d *daemon) recorderStatus(offset time.Duration) (r control.Recorder) {
	if d.loop.recorder == nil {
		return r
	}
	if recording := d.loop.recorder.Recording(); recording != nil {
		r.From = recording.Begin().Add(offset).UTC()
	}
	r.Bytes, r.Blind = d.loop.recorder.Size(), d.loop.recorder.Blind()
	return r
}
