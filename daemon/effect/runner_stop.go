package effect

import (
	"slices"
	"strings"
	"time"
)

// This file is the end of a runner: what it waits for, and how long.

// lastDelay is how long Run goes on after the grace, for the answers of what it
// killed.
const lastDelay = time.Second

// Stop says that the daemon stops: what was handed over until now is the last, but
// for what follows from its answers. [Config.Grace] begins now. It never blocks, and
// Run goes on until its context ends.
func (r *Runner) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopAt.IsZero() {
		r.stopAt = r.cfg.Now().Add(r.cfg.Grace)
	}
	signal(r.wake)
}

// end returns when the grace is over; zero: nobody said that the daemon stops.
func (r *Runner) end() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopAt
}

// tellWait logs what a stop waits for, once.
func (r *Runner) tellWait() {
	if r.waits || r.end().IsZero() {
		return
	}
	r.waits = true
	if n, doors := r.unfinished(); n > 0 {
		r.cfg.Log.Info("waiting for commands, undos among them", "commands", n, "doors", doors, "at_most", r.cfg.Grace.String())
	}
}

// tellKill logs what is not waited for any longer.
func (r *Runner) tellKill() {
	if n, doors := r.unfinished(); n > 0 {
		r.cfg.Log.Warn("commands are killed, or not run any more; undos that are owed are left to the next start", "commands", n, "doors", doors)
	}
}

// unfinished returns how many commands run or wait for it, and the doors that they
// are of.
func (r *Runner) unfinished() (commands int, doors string) {
	var names []string
	seen := map[*step]bool{}
	count := func(steps []*step) {
		for _, s := range steps {
			if s.kind == needsCommand && !s.stale && !seen[s] {
				seen[s] = true
				names = append(names, s.Door)
			}
		}
	}
	for _, steps := range r.lanes.queues {
		count(steps)
	}
	for _, steps := range r.replies {
		count(steps)
	}
	commands = len(names)
	slices.Sort(names)
	return commands, strings.Join(slices.Compact(names), ", ")
}
