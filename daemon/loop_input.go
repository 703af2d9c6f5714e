package daemon

import (
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// maxFired is about how many timers one input fires.
const maxFired = 512

// input gives the engine an input that is no packet, after all packets that arrived before it.
// The engine requires times that do not go back.
func (l *loop) input(in record.Input, give func(now time.Time) []engine.Event) {
	now := l.drain()
	if last := l.engine.Now(); now.Before(last) {
		now = last
	}
	l.inputAt(now, in, give)
}

// inputAt gives the engine an input after the timers that are due before it.
func (l *loop) inputAt(now time.Time, in record.Input, give func(now time.Time) []engine.Event) {
	l.fireInParts(now)
	l.give(now, in, give)
}

// fireInParts fires most of the timers that are due until then when there are many. A crowd whose
// grants end together has 64,000 events, which would all be in memory at once, some twice.
func (l *loop) fireInParts(until time.Time) {
	if next, some := l.engine.Next(); !some || next.After(until) {
		return
	}
	for _, at := range l.engine.Parts(until, maxFired) {
		l.give(at, record.Input{Kind: record.InputTick}, l.engine.Tick)
	}
}

// give gives the engine an input and records it when the engine has handled it: only then is
// known which facts it asked for, and they come first.
func (l *loop) give(now time.Time, in record.Input, give func(now time.Time) []engine.Event) {
	in.Time = now
	events := give(now)
	if l.recorder != nil {
		l.recordGiven(now)
		l.recorder.Input(in)
	}
	l.dispatch(events)
}
