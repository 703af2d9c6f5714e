package daemon

import (
	"context"
	"time"

	"sesame/daemon/control"
)

func (d *daemon) reload(ctx context.Context, q control.ReloadRequest) (control.Outcome, error) {
	d.reopenLogs(ctx)
	o, err := d.reloader.request(ctx, wish{
		unguard: releasedPorts(q.Unguard), skipTests: q.SkipTests, from: d.fromOf(q.From), trial: time.Duration(q.Trial), giveUp: q.Return,
	})
	if err != nil {
		return control.Outcome{}, err
	}
	return d.reloader.answer(ctx, o), o.refused()
}

// fromOf returns where a person wants scripts from; "" when that is the path of the configuration.
func (d *daemon) fromOf(path string) string {
	if path == absolute(d.config.Scripts) {
		return ""
	}
	return path
}

// latelyApplied is how long a reload that finds nothing to do tells what became of the files before
// it: the watcher is often faster than a person who saves a file and asks for a reload.
const latelyApplied = time.Minute

// answer returns an outcome for the person who asked for the reload.
func (r *reloader) answer(ctx context.Context, o outcome) (answer control.Outcome) {
	r.loop.do(ctx, func() {
		l := r.loop
		answer = o.control(len(l.set.Engine.Doors), l.wallOffset())
		if o.kind != control.Applied && o.kind != control.Unchanged {
			return
		}
		answer.Unread = unreadTexts(l.engine.Unread())
		last := &r.last
		if o.kind == control.Unchanged && !last.at.Equal(o.at) && last.tells() && l.clock.now().Sub(last.at) <= latelyApplied {
			answer.Last = &control.LastReload{At: last.at.Add(l.wallOffset()).UTC(), Outcome: last.control(len(l.set.Engine.Doors), l.wallOffset())}
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
func (o outcome) control(doors int, offset time.Duration) control.Outcome {
	answer := control.Outcome{
		Outcome: o.kind, Generation: o.generation, Doors: doors,
		Error: o.text, Held: portTexts(o.held), ChangesCount: len(o.changes), Tests: o.tests, Unread: o.unread,
		Writable: o.writable[:min(len(o.writable), maxWritable)],
		Trial:    o.trial.control(offset), Hold: o.hold,
	}
	for _, change := range o.changes[:min(len(o.changes), maxChanges)] {
		answer.Changes = append(answer.Changes, control.Change(change))
	}
	return answer
}
