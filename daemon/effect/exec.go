package effect

import (
	"context"
	"errors"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// commands performs a command, and the undo of one. Commands of one door and
// source run one after another. So do commands of one source with the same undo, of
// any doors. An undo never runs before its command has ended, and a command never
// runs before the undo of its previous run has ended. A shared command has one undo for all
// sources, so its runs wait for each other whoever caused them.
var commands = performer{
	stage: inBackground,
	// Without arguments, an event reports that a grant is extended: its command ran before.
	needed: func(e *engine.Event) bool { return e.Argv != nil },
	perform: func(r *Runner, alive context.Context, s *step, answer func(Output, error)) {
		r.exec(alive, commandOf(s), answer)
	},
	queues: func(s *step) []string {
		source := s.source()
		queues := []string{"door\x00" + s.Door + "\x00" + source}
		if s.Shared {
			source = ""
		}
		if s.undo != nil {
			queues = append(queues, "undo\x00"+source+"\x00"+s.undoKey())
		}
		return queues
	},
	log: logCommand,
}

// undoOf returns the undo that an effect is, or that is pending once it has run;
// nil: none. last is the grant whose record came last: the engine has a grant
// recorded right before its command.
func undoOf(e *engine.Event, last *engine.Grant) []string {
	if e.Effect == engine.EffectUndo {
		return e.Argv
	}
	if e.Effect == engine.EffectExec && e.Grant != 0 && last != nil && last.ID == e.Grant {
		return last.Undo
	}
	return nil
}

// defaultTimeout is for an undo from a journal that names none.
const defaultTimeout = 10 * time.Second

// commandOf returns what a step runs.
func commandOf(s *step) Command {
	c := Command{
		Argv: s.Argv, Undo: s.Effect == engine.EffectUndo, Undone: s.undo, Invocation: s.Invocation,
		Door: s.Door, Source: s.Source, Grant: s.Grant, Timeout: s.Timeout,
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// logCommand logs a success at debug, since a script decides how often commands
// run. How many ran has a line a minute at info: see [commandWatch].
func logCommand(r *Runner, s *step, err error) {
	r.watch.ran(r.cfg.Now(), s, err)
	r.countRan(s, err)
	about := []any{"door", s.Door, "source", s.source(), "command", nameOf(s.Argv), "undo", s.Effect == engine.EffectUndo}
	first, more := s.output.firstLine()
	if more || err == nil && first != "" {
		logOutput(r, s, err)
	}
	if err == nil {
		r.cfg.Log.Debug("command ran", about...)
		return
	}
	about = append(about, "error", strings.TrimPrefix(err.Error(), runningPrefix(s.Argv)))
	if first != "" {
		about = append(about, "output", first)
	}
	if errors.Is(err, ErrStopped) { // one line names all of them: see [Runner.logKill]
		r.cfg.Log.Debug("command stopped", about...)
		return
	}
	r.warn("command failed", about...)
}

// logOutput logs what a command wrote. The first line of one that failed is logged
// with the failure, and does not come here when there is no more of it.
func logOutput(r *Runner, s *step, err error) {
	about := []any{"door", s.Door, "command", nameOf(s.Argv), "text", s.output.Text, "lost", s.output.Lost}
	if err != nil {
		r.warn("output of a failed command", about...)
		return
	}
	r.cfg.Log.Debug("output of a command", about...)
}
