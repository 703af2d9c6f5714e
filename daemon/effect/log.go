package effect

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// logLine performs a line that a script, or the engine, writes for people.
var logLine = performer{
	stage:   onWorker,
	perform: func(_ *Runner, _ context.Context, _ *step, answer func(output, error)) { answer(output{}, nil) },
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

// A warnings value limits how many warnings are logged.
type warnings struct {
	limiter   *rate.Limiter
	notLogged int // since the last that was
}

func newWarnings() warnings {
	return warnings{limiter: rate.NewLimiter(rate.Every(warningInterval), warningBurst)}
}

// warn logs a warning, unless there were too many of late. The next one names how
// many were not logged.
func (r *Runner) warn(message string, pairs ...any) {
	w := &r.warnings
	if !w.limiter.AllowN(r.cfg.Now(), 1) {
		w.notLogged++
		return
	}
	if w.notLogged > 0 {
		pairs = append(pairs, "not_logged", w.notLogged)
	}
	w.notLogged = 0
	r.cfg.Log.Warn(message, pairs...)
}
