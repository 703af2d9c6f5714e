package effect

import (
	"context"
	"slices"

	"sesame/daemon/engine"
)

// jobs holds the background steps that wait for their turn or run. A step is in
// one queue for each thing that it must not overtake, and may run when it is the
// first in all of them.
//
// Of those that may run, what ends something (an undo, or a line to comment out) goes first.
// The commands of doors take turns. So no door and no script delays the commands of others, or the
// ends of grants, for longer than a few commands take.
type jobs struct {
	limit   int                // [Config.Commands]
	all     int                // how many steps run
	running map[string]int     // of them, the commands of each door; no entry is zero
	scripts map[string]int     // the same of each script
	queues  map[string][]*step // by what their steps have in common, in order

	// The first in all of their queues, not started yet.
	endings  []*step
	commands map[string][]*step // by door; no entry is empty
	turns    []string           // the doors of commands; the first has the next turn
}

func newJobs(limit int) jobs {
	return jobs{limit: limit, running: make(map[string]int), scripts: make(map[string]int), queues: make(map[string][]*step), commands: make(map[string][]*step)}
}

func (j *jobs) add(s *step) {
	s.queues = s.how.queues(s)
	if s.awaits {
		s.blocked++
	}
	for _, name := range s.queues {
		if len(j.queues[name]) > 0 {
			s.blocked++
		}
		j.queues[name] = append(j.queues[name], s)
	}
	if s.blocked == 0 {
		j.addReady(s)
	}
}

func (j *jobs) addReady(s *step) {
	if s.Effect != engine.EffectExec {
		j.endings = append(j.endings, s)
		return
	}
	if len(j.commands[s.Door]) == 0 {
		j.turns = append(j.turns, s.Door)
	}
	j.commands[s.Door] = append(j.commands[s.Door], s)
}

// remove takes a step out of its queues. It is first in all of them, or was refused while it
// waited for its record.
func (j *jobs) remove(s *step) {
	for _, name := range s.queues {
		queue := j.queues[name]
		at := slices.Index(queue, s)
		switch {
		case len(queue) == 1:
			delete(j.queues, name)
		case at == 0:
			j.queues[name] = queue[1:]
			j.unblock(queue[1])
		default:
			j.queues[name] = slices.Delete(queue, at, at+1)
		}
	}
}

// unblock notes that a step waits for one thing less.
func (j *jobs) unblock(s *step) {
	if s.blocked--; s.blocked == 0 {
		j.addReady(s)
	}
}

// next returns a step that may start now, and counts it as running; nil: there is none. With
// unlimited it returns any that is ready.
func (j *jobs) next(unlimited bool) *step {
	s := j.nextEnding(unlimited)
	if s == nil {
		s = j.nextCommand(unlimited)
	}
	if s != nil {
		s.started = true
		j.all++
		if s.Effect == engine.EffectExec {
			j.running[s.Door]++
			j.scripts[s.Owner]++
		}
	}
	return s
}

func (j *jobs) nextEnding(unlimited bool) *step {
	if len(j.endings) == 0 || !unlimited && j.all >= j.limit+j.limit/4 {
		return nil
	}
	s := j.endings[0]
	j.endings[0] = nil
	j.endings = j.endings[1:]
	return s
}

// nextCommand returns the next command of the door whose turn it is, and gives the turn to the next
// door. A door has no turn while three quarters of all places are its own, or seven eighths its
// script's.
func (j *jobs) nextCommand(unlimited bool) *step {
	for range j.turns {
		if !unlimited && j.all >= j.limit {
			return nil
		}
		door := j.turns[0]
		j.turns = j.turns[1:]
		s := j.commands[door][0]
		if !unlimited && (j.running[door] >= j.limit-j.limit/4 || j.scripts[s.Owner] >= j.limit-j.limit/8) {
			j.turns = append(j.turns, door)
			continue
		}
		j.commands[door][0] = nil
		if j.commands[door] = j.commands[door][1:]; len(j.commands[door]) > 0 {
			j.turns = append(j.turns, door)
		} else {
			delete(j.commands, door)
		}
		return s
	}
	return nil
}

// free gives the place of a step back of which nothing runs any more.
func (j *jobs) free(s *step) {
	j.all--
	if s.Effect != engine.EffectExec {
		return
	}
	count(j.running, s.Door, -1)
	count(j.scripts, s.Owner, -1)
}

// start starts the background steps that may run. Once the runner has stopped none
// may: each is answered with an error, and its undo stays pending.
func (r *Runner) start(alive context.Context) {
	for {
		s := r.jobs.next(r.stopped)
		switch {
		case s == nil:
			return
		case r.stopped:
			r.jobs.free(s)
			r.finish(finished{step: s, err: ErrStopped})
		default:
			r.running++
			go r.runJob(alive, s)
		}
	}
}

// runJob performs a background step, and hands the worker its result. The place
// is given back only when nothing of it runs any more, which may be later.
func (r *Runner) runJob(alive context.Context, s *step) {
	s.how.perform(r, alive, s, func(out Output, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.work.finished = append(r.work.finished, finished{s, out, err})
		signal(r.wake)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.freed = append(r.work.freed, s)
	signal(r.wake)
}

// finish answers a background step. It returns the decision whose rest is ready now; nil:
// none waited for the step.
func (r *Runner) finish(f finished) *decision {
	r.jobs.remove(f.step)
	f.step.output = f.output
	r.answer(f.step, f.err)
	if f.step.Optional() {
		return nil
	}
	return f.step.decision
}
