package effect

import (
	"slices"
	"strings"
	"time"
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
	if n, doors := r.unfinished(); n > 0 {
		r.cfg.Log.Info("waiting for commands and undos", "commands", n, "doors", doors, "at_most", r.cfg.Grace.String())
	}
}

// logKill logs what is not waited for any longer.
func (r *Runner) logKill() {
	if n, doors := r.unfinished(); n > 0 {
		r.cfg.Log.Warn("commands are killed or not started; pending undos are left to the next start", "commands", n, "doors", doors)
	}
}

// unfinished returns how many commands run or wait for their turn, and their
// doors. A decision that is not over waits for its first background step, which is
// in a queue, or for an install.
func (r *Runner) unfinished() (commandCount int, doors string) {
	var names []string
	seen := map[*step]bool{} // a step may be in two queues
	count := func(steps []*step) {
		for _, s := range steps {
			if s.how == &commands && !s.stale && !seen[s] {
				seen[s] = true
				names = append(names, s.Door)
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
	commandCount = len(names)
	slices.Sort(names)
	return commandCount, strings.Join(slices.Compact(names), ", ")
}
