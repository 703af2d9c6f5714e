package effect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// lastDelay is how long Run continues after the grace, for the answers of the
// commands that it killed.
const lastDelay = time.Second

// Stop begins the grace period, see [Config.Grace]. From now on the daemon enqueues
// only what follows from the answers to earlier effects. It never blocks. Run
// continues until its context ends. A second call changes nothing.
func (r *Runner) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopAt.IsZero() {
		r.stopAt = r.cfg.Now().Add(r.cfg.Grace)
	}
	signal(r.wake)
}

// end returns when the grace is over; zero: the daemon does not stop yet.
func (r *Runner) end() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopAt
}

// logWait logs what a stop waits for, once.
func (r *Runner) logWait() {
	if r.waitLogged || r.end().IsZero() {
		return
	}
	r.waitLogged = true
	if n, which := r.unfinished(); n > 0 {
		r.cfg.Log.Info("waiting for commands and undos", "commands", n, "which", which, "at_most", r.cfg.Grace.String())
	}
}

// logKill logs what is not waited for any longer.
func (r *Runner) logKill() {
	if n, which := r.unfinished(); n > 0 {
		r.cfg.Log.Warn("commands are killed or not started; pending undos are left to the next start", "commands", n, "which", which)
	}
}

// logUnwritten logs that the journal lacks records.
func (r *Runner) logUnwritten() {
	if n := r.journal.unwritten(); n > 0 {
		r.cfg.Log.Warn("records could not be written; the next start asks the kernel", "records", n, "error", r.journal.cause())
	}
}

// maxLeft bounds the kinds of commands that a line about a stop names.
const maxLeft = 10

// A leftKind is what the commands have in common that such a line counts together.
type leftKind struct {
	door, command string
	undo          bool
}

func (k leftKind) String() string {
	text := k.door + ": "
	if k.undo {
		text += "undo "
	}
	return text + k.command
}

// unfinished returns how many commands run or wait for their turn, and which: those of most
// runs first, at most [maxLeft]. A decision that is not over waits for its first background
// step, which is in a queue, or for an install.
func (r *Runner) unfinished() (commandCount int, which string) {
	kinds := map[leftKind]int{}
	seen := map[*step]bool{} // a step may be in two queues
	count := func(steps []*step) {
		for _, s := range steps {
			if s.how == &commands && !s.stale && !seen[s] {
				seen[s] = true
				kinds[leftKind{s.Door, nameOf(s.Argv), s.Effect == engine.EffectUndo}]++
			}
		}
	}
	for _, steps := range r.jobs.queues {
		count(steps)
		for _, s := range steps {
			count(s.decision.rest())
		}
	}
	for _, d := range r.parked {
		count(d.rest())
	}
	return len(seen), listKinds(kinds)
}

func listKinds(kinds map[leftKind]int) string {
	sorted := slices.SortedFunc(maps.Keys(kinds), func(a, b leftKind) int {
		return cmp.Or(kinds[b]-kinds[a], strings.Compare(a.String(), b.String()))
	})
	var parts []string
	for i, kind := range sorted {
		if i == maxLeft {
			parts = append(parts, fmt.Sprintf("and %d more kinds", len(sorted)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", kind, kinds[kind]))
	}
	return strings.Join(parts, ", ")
}
