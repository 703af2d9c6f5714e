package effect

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
)

// Config is what a Runner works with. Zero fields mean the defaults.
type Config struct {
	Firewall Firewall
	// Persist writes records; when it returns nil they survive a power cut. An
	// error means that none can be written now, never that one of them is wrong:
	// all of them are tried again until they are written. The runner's goroutine
	// alone calls it.
	Persist func([]engine.Record) error
	// Now returns engine time, to any goroutine.
	Now func() time.Time
	Log hclog.Logger // nil: nothing is logged
	// Commands is how many run at once; 16. The others wait in order.
	Commands int
	// Queue is how many effects that give something, and log lines, may be
	// unfinished; 16,384. Each takes less than a kilobyte.
	Queue int
	// Grace is how long commands have from [Runner.Stop] on, or else from the end of
	// Run's context, before those that still run are killed; ten seconds.
	Grace time.Duration
}

// A Runner carries out effects. The loop that owns the engine calls Enqueue,
// Install and Results, which never block; Run does the work in a goroutine of
// its own and starts one for each command that runs.
//
// What keeps order:
//   - Of all that is queued, records are written first, with one call of Persist.
//     A grant whose record cannot be written is not given.
//   - Then elements are changed, as many as follow each other with one call of
//     Apply. The last change that the engine decided for a source and port holds.
//   - Effects of one reply follow each other, also when one is a command that
//     takes its time. After one failed the rest is left out, and not answered.
//     Nobody else waits for them.
//   - Commands of one door and source run one after another, and so do commands
//     of one source with the same undo: no undo overtakes its command, and no
//     command the undo of its last run. Others run side by side. Lines of files are
//     marked among them, one after another in each file.
type Runner struct {
	cfg  Config
	exec func(context.Context, command, func(output, error)) // a command's run; another in tests
	mark func(file, line string) error                       // Mark; another in tests
	queue
	repair chan struct{}

	// The worker's own.
	journal journal
	replies map[uint64][]*step // that wait behind an unfinished effect of their reply
	keys    keys
	parked  []*step // elements that found no table, and wait for an install
	parking time.Time
	lanes   lanes
	running int // commands that are not reaped
	stopped bool
	waits   bool     // told what a stop waits for
	answers []Result // not yet published
	places  int      // not yet given back
	warned  bucket
}

// New returns a runner that has nothing to do yet.
func New(cfg Config) *Runner {
	if cfg.Commands <= 0 {
		cfg.Commands = 16
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 1 << 14
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	return &Runner{
		cfg:     cfg,
		exec:    func(ctx context.Context, c command, answer func(output, error)) { c.run(ctx, answer) },
		mark:    CommentOut,
		queue:   queue{wake: make(chan struct{}, 1), ready: make(chan struct{}, 1)},
		repair:  make(chan struct{}, 1),
		journal: newJournal(),
		replies: make(map[uint64][]*step),
		keys:    make(keys),
		lanes:   newLanes(cfg.Commands),
	}
}

// Repair receives when the firewall does not hold what it should: its table was
// removed, or a change failed that nobody will try again. The answer is an
// Install of all that is wanted.
func (r *Runner) Repair() <-chan struct{} { return r.repair }

// Run carries out what is queued. When ctx has ended it goes on until nothing is
// left, undos included, so ctx ends after the last Enqueue. When
// [Config.Grace] is over it kills the commands that still run, starts no others and
// gives nothing any more; a second later it returns in any case. It is called
// once.
//
// The error says that something was left. What is owed then stands in the
// journal, for the next start.
func (r *Runner) Run(ctx context.Context) error {
	alive, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	alarm := newAlarm()
	defer alarm.stop()
	stop := ctx.Done()
	var end time.Time
	for {
		r.work(alive, r.take())
		r.tellWait()
		if stop == nil && r.settled() {
			return nil
		}
		alarm.set(r.idle(end))
		select {
		case <-r.wake:
		case <-alarm.C():
		case <-stop:
			r.Stop()
			stop, end = nil, r.end()
		}
		switch {
		case stop != nil || r.cfg.Now().Before(end):
		case r.stopped:
			return fmt.Errorf("stopping: %s", r.left())
		default:
			r.tellKill()
			r.stopped, end = true, r.cfg.Now().Add(lastDelay)
			kill()
		}
	}
}

// work does all that can be done now.
func (r *Runner) work(alive context.Context, t take) {
	r.running -= t.freed
	r.lanes.free += t.freed
	var steps []*step
	for _, f := range t.finished {
		steps = append(steps, r.finish(f)...)
	}
	r.remember(t.steps)
	r.carryOut(append(steps, t.steps...))
	r.unpark()
	r.start(alive)
	r.publish()
}

// idle returns how long there is nothing to do unless something comes.
func (r *Runner) idle(end time.Time) time.Duration {
	now, until := r.cfg.Now(), time.Hour
	if len(r.journal.owed) > 0 {
		until = min(until, r.journal.retry.Sub(now))
	}
	if len(r.parked) > 0 {
		until = min(until, r.parking.Add(parkDelay).Sub(now))
	}
	if !end.IsZero() {
		until = min(until, end.Sub(now))
	}
	return until
}

// settled reports whether nothing is left to do.
func (r *Runner) settled() bool {
	return r.running == 0 && len(r.lanes.queues) == 0 && len(r.parked) == 0 && len(r.journal.owed) == 0 && r.empty()
}

// left says what is left to do.
func (r *Runner) left() string {
	return fmt.Sprintf("%d commands did not end, and %d records could not be written", r.running, len(r.journal.owed))
}
