package account

import (
	"fmt"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// This file says how the attempts stand that no event has ended. No event reports the end of an
// attempt at its first stage, and the engine notices the end of others with its next input.

// waiting describes the attempt that has not ended when a recording ends. It returns "" when there
// is none. Running means that the recording ends now, so that the next knock may still come.
func (o *outcome) waiting(ended time.Time, running bool) string {
	p := o.current
	if p.stage == 0 || p.stage >= len(o.door.Sequence) || ended.IsZero() || p.over(ended) {
		return ""
	}
	when, verb := "", "waits"
	if !running {
		when, verb = " when the recording ended", "waited"
	}
	line := fmt.Sprintf("on its way at %d of %d%s: %s for %v", p.stage, len(o.door.Sequence), when, verb, o.door.Sequence[p.stage].Port)
	if !p.until.IsZero() {
		line += ", until " + clockTime(p.until)
	}
	return line
}

// over reports whether the time of an attempt is over. Without a known end it is not.
func (p progress) over(now time.Time) bool { return !p.until.IsZero() && !p.until.After(now) }

// furthest returns the miss to describe, and how many there were. An attempt that no event ended
// is a miss too, when its time was over before the recording ended, or when the capture ended.
func (o *outcome) furthest(ended time.Time) (nearMiss, int) {
	best, n, p := o.best, o.misses, o.current
	switch {
	case p.stage > 0 && p.stage < len(o.door.Sequence) && !ended.IsZero() && p.over(ended):
		if n++; p.stage >= best.stage {
			best = nearMiss{stage: p.stage, reason: p.reason, over: p.until}
		}
	case best.stage == 0 && o.awaits.stage > 0 && o.opens == 0 && o.refusals == 0:
		return nearMiss{stage: o.awaits.stage, reason: engine.EndOfCapture}, 1
	}
	if best.stage == 0 {
		return best, 0
	}
	return best, max(n, 1)
}

// limit returns the time that an attempt had when it ended for the reason of a miss.
func (o *outcome) limit(m nearMiss) string {
	if m.reason == engine.StepTimeout {
		return transcript.Duration(o.door.StepTimeout)
	}
	return transcript.Duration(o.door.Within)
}

// clockTime returns a time of day in UTC, as the transcript has it.
func clockTime(at time.Time) string { return at.UTC().Format("15:04:05.000") }
