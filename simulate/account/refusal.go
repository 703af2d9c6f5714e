package account

import (
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A refusal is how often complete sequences were refused, and why the latest one was.
type refusal struct {
	count  int
	latest position
	reason engine.Reason
	detail string
	time   time.Time // of the latest
	until  time.Time // when the limit admits the next knock; zero: another reason
}

// judge notes a refusal. In a row of refusals over a limit only the first has an event.
func (r *refusal) judge(j *engine.Judgment) {
	*r = refusal{r.count + 1, positionOf(j), j.Reason, j.Detail, j.Time, j.Until}
}

// event notes the event of a refusal, which has the whole detail. One that no packet caused had no
// judgment.
func (r *refusal) event(e *engine.Event) {
	at := position{e.Packet, e.Capture}
	if at.packet == 0 || at != r.latest {
		r.count++
		r.until = time.Time{}
	}
	r.latest, r.reason, r.detail = at, e.Reason, e.Detail
}

// text says why the latest was refused, and until when if that is known. The detail of a window
// says so itself.
func (r *refusal) text() string {
	text := transcript.Because(r.reason, r.detail)
	if !r.until.IsZero() {
		text += ", until " + clockTime(r.until, r.time)
	}
	return text
}
