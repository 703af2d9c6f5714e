package daemon

import (
	"context"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// stored returns a page of stored values. The loop only collects them: they are sorted here.
func (d *daemon) stored(ctx context.Context, q control.StoredRequest) (control.Stored, error) {
	var all []engine.Value
	offset := time.Duration(0)
	if !d.loop.do(ctx, func() { all, offset = d.loop.engine.Values(q.Selection()), d.loop.wallOffset() }) {
		return control.Stored{}, unanswered(ctx)
	}
	return control.StoredOf(all, &q, offset), nil
}

// forget makes stored values be forgotten, and waits until the disk has that. The log has no keys:
// one may be a word that somebody could use again now.
func (d *daemon) forget(ctx context.Context, q control.ForgetRequest) (control.Forgotten, error) {
	var gone control.Forgotten
	chosen := q.Selection()
	var written <-chan error
	if !d.loop.do(ctx, func() {
		if gone.Count = len(d.loop.engine.Values(chosen)); gone.Count == 0 {
			return
		}
		d.loop.input(record.Forget(chosen), func(now time.Time) []engine.Event { return d.loop.engine.Forget(now, chosen) })
		written = d.loop.runner.Written()
	}) {
		return gone, unanswered(ctx)
	}
	if gone.Count == 0 {
		return gone, nil
	}
	d.config.Log.Info("stored values were forgotten, as a person requested", "script", chosen.Script, "values", gone.Count)
	select {
	case err := <-written:
		if err != nil {
			gone.Unwritten = err.Error()
		}
		return gone, nil
	case <-ctx.Done():
		return gone, ctx.Err()
	}
}
