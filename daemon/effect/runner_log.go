package effect

import (
	"strings"
	"time"

	"sesame/daemon/engine"
)

// tell logs what came of a step. Access is told at info, since whoever opens a
// door knows its sequence; what others pace is told at debug, or with a bound.
func (r *Runner) tell(s *step, err error) {
	log := r.cfg.Log
	switch {
	case s.kind == needsSpend:
		if err != nil {
			r.warn("nothing is given for a one-time sequence: the journal cannot be written", "door", s.Door, "source", s.source(), "file", s.File)
		}
	case err != nil && s.kind == needsMark:
		r.warn("used one-time sequence not marked: that is tried again at the next start", "door", s.Door, "file", s.File, "error", err)
	case s.kind == needsMark:
		log.Debug("used one-time sequence marked", "door", s.Door, "file", s.File)
	case s.kind == needsLog && s.File != "":
		log.Warn("no one-time sequence left: write new ones into the file", "door", s.Door, "file", s.File)
	case err != nil && s.kind == needsElement:
		r.warn("firewall not changed", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "error", err)
	case err != nil:
		pairs := []any{"door", s.Door, "source", s.source(), "command", nameOf(s.Argv), "undo", s.Effect == engine.EffectUndo, "error", strings.TrimPrefix(err.Error(), runningPrefix(s.Argv))}
		if s.wrote != "" {
			pairs = append(pairs, "output", s.wrote)
		}
		r.warn("command failed", pairs...)
	case s.kind == needsLog:
		if log.IsInfo() {
			log.Info("script", "text", printable(s.Detail), "door", s.Door, "source", s.source())
		}
	case s.kind == needsCommand:
		if log.IsDebug() {
			log.Debug("command ran", "door", s.Door, "source", s.source(), "command", nameOf(s.Argv), "undo", s.Effect == engine.EffectUndo)
		}
	case !log.IsInfo():
	case s.Observed && s.Effect == engine.EffectAllow:
		log.Info("access would be open: the door only observes", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "ttl", s.TTL.String())
	case s.Observed:
	case s.Kind == engine.EventClose && s.Until.IsZero():
		log.Info("access closed", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "reason", string(s.Reason))
	case s.Kind == engine.EventClose:
		log.Info("access goes on for other grants", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "reason", string(s.Reason))
	case s.Effect == engine.EffectAllow:
		log.Info("access opened", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "ttl", s.TTL.String())
	default:
		log.Debug("access changed", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant)
	}
}

// tellOutput logs what a command wrote. Its first line stands where it is told that
// the command failed.
func (r *Runner) tellOutput(f finished) {
	_, more := f.output.firstLine()
	switch {
	case f.output.text == "" && f.output.lost == 0 || f.err != nil && !more:
	case f.err != nil:
		r.warn("output of a failed command", "door", f.step.Door, "command", nameOf(f.step.Argv), "text", f.output.text, "lost", f.output.lost)
	case r.cfg.Log.IsDebug():
		r.cfg.Log.Debug("output of a command", "door", f.step.Door, "command", nameOf(f.step.Argv), "text", f.output.text, "lost", f.output.lost)
	}
}

// warn logs a warning, unless there were too many of late. The next one tells
// how many were not logged.
func (r *Runner) warn(message string, pairs ...any) {
	told, silent := r.warned.take(r.cfg.Now())
	if !told {
		return
	}
	if silent > 0 {
		pairs = append(pairs, "not_logged", silent)
	}
	r.cfg.Log.Warn(message, pairs...)
}

// A bucket bounds what is logged: 20 lines at once, and one each three seconds.
type bucket struct {
	used   time.Duration // of size
	last   time.Time
	silent int
}

const (
	bucketSize = time.Minute
	bucketLine = bucketSize / 20
)

// take reports whether a line may be logged, and how many were not since the
// last that was.
func (b *bucket) take(now time.Time) (told bool, silent int) {
	b.used = max(0, b.used-max(0, now.Sub(b.last)))
	b.last = now
	if b.used+bucketLine > bucketSize {
		b.silent++
		return false, 0
	}
	b.used += bucketLine
	silent, b.silent = b.silent, 0
	return true, silent
}
