package daemon

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/daemon/tally"
	"sesame/daemon/transcript"
)

// A reporter writes events for readers: for people at a terminal, or else in the log, for
// clients that follow the transcript, and in knockd's lines. It waits for none of them. Only
// the loop calls it.
type reporter struct {
	tail   *control.Tail
	people *transcript.Text // nil: nobody is at a terminal
	knockd *knockdlog.Log
	log    hclog.Logger

	// Anybody who sends packets can cause first stages, and refusals of doors with one knock,
	// without bound. These limits drop the excess from all outputs: 100 and 20 per second.
	firsts, refusals *rate.Limiter
	shown            []engine.Event

	// These have a line a minute in the log. bells are the openings of the doors in byAnyone: see
	// [engine.Door.ByAnyone].
	misses, refused, bells tally.Tally
	byAnyone               map[string]bool

	failures []control.Failure // the latest, oldest first
	failedBy map[string]int    // effects that failed, by name
	warned   map[faultPlace]time.Time
}

// A faultPlace is where a script failed.
type faultPlace struct {
	script string
	line   int
}

// A fault in one place is a warning once an hour, in at most so many places in an hour. Whoever
// knocks can cause the others at will; the status shows the latest, with their number.
const (
	warnEvery = time.Hour
	maxWarned = 256
)

// faultLevel returns the level at which the fault of a script is logged.
func (r *reporter) faultLevel(e *engine.Event) hclog.Level {
	place := faultPlace{e.Script, e.Line}
	last, known := r.warned[place]
	if known && e.Time.Sub(last) < warnEvery {
		return hclog.Debug
	}
	if !known && len(r.warned) == maxWarned {
		maps.DeleteFunc(r.warned, func(_ faultPlace, last time.Time) bool { return e.Time.Sub(last) >= warnEvery })
		if len(r.warned) == maxWarned {
			return hclog.Debug
		}
	}
	r.warned[place] = e.Time
	return hclog.Warn
}

// maxFailures bounds the failed effects that the status remembers.
const maxFailures = 20

// newReporter returns a reporter that writes to tail, to knockd's lines, and to people, or to
// the log when people is nil.
func newReporter(tail *control.Tail, knockd *knockdlog.Log, people *transcript.Text, log hclog.Logger) *reporter {
	return &reporter{
		tail: tail, people: people, knockd: knockd, log: log,
		firsts:   rate.NewLimiter(100, 1000),
		refusals: rate.NewLimiter(20, 200),
		warned:   map[faultPlace]time.Time{},
		failedBy: map[string]int{},
	}
}

// setDoors sets the doors that run.
func (r *reporter) setDoors(doors []*engine.Door) {
	r.byAnyone = map[string]bool{}
	for _, d := range doors {
		if d.ByAnyone() {
			r.byAnyone[d.Name] = true
		}
	}
}

// maxReported is how many events are copied at once. An input may have 100,000 and more.
const maxReported = 512

// events reports events. It stores none of them, because the engine reuses the slice.
func (r *reporter) events(events []engine.Event) {
	for part := range slices.Chunk(events, maxReported) {
		r.report(part)
	}
}

func (r *reporter) report(events []engine.Event) {
	shown := r.bounded(events)
	if len(shown) == 0 {
		return
	}
	r.tail.Add(shown)
	r.knockd.Events(shown)
	if r.people != nil {
		r.people.Events(shown)
		_ = r.people.Flush() // into a queue, which never fails
		return
	}
	for i := range shown {
		r.record(&shown[i])
	}
}

// bounded returns the events without those above the limits. The slice is valid until the next
// call.
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

// fail stores a failed effect.
func (r *reporter) fail(e *engine.Event) {
	r.failedBy[e.Effect.Name()]++
	if len(r.failures) == maxFailures {
		r.failures = append(r.failures[:0], r.failures[1:]...)
	}
	r.failures = append(r.failures, control.Failure{
		At: e.Time, Door: e.Door, Source: control.Source{Prefix: e.Source}, Effect: e.Effect.Name(), Detail: e.Detail,
	})
}

// gave marks the failures of others to get access that are over: somebody with an address of the
// same family got it. An invalid source is nobody.
func (r *reporter) gave(source netip.Prefix) {
	if !source.IsValid() {
		return
	}
	for i := range r.failures {
		if f := &r.failures[i]; f.Effect == engine.EffectAllow.Name() && f.Source.Addr().Is4() == source.Addr().Is4() {
			f.GivenSince = true
		}
	}
}

// failed returns the failed effects with times of the wall clock.
func (r *reporter) failed(offset time.Duration) []control.Failure {
	all := slices.Clone(r.failures)
	for i := range all {
		all[i].At = all[i].At.Add(offset)
	}
	return all
}

// summarise logs what strangers can cause at will, all of it in a line a minute.
func (r *reporter) summarise(now time.Time) {
	if line := r.misses.Line(now); line != nil {
		r.log.Info("attempts ended without opening", line...)
	}
	if line := r.refused.Line(now); line != nil {
		r.log.Info("complete knocks were refused", line...)
	}
	if line := r.bells.Line(now); line != nil {
		r.log.Info("doors opened that anybody can knock at", line...)
	}
}

// record logs a decision. What strangers can cause at will is logged one by one at debug, and
// summarised at info. The runner logs the effects.
func (r *reporter) record(e *engine.Event) {
	switch e.Kind {
	case engine.EventMiss:
		r.misses.Add(e.Time, e.Door, e.Source, false)
	case engine.EventRefuse:
		r.refused.Add(e.Time, e.Door, e.Source, false)
	case engine.EventStage, engine.EventOpen, engine.EventError, engine.EventEffect, engine.EventClose, engine.EventFailed:
	}
	if stranger := e.Kind == engine.EventStage || e.Kind == engine.EventMiss || e.Kind == engine.EventRefuse; stranger && !r.log.IsDebug() {
		return // a line that is not written costs nothing
	}
	who := []any{"door", e.Door, "source", transcript.Source(e.Source)}
	switch e.Kind {
	case engine.EventStage:
		r.log.Debug("stage", append(who, "stage", e.Stage, "stages", e.Stages)...)
	case engine.EventMiss:
		r.log.Debug("miss", append(who, "stage", e.Stage, "stages", e.Stages, "reason", string(e.Reason))...)
	case engine.EventRefuse:
		r.log.Debug("refused", append(who, "reason", string(e.Reason), "detail", e.Detail)...)
	case engine.EventOpen:
		level := hclog.Info
		if r.byAnyone[e.Door] {
			r.bells.Add(e.Time, e.Door, e.Source, false)
			level = hclog.Debug
		}
		r.log.Log(level, "open", who...)
	case engine.EventError:
		r.log.Log(r.faultLevel(e), "a script failed", append(who, "script", e.Script, "line", e.Line, "detail", e.Detail)...)
	case engine.EventEffect, engine.EventClose, engine.EventFailed: // the runner logs what was done
	}
}
