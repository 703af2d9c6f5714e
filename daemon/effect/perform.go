package effect

import (
	"context"
	"errors"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A performer describes how one kind of effect is performed. To add an effect, write
// its performer into a file of its own, and its line into [performers].
type performer struct {
	stage stage
	// needed reports whether an event needs any work; nil: always. Some events only
	// report, such as that of a grant that is extended: its command does not run again.
	needed func(*engine.Event) bool
	// perform does it; nil: the journal or the transaction does it. In the stage
	// inBackground it runs in a goroutine of its own. Its context ends with the grace
	// period, see [Config.Grace]. It calls answer once, and returns when nothing of
	// the effect runs any more. In the stage onWorker it must not block.
	perform func(r *Runner, alive context.Context, s *step, answer func(Output, error))
	// queues names what the step must not overtake, for the stage inBackground: it
	// runs when it is the first in each of these queues.
	queues func(*step) []string
	// log writes the result of a step into the daemon's log.
	log func(r *Runner, s *step, err error)
}

// A stage is where in the worker's round a step is performed.
type stage uint8

const (
	// inJournal: the journal writes its record, and the rest of its decision waits for it.
	inJournal stage = iota
	// inTransaction: with all elements of the round, in one call of [Firewall.Apply].
	inTransaction
	// onWorker: after the transaction, by the worker itself.
	onWorker
	// inBackground: after the transaction, in a goroutine of its own, and after its record is
	// on the disk when it has one. The rest of its decision waits for it, and no other
	// decision does.
	inBackground
)

// performers holds the performer of each effect of the engine. A test names the
// effects that it lacks.
var performers = [engine.Effects]*performer{
	engine.EffectPersist:    &recorded,
	engine.EffectAllow:      &access,
	engine.EffectExec:       &commands,
	engine.EffectUndo:       &commands,
	engine.EffectLog:        &logLine,
	engine.EffectElement:    &access,
	engine.EffectConsume:    &consumed,
	engine.EffectCommentOut: &commentedOut,
	engine.EffectCut:        &access,
}

// performerOf returns what performs an event, and nil when nothing is to be done
// for it. An effect without a performer is not dropped in silence: it is answered
// with an error, and the engine takes its decision back.
func performerOf(e *engine.Event) *performer {
	if e.Kind == engine.EventClose && e.Port != (packet.Port{}) {
		return &access
	}
	if e.Kind != engine.EventEffect {
		return nil
	}
	how := &unknown
	if int(e.Effect) < engine.Effects && performers[e.Effect] != nil {
		how = performers[e.Effect]
	}
	if how.needed != nil && !how.needed(e) {
		return nil
	}
	return how
}

// unknown is for an effect that the engine knows and this package does not.
var unknown = performer{
	stage: onWorker,
	perform: func(_ *Runner, _ context.Context, _ *step, answer func(Output, error)) {
		answer(Output{}, errUnknown)
	},
	log: func(r *Runner, s *step, err error) {
		r.warn("effect not performed", "door", s.Door, "source", s.source(), "effect", s.Effect.Name(), "error", err)
	},
}

var errUnknown = errors.New("nothing performs this effect: this is a bug, please report it")
