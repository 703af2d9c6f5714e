package daemon

import (
	"context"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/packet"
)

func (d *daemon) reload(ctx context.Context, q control.ReloadRequest) (control.Outcome, error) {
	if q.Trial != 0 || q.From != "" || q.Return {
		return control.Outcome{}, control.Refusal("this daemon knows no trials and no scripts from elsewhere")
	}
	var released []packet.Port
	for _, p := range q.Unguard {
		released = append(released, p.Port)
	}
	d.reopenLogs(ctx)
	o, err := d.reloader.request(ctx, wish{released, q.SkipTests})
	if err != nil {
		return control.Outcome{}, err
	}
	return d.reloader.answer(ctx, o), nil
}

// confirm keeps the set of a trial.
func (d *daemon) confirm(context.Context, control.ConfirmRequest) (control.Outcome, error) {
	return control.Outcome{}, control.Refusal("no trial runs: the scripts that are in force stay")
}

// latelyApplied is how long a reload that finds nothing to do tells what became of the files before
// it: the watcher is often faster than a person who saves a file and asks for a reload.
const latelyApplied = time.Minute

// answer returns an outcome for the person who asked for the reload.
func (r *reloader) answer(ctx context.Context, o outcome) (answer control.Outcome) {
	r.loop.do(ctx, func() {
		l := r.loop
		answer = o.control(len(l.set.Engine.Doors))
		if o.kind != control.Applied && o.kind != control.Unchanged {
			return
		}
		answer.Unread = unreadTexts(l.engine.Unread())
		last := &r.last
		if o.kind == control.Unchanged && !last.at.Equal(o.at) && last.tells() && l.clock.now().Sub(last.at) <= latelyApplied {
			answer.Last = &control.LastReload{At: last.at.Add(l.wallOffset()).UTC(), Outcome: last.control(len(l.set.Engine.Doors))}
		}
	})
	return answer
}

// tells reports whether the outcome tells something of the scripts that run: they were applied, or
// their tests ran again.
func (o *outcome) tells() bool {
	return o.kind == control.Applied || o.kind == control.Unchanged && o.tests != nil
}

// Bounds of an answer.
const (
	maxChanges  = 100
	maxWritable = 20
)

// control returns an outcome as the control socket sends it.
func (o outcome) control(doors int) control.Outcome {
	answer := control.Outcome{
		Outcome: o.kind, Generation: o.generation, Doors: doors,
		Error: o.text, Held: portTexts(o.held), ChangesCount: len(o.changes), Tests: o.tests, Unread: o.unread,
		Writable: o.writable[:min(len(o.writable), maxWritable)],
	}
	for _, change := range o.changes[:min(len(o.changes), maxChanges)] {
		answer.Changes = append(answer.Changes, control.Change(change))
	}
	return answer
}
