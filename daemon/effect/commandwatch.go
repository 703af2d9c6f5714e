package effect

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/tally"
)

// A CommandReport says how commands fare. Times are engine time.
type CommandReport struct {
	Waiting Waiting
	// Failing are the commands that failed or hung when they ran last: first those that count as
	// failed, then those that may have any exit status. Both are by door and program.
	Failing []FailingCommand
}

// A Waiting describes the commands and undos that wait for their turn.
type Waiting struct {
	Count int
	Since time.Time // since when the one waits that has waited longest
	Door  string    // the door that has most of them
	Doors int       // how many doors have some
	Most  int       // how many are of Door
	// PilingUp means that they come faster than they run, or that those before them hang.
	PilingUp bool
}

// A FailingCommand is a command that failed when it ran last, or that could not be run.
type FailingCommand struct {
	Door    string
	Command string // as people know it, see nameOf
	Program string
	// Argv is as the script declares it, with placeholders; nil: of an undo, whose is not known.
	Argv   []string
	Undo   bool
	Hung   bool // it was killed after its time limit
	NotRun bool // nothing tells that it was started
	// AnyStatus means that it ended with an exit status, and may have any. It counts as done.
	AnyStatus bool
	Error     string
	At        time.Time
	Count     int // since it succeeded last
}

// A commandKey identifies a command. Its arguments do not: they may hold the source. An undo is
// known by its program alone.
type commandKey struct {
	door, program string
	declared      string // the arguments as the script wrote them
	undo          bool
}

func commandKeyOf(s *step) commandKey {
	key := commandKey{door: s.Door, program: s.Argv[0], undo: s.Effect == engine.EffectUndo}
	key.declared = strings.Join(declaredArgv(s), "\x00")
	return key
}

func declaredArgv(s *step) []string {
	if s.Invocation == nil {
		return nil
	}
	return s.Invocation.Argv
}

// maxFailingCommands bounds the failing commands that are known.
const maxFailingCommands = 256

// Commands pile up when so many wait and the first of them has waited for patience, or when
// one has waited for a minute. A burst that is worked off at once is none.
const (
	pile          = 16
	patience      = 3 * time.Second
	longPatience  = time.Minute
	watchInterval = time.Second // between two looks at the queues
	warnInterval  = time.Minute // between two warnings that commands have begun to pile up
)

// A commandWatch follows what becomes of commands. The worker writes it, and any goroutine may
// read its report.
type commandWatch struct {
	mu      sync.Mutex // of waiting and failing
	waiting Waiting
	failing map[commandKey]FailingCommand

	// The worker's own.
	next   time.Time // of the next look at the queues; zero: no command is there
	piling bool      // at the last look
	warned time.Time
	runs   tally.Tally
}

// CommandReport may be called by any goroutine.
func (r *Runner) CommandReport() CommandReport {
	w := &r.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	report := CommandReport{Waiting: w.waiting}
	report.Waiting.PilingUp = report.Waiting.pilesUp(r.cfg.Now())
	for _, f := range w.failing {
		report.Failing = append(report.Failing, f)
	}
	slices.SortFunc(report.Failing, func(a, b FailingCommand) int {
		switch {
		case a.AnyStatus && !b.AnyStatus:
			return 1
		case b.AnyStatus && !a.AnyStatus:
			return -1
		}
		return cmp.Or(strings.Compare(a.Door, b.Door), strings.Compare(a.Command, b.Command), cmp.Compare(a.At.UnixNano(), b.At.UnixNano()))
	})
	return report
}

// ForgetCommands forgets the failing commands that a new script set does not have: those for
// which known is false. Any goroutine may call it.
func (r *Runner) ForgetCommands(known func(FailingCommand) bool) {
	w := &r.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.failing, func(_ commandKey, f FailingCommand) bool { return !known(f) })
}

func (w *Waiting) pilesUp(now time.Time) bool {
	waited := now.Sub(w.Since)
	return w.Count >= pile && waited >= patience || w.Count > 0 && waited >= longPatience
}

// ran notes the result of a command. One that was refused because of the journal did not run, and
// nothing is wrong with it.
func (w *commandWatch) ran(now time.Time, s *step, err error) {
	if errors.Is(err, ErrNoJournal) {
		return
	}
	w.runs.Add(now, s.Door, s.Source, err != nil)
	key := commandKeyOf(s)
	failed, ran := errors.AsType[*engine.CommandError](err)
	_, hung := errors.AsType[HungError](err)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, ErrStopped):
	case err == nil:
		delete(w.failing, key)
	default:
		w.fail(key, FailingCommand{
			Door: s.Door, Command: nameOf(s.Argv), Program: key.program, Undo: key.undo, At: now, Count: w.failing[key].Count + 1,
			Error: strings.TrimPrefix(err.Error(), runningPrefix(s.Argv)), Hung: hung, NotRun: !ran && !hung, AnyStatus: ran && s.AnyStatus && failed.Status >= 0,
			Argv: declaredArgv(s),
		})
	}
}

// fail stores a failing command. When there are too many, the one whose failure is the oldest
// goes.
func (w *commandWatch) fail(key commandKey, f FailingCommand) {
	if w.failing == nil {
		w.failing = make(map[commandKey]FailingCommand)
	}
	if _, known := w.failing[key]; !known && len(w.failing) == maxFailingCommands {
		oldest := key
		for k, other := range w.failing {
			if oldest == key || other.At.Before(w.failing[oldest].At) {
				oldest = k
			}
		}
		delete(w.failing, oldest)
	}
	w.failing[key] = f
}

// round looks at the queues when it is time, and writes the log lines that are due.
func (w *commandWatch) round(r *Runner) {
	now := r.cfg.Now()
	if line := w.runs.Line(now); line != nil {
		r.cfg.Log.Info("commands ran", line...)
	}
	if len(r.jobs.queues) > 0 && now.Before(w.next) {
		return
	}
	waiting, was := Waiting{}, w.waiting
	if w.next = (time.Time{}); len(r.jobs.queues) > 0 {
		waiting, w.next = r.jobs.waiting(), now.Add(watchInterval)
	}
	if waiting != was {
		w.mu.Lock()
		w.waiting = waiting
		w.mu.Unlock()
	}
	piledUp := w.piling
	w.piling = waiting.pilesUp(now)
	if w.piling && !piledUp && now.Sub(w.warned) >= warnInterval {
		w.warned = now
		r.cfg.Log.Warn("commands come faster than they run: they wait", "waiting", waiting.Count, "door", waiting.Door, "of_door", waiting.Most,
			"longest", now.Sub(waiting.Since).Round(time.Second).String())
	}
}

// idle returns how long the worker may sleep for the next round.
func (w *commandWatch) idle(now time.Time) time.Duration {
	until := time.Hour
	if !w.next.IsZero() {
		until = w.next.Sub(now)
	}
	if due, some := w.runs.Due(); some {
		until = min(until, due.Sub(now))
	}
	return until
}

// waiting describes the commands that wait for their turn.
func (j *jobs) waiting() (w Waiting) {
	doors := make(map[string]int)
	for name, steps := range j.queues {
		for _, s := range steps {
			if s.started || s.how != &commands || name != s.queues[0] { // it may be in a second queue
				continue
			}
			w.Count++
			if n := doors[s.Door] + 1; n > w.Most || n == w.Most && s.Door < w.Door {
				w.Most, w.Door = n, s.Door
			}
			doors[s.Door]++
			if w.Since.IsZero() || s.since.Before(w.Since) {
				w.Since = s.since
			}
		}
	}
	w.Doors = len(doors)
	return w
}
