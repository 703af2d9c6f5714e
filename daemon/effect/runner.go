package effect

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"sesame/daemon/engine"
)

// Config is what a Runner works with. Zero fields mean the defaults.
type Config struct {
	Firewall Firewall
	// Persist writes records. When it returns nil they survive a power cut. An error
	// means that no record can be written now, never that one of them is wrong: all are
	// tried again until they are written. It is called by one goroutine at a time, without
	// records after [Runner.WriteJournal], and may hang: nothing else waits for it.
	Persist func([]engine.Record) error
	// Now returns engine time. Any goroutine may call it.
	Now func() time.Time
	Log hclog.Logger // nil: nothing is logged
	// Commands is how many commands run at once, 16 by default: at most three quarters of
	// them of one door, seven eighths of one script, and a quarter more where they are undos.
	// The others wait.
	Commands int
	// Queue is how many places there are for unfinished effects that give something, and
	// for log lines; 16,384 by default. Each takes less than a kilobyte. Commands have three
	// quarters of them, those of one door half, and those of one script three times as many
	// as they leave free.
	Queue int
	// Grace is the grace period, ten seconds by default. It begins with [Runner.Stop], or
	// else with the end of Run's context. Commands that still run at its end are killed.
	Grace time.Duration
	// Privileged runs commands and comments out one-time sequences; nil: this process does.
	Privileged Privileged
	// Vet returns why this process must not run a command with these arguments; nil: it may run
	// all. It is called right before each run, and may wait for the disk.
	Vet func(argv []string) error
}

// A Runner performs effects. The loop that owns the engine calls Enqueue, Install
// and Results, which never block. Run is the worker: it does the work in the
// goroutine that calls it, and starts one more for each command that runs and for each
// write to the journal.
//
// The order that it guarantees, in each round over all that is queued:
//   - Elements are changed first, with one call of Apply between two installs. When
//     there are several changes for a source and port, the one that the engine
//     decided last holds, even when it was performed first.
//   - Then a write of all records begins, unless one runs. A command with an undo, and all
//     that is given for a one-time sequence, waits for its record: see journal.go.
//   - The effects of one decision follow each other, also when one is a command that
//     takes its time. After one has failed the rest is left out, and not answered.
//     No other decision waits for them.
//   - Background steps that have a queue in common run one after another, in the
//     order in which they became ready; see the performer of each effect.
type Runner struct {
	cfg        Config
	exec       func(context.Context, Command, func(Output, error)) // runs a command; replaced in tests
	commentOut func(file, line string) error                       // CommentOut; replaced in tests
	queue
	repair chan struct{}

	// The worker's own.
	journal    journal
	backlog    backlog     // what waits behind a step of its decision
	parked     []*decision // those that wait for an install
	parkedAt   time.Time   // when the first of them began to wait
	jobs       jobs
	running    int // background steps whose goroutine has not ended
	stopped    bool
	waitLogged bool
	answers    []Result          // not yet published
	rounds     []chan<- struct{} // closed by the next publish
	released   places            // places of [Config.Queue] that publish gives back
	watch      commandWatch
	warnings   *rate.Limiter // of those that a stranger may cause
	notLogged  int           // warnings since the last that was logged
}

// New returns a runner that has nothing to do yet. It starts nothing: call Run.
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
	if cfg.Privileged == nil {
		cfg.Privileged = itself{cfg.Vet}
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	return &Runner{
		cfg:        cfg,
		exec:       cfg.Privileged.Run,
		commentOut: cfg.Privileged.CommentOut,
		queue: queue{
			wake: make(chan struct{}, 1), ready: make(chan struct{}, 1), parts: make(map[uint64]*decision),
			places: newPlaces(), ran: make(map[CommandOutcome]int),
		},
		repair:   make(chan struct{}, 1),
		journal:  newJournal(),
		backlog:  make(backlog),
		jobs:     newJobs(cfg.Commands),
		released: newPlaces(),
		warnings: rate.NewLimiter(rate.Every(warningInterval), warningBurst),
	}
}

// Repair receives when the firewall does not hold what it should: its table was removed,
// or a change failed that the engine does not take back. The receiver calls
// [Runner.Install] with everything.
func (r *Runner) Repair() <-chan struct{} { return r.repair }

// Run performs what is queued. When ctx has ended it continues until nothing is
// left, undos included, so ctx must not end before the last Enqueue. When
// [Config.Grace] is over it kills the commands that still run, starts no others
// and gives nothing any more; a second later it returns in any case. It is called
// once.
//
// The error means that something was left. The undos that are still pending are in
// the journal then, for the next start.
func (r *Runner) Run(ctx context.Context) error {
	alive, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	timer := newTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	var end time.Time
	for {
		r.round(alive, r.take())
		r.logWait()
		if stop == nil && r.done() {
			r.logUnwritten()
			return nil
		}
		timer.Reset(r.idle(end))
		select {
		case <-r.wake:
		case <-timer.C:
		case <-stop:
			r.Stop()
			r.journal.tryOnceMore()
			stop, end = nil, r.end()
		}
		switch {
		case stop != nil || r.cfg.Now().Before(end):
		case r.stopped:
			return fmt.Errorf("stopping: %s", r.left())
		default:
			r.logKill()
			r.stopped, end = true, r.cfg.Now().Add(lastDelay)
			kill()
		}
	}
}

// round does all that can be done now.
func (r *Runner) round(alive context.Context, t take) {
	for _, s := range t.freed {
		r.running--
		r.jobs.free(s)
	}
	if len(t.records) > 0 {
		for now := r.cfg.Now(); len(t.records) > 0; t.records = t.records[1:] {
			r.journal.add(t.records[0], now)
		}
	}
	r.journal.note = r.journal.note || t.note
	r.journal.callers = append(r.journal.callers, t.callers...)
	r.rounds = append(r.rounds, t.rounds...)
	if t.written != nil {
		r.endWrite(*t.written)
	}
	r.watchWrite()
	r.answerCallers()
	var ready []*decision
	for _, f := range t.finished {
		if d := r.finish(f); d != nil {
			ready = append(ready, d)
		}
	}
	r.carryOut(append(ready, t.decisions...))
	r.carryOut(r.overdue())
	for ready = r.answerWaiting(); len(ready) > 0; ready = r.answerWaiting() {
		r.carryOut(ready)
	}
	r.start(alive)
	r.watch.round(r)
	r.publish()
	r.write()
}

// idle returns how long the worker may sleep when nobody wakes it.
func (r *Runner) idle(end time.Time) time.Duration {
	now, until := r.cfg.Now(), time.Hour
	until = min(until, r.journal.idle(now))
	if len(r.parked) > 0 {
		until = min(until, r.parkedAt.Add(parkDelay).Sub(now))
	}
	if !end.IsZero() {
		until = min(until, end.Sub(now))
	}
	until = min(until, r.watch.idle(now))
	return until
}

// done reports whether nothing is left to do.
func (r *Runner) done() bool {
	return r.running == 0 && len(r.jobs.queues) == 0 && len(r.parked) == 0 && r.journal.settled(r.cfg.Now()) && r.empty()
}

// left names what is left to do.
func (r *Runner) left() string {
	return fmt.Sprintf("%d commands did not end, and %d records could not be written", r.running, r.journal.unwritten())
}
