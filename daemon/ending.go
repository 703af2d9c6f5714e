package daemon

import (
	"context"
	"errors"
)

// finish waits for a result. After ctx has ended it waits a little longer, and reports false when
// there is still none: a file system that does not answer, such as one of a server that is gone,
// holds up whoever reads scripts there. It must not hold up the end of the daemon.
func finish(ctx context.Context, result <-chan error) (err error, ended bool) {
	select {
	case err = <-result:
		return err, true
	case <-ctx.Done():
	}
	select {
	case err = <-result:
		return err, true
	case <-after(diskPatience):
		return nil, false
	}
}

// begin prepares the daemon. It reports false when ctx ended and something still hangs: then only
// the end of the process stops it, and nothing of the daemon may be touched or closed.
func (d *daemon) begin(ctx context.Context) (err error, ended bool) {
	result := make(chan error, 1)
	go func() { result <- d.prepare(ctx) }()
	return finish(ctx, result)
}

// join waits for the goroutines of the daemon. When the loop and its effects have ended, as ended
// says, those that hang are left behind. Tasks is the context of all: its cause is the error of the
// first that failed.
func (d *daemon) join(tasks, ended context.Context, wait func() error) error {
	result := make(chan error, 1)
	go func() { result <- wait() }()
	err, all := finish(ended, result)
	if all {
		return err
	}
	d.config.Log.Warn("a file system does not answer: what reads it is not waited for")
	if cause := context.Cause(tasks); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
