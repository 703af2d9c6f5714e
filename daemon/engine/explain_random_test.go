package engine

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whoever asks for explanations gets the events that come without, and each event that tells of a
// knock or of the end of an attempt has its judgment.
func TestAnExplanationChangesNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newChaos(t, rapid.Uint64().Draw(r, "seed"))
		c.copies = true
		var said []Judgment
		c.twin = c.resumed(c.e)
		c.twin.Explain(func(j *Judgment) { said = append(said, *j) })
		for range 250 {
			said, c.twin.events = said[:0], nil // some inputs give an engine nothing
			c.input()
			checkJudgments(t, said, c.twin)
			if c.r.IntN(4) == 0 { // what no filter passes is judged and changes nothing
				p := c.latest
				p.Time, p.Port = c.now.Add(time.Duration(c.r.IntN(5)-2)*time.Second), c.port("tcp/4", "udp/1", "tcp/9", "tcp/22", "udp/53")
				if p.Source.IsValid() {
					c.twin.Unwatched(&p)
				}
			}
			if t.Failed() {
				r.Fatalf("after the inputs %v", c.past)
			}
		}
		if c.e.Counts() != c.twin.Counts() || c.e.attempts.used != c.twin.attempts.used {
			r.Fatalf("%+v\n%+v", c.e.Counts(), c.twin.Counts())
		}
	})
}

// checkJudgments compares the judgments of an input with its events, and each with itself.
func checkJudgments(t *testing.T, said []Judgment, e *Engine) {
	t.Helper()
	for _, event := range e.events {
		var rulings []Ruling
		switch {
		case event.Door == "" || !event.Source.IsValid() || event.Kind == EventOpen && event.Packet == 0:
			continue
		case event.Kind == EventStage && event.Packet != 0:
			rulings = []Ruling{Began, Advanced, Finished, Disturbed}
		case event.Kind == EventOpen:
			rulings = []Ruling{Finished}
		case event.Kind == EventMiss:
			rulings = []Ruling{Disturbed, Ended, Finished}
		default:
			continue
		}
		if !slices.ContainsFunc(said, func(j Judgment) bool { return explains(&j, &event, rulings) }) {
			t.Errorf("no judgment of %+v among %+v", event, said)
		}
	}
	for i := range said {
		checkJudgment(t, &said[i])
	}
}

func explains(j *Judgment, event *Event, rulings []Ruling) bool {
	return j.Door != nil && j.Door.Name == event.Door && j.Source == event.Source.Addr() && slices.Contains(rulings, j.Ruling) &&
		(event.Kind != EventMiss || j.Reason == event.Reason && (j.Before == event.Stage || j.Ruling == Finished)) &&
		(event.Kind != EventStage || j.Stage == event.Stage) && (j.Packet == event.Packet || j.Ruling == Ended)
}

func checkJudgment(t *testing.T, j *Judgment) {
	t.Helper()
	bad := ""
	switch {
	case j.Ruling == 0 || j.Source == (netip.Addr{}):
		bad = "no ruling or no source"
	case (j.Ruling == Ignored) != (j.Why != NoWhy) && j.Ruling != Disturbed && j.Why != Evicted && j.Why != GaveNothing:
		bad = "a why without need, or none"
	case j.Ruling == Began && (j.Before != 0 || j.Stage != 1), j.Ruling == Advanced && j.Stage != j.Before+1:
		bad = "the stages"
	case j.Ruling == Repeated && j.Stage != j.Before, j.Ruling == Disturbed && j.Stage > j.Before:
		bad = "the stages"
	case j.Late < 0 || j.Left < 0 || j.Ruling == Finished && j.Before > 0 && j.Left == 0:
		bad = "the times"
	case !j.Deadline.IsZero() && (j.Limit == "" || !j.Deadline.After(j.Time)):
		bad = "the deadline"
	case j.Door == nil && j.Ruling != Ignored && j.Ruling != LetIn && j.Ruling != KeptOut:
		bad = "no door"
	case j.Ruling == LetIn && (j.Grant == 0 || !j.Since.IsZero()), j.Ruling == KeptOut && (j.Grant != 0) == j.Since.IsZero():
		bad = "the grant"
	}
	if bad != "" {
		t.Errorf("%s: %s", bad, briefJudgment(j))
	}
}
