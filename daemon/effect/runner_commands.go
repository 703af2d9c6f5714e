package effect

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// lanes hold the commands that wait. A command is in a lane for each thing that
// it must not overtake, and may run when it is first in all of them.
type lanes struct {
	free   int // places to run
	queues map[string][]*step
	ready  []*step
}

func newLanes(places int) lanes { return lanes{free: places, queues: make(map[string][]*step)} }

func (l *lanes) add(s *step) {
	source := s.source()
	if s.lanes = []string{"door\x00" + s.Door + "\x00" + source}; s.kind == needsMark {
		s.lanes[0] = "file\x00" + s.File
	}
	if s.undo != nil {
		s.lanes = append(s.lanes, "undo\x00"+source+"\x00"+strings.Join(s.undo, "\x00"))
	}
	for _, name := range s.lanes {
		if len(l.queues[name]) > 0 {
			s.blocked++
		}
		l.queues[name] = append(l.queues[name], s)
	}
	if s.blocked == 0 {
		l.ready = append(l.ready, s)
	}
}

// leave takes a command that was first out of its lanes.
func (l *lanes) leave(s *step) {
	for _, name := range s.lanes {
		rest := l.queues[name][1:]
		if len(rest) == 0 {
			delete(l.queues, name)
			continue
		}
		l.queues[name] = rest
		if rest[0].blocked--; rest[0].blocked == 0 {
			l.ready = append(l.ready, rest[0])
		}
	}
}

// next returns a command that may run. False: there is none.
func (l *lanes) next() (*step, bool) {
	if len(l.ready) == 0 {
		return nil, false
	}
	s := l.ready[0]
	l.ready[0] = nil
	l.ready = l.ready[1:]
	return s, true
}

// source returns an address, or a network that is wider than one.
func (s *step) source() string {
	if s.Source.IsSingleIP() {
		return s.Source.Addr().String()
	}
	return s.Source.String()
}

// start runs the commands that may run. When the runner is stopped none may, and
// what is owed stays so.
func (r *Runner) start(alive context.Context) {
	for r.stopped || r.lanes.free > 0 {
		s, some := r.lanes.next()
		switch {
		case !some:
			return
		case r.stopped:
			r.finish(finished{step: s, err: errStopped})
		default:
			r.lanes.free--
			r.running++
			go r.runOne(alive, s)
		}
	}
}

// runOne runs a command or marks a line, and tells the worker.
func (r *Runner) runOne(alive context.Context, s *step) {
	answer := func(out output, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.finished = append(r.finished, finished{s, out, err})
		signal(r.wake)
	}
	if s.kind == needsMark {
		answer(output{}, r.mark(s.File, s.Text))
	} else {
		r.exec(alive, commandOf(s), answer)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.freed++
	signal(r.wake)
}

// finish ends a command, and returns what waited for it.
func (r *Runner) finish(f finished) []*step {
	r.lanes.leave(f.step)
	f.step.wrote, _ = f.output.firstLine()
	r.tellOutput(f)
	r.answer(f.step, f.err)
	switch {
	case f.step.Decision == 0:
	case f.err != nil && !f.step.excuses(f.err):
		r.drop(f.step.Decision)
	default:
		return r.resume(f.step.Decision)
	}
	return nil
}

// excuses reports whether what follows in the reply is carried out all the same.
func (s *step) excuses(err error) bool {
	_, ran := errors.AsType[*engine.CommandError](err)
	return ran && s.AnyStatus
}

// defaultTimeout is for an undo from a journal that names none.
const defaultTimeout = 10 * time.Second

// commandOf returns what to run. All that a program finds in its environment is
// where programs are, and why it runs.
func commandOf(s *step) command {
	why := "exec"
	if s.Effect == engine.EffectUndo {
		why = "undo"
	}
	c := command{argv: s.Argv, timeout: s.Timeout, env: []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SESAME_DOOR=" + s.Door, "SESAME_SOURCE=" + s.source(), "SESAME_EFFECT=" + why,
	}}
	if s.Grant != 0 {
		c.env = append(c.env, "SESAME_GRANT="+strconv.FormatUint(s.Grant, 10))
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	return c
}
