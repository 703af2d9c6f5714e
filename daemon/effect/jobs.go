package effect

import "context"

// jobs holds the background steps that wait for their turn or run. A step is in
// one queue for each thing that it must not overtake, and may run when it is the
// first in all of them.
type jobs struct {
	free   int                // how many more steps may start now, of [Config.Commands]
	queues map[string][]*step // by what their steps have in common, in order
	ready  []*step            // the first in all of their queues, not started yet
}

func (j *jobs) add(s *step) {
	s.queues = s.how.queues(s)
	for _, name := range s.queues {
		if len(j.queues[name]) > 0 {
			s.blocked++
		}
		j.queues[name] = append(j.queues[name], s)
	}
	if s.blocked == 0 {
		j.ready = append(j.ready, s)
	}
}

// remove takes a step that is first in all of its queues out of them.
func (j *jobs) remove(s *step) {
	for _, name := range s.queues {
		rest := j.queues[name][1:]
		if len(rest) == 0 {
			delete(j.queues, name)
			continue
		}
		j.queues[name] = rest
		if rest[0].blocked--; rest[0].blocked == 0 {
			j.ready = append(j.ready, rest[0])
		}
	}
}

// next returns a step that may run; nil: there is none.
func (j *jobs) next() *step {
	if len(j.ready) == 0 {
		return nil
	}
	s := j.ready[0]
	j.ready[0] = nil
	j.ready = j.ready[1:]
	return s
}

// start starts the background steps that may run. Once the runner has stopped none
// may: each is answered with an error, and its undo stays pending.
func (r *Runner) start(alive context.Context) {
	for r.stopped || r.jobs.free > 0 {
		s := r.jobs.next()
		switch {
		case s == nil:
			return
		case r.stopped:
			r.finish(finished{step: s, err: errStopped})
		default:
			r.jobs.free--
			r.running++
			go r.runJob(alive, s)
		}
	}
}

// runJob performs a background step, and hands the worker its result. The place
// is given back only when nothing of it runs any more, which may be later.
func (r *Runner) runJob(alive context.Context, s *step) {
	s.how.perform(r, alive, s, func(out output, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.work.finished = append(r.work.finished, finished{s, out, err})
		signal(r.wake)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.freed++
	signal(r.wake)
}

// finish answers a background step. The rest of its decision is ready afterwards.
func (r *Runner) finish(f finished) *decision {
	r.jobs.remove(f.step)
	f.step.output = f.output
	r.answer(f.step, f.err)
	return f.step.decision
}
