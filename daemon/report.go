package daemon

import (
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/daemon/transcript"
)

// A reporter tells what was decided to those who watch: people at a terminal, or
// else the log, and whoever follows the transcript. None of them is waited for.
type reporter struct {
	tail   *control.Tail
	people *transcript.Text // nil: nobody is at a terminal
	knockd *knockdlog.Log
	log    hclog.Logger

	// Whoever sends packets decides how many first stages there are, and, where
	// one knock is a whole sequence, how many refusals.
	firsts, refusals *rate.Limiter
	shown            []engine.Event

	failures []control.Failure // the latest, oldest first
}

// maxFailures is how many failed effects are remembered.
const maxFailures = 20

// newReporter returns a reporter to those who follow tail, to those who read
// knockd's lines, and to people, or to the log when people is nil.
func newReporter(tail *control.Tail, knockd *knockdlog.Log, people *transcript.Text, log hclog.Logger) *reporter {
	return &reporter{
		tail: tail, people: people, knockd: knockd, log: log,
		firsts:   rate.NewLimiter(100, 1000),
		refusals: rate.NewLimiter(20, 200),
	}
}

// events tells events, which stay the engine's.
func (r *reporter) events(events []engine.Event) {
	shown := r.bounded(events)
	if len(shown) == 0 {
		return
	}
	r.tail.Add(shown)
	r.knockd.Events(shown)
	if r.people != nil {
		r.people.Events(shown)
		_ = r.people.Flush() // into an Output, which never fails
		return
	}
	for i := range shown {
		r.record(&shown[i])
	}
}

// bounded leaves out what somebody outside makes come too fast.
func (r *reporter) bounded(events []engine.Event) []engine.Event {
	r.shown = r.shown[:0]
	for i := range events {
		if e := &events[i]; e.Kind == engine.EventFailed {
			r.fail(e)
		}
		switch e := &events[i]; {
		case e.Kind == engine.EventStage && e.Stage == 1 && !r.firsts.AllowN(e.Time, 1):
		case (e.Kind == engine.EventRefuse || e.Kind == engine.EventError) && !r.refusals.AllowN(e.Time, 1):
		default:
			r.shown = append(r.shown, *e)
		}
	}
	return r.shown
}

// fail remembers an effect that did not succeed.
func (r *reporter) fail(e *engine.Event) {
	if len(r.failures) == maxFailures {
		r.failures = append(r.failures[:0], r.failures[1:]...)
	}
	r.failures = append(r.failures, control.Failure{
		At: e.Time, Door: e.Door, Source: control.Source{Prefix: e.Source}, Effect: e.Effect.Name(), Detail: e.Detail,
	})
}

// failed returns them with times of the wall clock.
func (r *reporter) failed(offset time.Duration) []control.Failure {
	all := slices.Clone(r.failures)
	for i := range all {
		all[i].At = all[i].At.Add(offset)
	}
	return all
}

// record logs a decision. What a stranger can make happen as often as they like is
// for those who look closely; what is done about it, the runner logs.
func (r *reporter) record(e *engine.Event) {
	who := []any{"door", e.Door, "source", transcript.Source(e.Source)}
	switch e.Kind {
	case engine.EventStage:
		r.log.Debug("stage", append(who, "stage", e.Stage, "stages", e.Stages)...)
	case engine.EventMiss:
		r.log.Debug("miss", append(who, "stage", e.Stage, "stages", e.Stages, "reason", string(e.Reason))...)
	case engine.EventRefuse:
		r.log.Debug("refused", append(who, "reason", string(e.Reason), "detail", e.Detail)...)
	case engine.EventOpen:
		r.log.Info("open", who...)
	case engine.EventError:
		r.log.Warn("a script failed", append(who, "script", e.Script, "line", e.Line, "detail", e.Detail)...)
	case engine.EventEffect, engine.EventClose, engine.EventFailed: // the runner logs what was done
	}
}
