//go:build linux

package privileged

import (
	"context"
	"errors"
	"math"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// runProgram runs a command, and returns its answer when nothing of it runs any more.
func runProgram(ctx context.Context, c effect.Command) (answer message) {
	c.Program().Run(ctx, func(out effect.Output, err error) { answer = answerOf(out, err) })
	return answer
}

// answerOf returns the answer for the result of a program.
func answerOf(out effect.Output, err error) message {
	m := message{outcome: outcomeDone, status: -1, output: cut(out.Text, maxOutput), lost: uint64(max(0, out.Lost))}
	if err == nil {
		m.status = 0
		return m
	}
	m.text = cut(err.Error(), maxText)
	failure, ran := errors.AsType[*engine.CommandError](err)
	switch {
	case errors.Is(err, effect.ErrStopped):
		m.outcome = outcomeStopped
	case !ran:
		m.outcome = outcomeRefused
	default:
		m.outcome, m.status = outcomeFailed, int64(min(max(-1, failure.Status), math.MaxUint8))
		if _, hung := errors.AsType[effect.HungError](err); hung {
			m.outcome = outcomeHung
		}
	}
	return m
}

func refused(err error) message {
	return message{outcome: outcomeRefused, status: -1, text: cut(err.Error(), maxText)}
}

func notOwed() message {
	return message{outcome: outcomeNotOwed, status: -1, text: "the undo is not pending"}
}

// ErrNotOwed is why an undo does not run: the helper knows of no command that ran and that it
// undoes. The command ran before there was a helper, or the journal of the helper was lost.
var ErrNotOwed = errors.New("the helper knows of no command that ran and that this undoes")

func stopped() message {
	return message{outcome: outcomeStopped, status: -1, text: effect.ErrStopped.Error()}
}

// counts reports whether a command counts as done, as the engine decides it too.
func (m *message) counts(anyStatus bool) bool {
	ran := m.outcome == outcomeFailed || m.outcome == outcomeHung
	return m.outcome == outcomeDone || ran && anyStatus
}

// A stoppedError is the error of a program that was killed since its process stops.
type stoppedError struct{ text string }

func (e stoppedError) Error() string { return e.text }
func (stoppedError) Unwrap() error   { return effect.ErrStopped }

// result is the opposite of answerOf.
func (m *message) result() (effect.Output, error) {
	out := effect.Output{Text: m.output, Lost: int(m.lost)}
	failure := &engine.CommandError{Status: int(m.status), Text: m.text}
	switch m.outcome {
	case outcomeDone:
		return out, nil
	case outcomeFailed:
		return out, failure
	case outcomeHung:
		return out, effect.HungError{Failure: failure}
	case outcomeStopped:
		return out, stoppedError{m.text}
	case outcomeNotOwed:
		return out, ErrNotOwed
	case outcomeRefused, outcomeMissing:
	}
	return out, errors.New(m.text)
}

// owedOf returns the undo of a command that a session asks for.
func owedOf(r run, session uint64, q *message) *owed {
	return &owed{
		Argv: wire.Convert[wire.Text](r.undo), Timeout: r.timeout, AnyStatus: r.anyStatus,
		Door: wire.Text(q.door), Source: q.source, Grant: q.grant, session: session,
	}
}
