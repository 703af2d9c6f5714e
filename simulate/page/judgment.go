package page

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// maxJudged bounds the judgments that are kept until the events of their input come.
const maxJudged = 1 << 12

// Judge notes a judgment of the engine. Those of an input come before its events.
func (c *Collector) Judge(j *engine.Judgment) {
	if c.done || len(c.judged) == maxJudged {
		c.judged, c.done = c.judged[:0], false
	}
	if j.Door == nil {
		return
	}
	c.reach(j.Time)
	c.judged = append(c.judged, *j)
	a := c.tracks[track{netip.PrefixFrom(j.Source, j.Source.BitLen()), j.Door.Name}]
	switch {
	case a == nil:
	case !a.over:
		a.judge(j)
	case a.ended != nil && (j.Late > 0 || j.Ruling == engine.TooLate):
		a.late(j)
	}
}

// judge notes a judgment about a packet of the source of an attempt.
func (a *attempt) judge(j *engine.Judgment) {
	// The others have events.
	//exhaustive:ignore
	switch j.Ruling {
	case engine.Repeated:
		a.mark(markOfPacket(j, MarkRepeat, j.Came.String()+" again, which is forgiven"))
	case engine.Ignored:
		if text := ignored(j); text != "" {
			a.mark(markOfPacket(j, MarkIgnored, text))
		}
	case engine.Ended, engine.Disturbed:
		a.end(j)
	}
}

// end ends an attempt. It knows more than the event of a miss, which an attempt with one knock does
// not have.
func (a *attempt) end(j *engine.Judgment) {
	a.over, a.ended, a.told = true, clone(j), j.Before > 1
	a.Best, a.Stages = max(a.Best, j.Before), len(j.Door.Sequence)
	a.Text = account.Why(j, nil)
	a.until(j.Time)
	a.mark(markOfPacket(j, MarkEnd, a.Text))
}

// late notes by how much the awaited knock was too late.
func (a *attempt) late(j *engine.Judgment) {
	a.Text = account.Why(a.ended, j)
	a.mark(markOfPacket(j, MarkEnd, a.Text))
	a.until(j.Time)
	a.ended = nil
}

// until notes that an attempt went on until a time.
func (a *attempt) until(at time.Time) {
	if at.After(a.End) {
		a.End = at
	}
}

// judgment returns the judgment that belongs to an event, nil when there is none.
func (c *Collector) judgment(e *engine.Event) *engine.Judgment {
	for i := range c.judged {
		j := &c.judged[i]
		if j.Packet == e.Packet && j.Capture == e.Capture && j.Door.Name == e.Door && e.Source.IsValid() && e.Source.Addr() == j.Source {
			return j
		}
	}
	return nil
}

func markOfPacket(j *engine.Judgment, kind MarkKind, text string) Mark {
	return Mark{Kind: kind, Time: j.Time, Packet: j.Packet, Capture: j.Capture, Text: text}
}

// ignored says why a packet changed nothing, "" when its sender hardly meant the door.
func ignored(j *engine.Judgment) string {
	came := j.Came.String()
	// The others are not about a door, or are no knocks of it.
	//exhaustive:ignore
	switch j.Why {
	case engine.OtherDestination:
		return came + " to " + j.Dest.String() + ", where the door does not listen"
	case engine.OtherFlags:
		return came + " with other flags than this door asks for"
	case engine.OtherProtocol:
		return came + ", with the other protocol"
	case engine.OtherBytes:
		return came + " with another payload: " + transcript.Safe(j.Detail)
	case engine.OutOfTurn:
		return came + " out of turn"
	}
	return ""
}
