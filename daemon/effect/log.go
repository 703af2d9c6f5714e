package effect

import (
	"context"
	"time"
)

// logLine performs a line that a script, or the engine, writes for people.
var logLine = performer{
	stage:   onWorker,
	perform: func(_ *Runner, _ context.Context, _ *step, answer func(Output, error)) { answer(Output{}, nil) },
	log:     logText,
}

// logText logs a line. One with a file is the engine's: the last one-time sequence
// of this file was consumed.
func logText(r *Runner, s *step, _ error) {
	if s.File != "" {
		r.cfg.Log.Warn("no one-time sequence left: write new ones into the file", "door", s.Door, "file", s.File)
		return
	}
	if r.cfg.Log.IsInfo() {
		r.cfg.Log.Info("script", "text", printable(s.Detail), "door", s.Door, "source", s.source())
	}
}

// Warnings that a stranger may cause are limited: 20 at once, and one more every
// three seconds.
const (
	warningBurst    = 20
	warningInterval = 3 * time.Second
)

// warn logs a warning, unless there were too many of late. The next one names how
// many were not logged.
func (r *Runner) warn(message string, pairs ...any) {
	if !r.warnings.AllowN(r.cfg.Now(), 1) {
		r.notLogged++
		return
	}
	if r.notLogged > 0 {
		pairs = append(pairs, "not_logged", r.notLogged)
	}
	r.notLogged = 0
	r.cfg.Log.Warn(message, pairs...)
}
