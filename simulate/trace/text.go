package trace

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// rulings are the names of rulings in traces.
var rulings = [...]string{
	engine.Ignored: "ignored", engine.Began: "began", engine.Advanced: "advanced", engine.Finished: "finished",
	engine.Repeated: "repeated", engine.Disturbed: "disturbed", engine.TooLate: "too_late", engine.Ended: "ended",
	engine.LetIn: "let_in", engine.KeptOut: "kept_out",
}

// whys are what people read of the reasons of a judgment.
var whys = [...]string{
	engine.NoWhy: "", engine.OtherDestination: "the door listens at another address", engine.OtherFlags: "its TCP flags are not those of the knock",
	engine.OtherProtocol: "the knock has the other protocol", engine.OtherPort: "it is to no port of a door",
	engine.OtherBytes: "its payload is not that of the knock", engine.OutOfTurn: "it is a knock of the door, and not the awaited one",
	engine.AtTripwire: "it is to a tripwire", engine.CopyOfPacket: "the same packet was captured before", engine.ResentSegment: "the same TCP segment came before",
	engine.ImpossiblePacket: "no honest host sends it", engine.StrayPacket: "the door is strict, and minds packets to other ports",
	engine.Evicted: "there are too many attempts", engine.GaveNothing: "the function neither refused nor gave anything",
}

// questions are what people read of tests.
var questions = map[string]string{
	"host": "is it to this host", "port": "does a door watch its port", "source": "can it come from outside", "new": "is it new, no copy and no retransmit",
	"destination": "does the door listen there", "knock": "are port and flags those of a knock", "payload": "is the payload right",
	"steps": "may the functions of the door run", "limit": "does the limit admit it", "function": "does the function agree",
}

// sentence returns what came of the tests for people.
func sentence(j *engine.Judgment) string {
	var b strings.Builder
	stages := 0
	if j.Door != nil {
		stages = len(j.Door.Sequence)
	}
	switch j.Ruling {
	case engine.Ignored:
		b.WriteString("ignored")
	case engine.Began, engine.Advanced:
		fmt.Fprintf(&b, "knock %d of %d", j.Stage, stages)
	case engine.Finished:
		b.WriteString("the last knock")
	case engine.Repeated:
		b.WriteString("the latest knock again, which is forgiven")
	case engine.Disturbed:
		fmt.Fprintf(&b, "a wrong knock: the attempt was at %d of %d, and is at %d", j.Before, stages, j.Stage)
	case engine.TooLate:
		fmt.Fprintf(&b, "the awaited knock, %s too late", transcript.Duration(j.Late))
	case engine.Ended:
		fmt.Fprintf(&b, "the attempt at %d of %d ended at %s", j.Before, stages, clock(j.Time))
	case engine.LetIn:
		fmt.Fprintf(&b, "let in by grant %d", j.Grant)
	case engine.KeptOut:
		b.WriteString("no grant lets it in")
	}
	if j.Why != engine.NoWhy {
		b.WriteString(": " + whys[j.Why])
	}
	if j.Original.Packet > 0 {
		fmt.Fprintf(&b, " (packet %d)", j.Original.Packet)
	}
	if j.Reason == engine.When || j.Reason == engine.NoData {
		b.WriteString(", refused") // the tests before have the reason
	} else if j.Reason != "" {
		b.WriteString("; " + transcript.Because(j.Reason, j.Detail))
	} else if j.Detail != "" {
		b.WriteString("; " + j.Detail)
	}
	if waits := j.Awaited.Port; j.Ruling == engine.Ignored && j.Before > 0 && waits != (packet.Port{}) {
		fmt.Fprintf(&b, "; the attempt is at %d of %d and awaits %v", j.Before, stages, waits)
	}
	if !j.Deadline.IsZero() && j.Ruling != engine.Ignored {
		fmt.Fprintf(&b, "; time until %s", clock(j.Deadline))
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// mostOthers is how many doors a packet lists that it did not concern.
const mostOthers = 8

// WriteText writes a packet for people, with a line for each test. Others are doors that it did not
// concern.
func (p *Packet) WriteText(w io.Writer, others []string) error {
	var b strings.Builder
	b.WriteString(p.head() + "\n")
	for _, e := range p.Entries {
		b.WriteString("  " + e.text() + "\n")
	}
	if p.Dropped != "" {
		fmt.Fprintf(&b, "  = no knock: %s\n", strings.ReplaceAll(p.Dropped, "_", " "))
	}
	for i := range p.Events {
		if text := transcript.Describe(&p.Events[i]); text != "" {
			fmt.Fprintf(&b, "  = %s\n", text)
		}
	}
	if len(others) > 0 && p.Number > 0 {
		more := ""
		if len(others) > mostOthers {
			others, more = others[:mostOthers], fmt.Sprintf(" and %s more", transcript.Number(len(others)-mostOthers))
		}
		fmt.Fprintf(&b, "  it did not concern: %s%s\n", transcript.Safe(strings.Join(others, ", ")), more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// head returns the line of the packet for people.
func (p *Packet) head() string {
	const format = "2006-01-02 15:04:05.000"
	if p.Number == 0 {
		return fmt.Sprintf("end of the captures  %s  %s sent nothing more", p.Time.UTC().Format(format), p.Source)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "packet %d", p.Number)
	if p.Capture > 0 {
		fmt.Fprintf(&b, " of capture %d", p.Capture)
	}
	fmt.Fprintf(&b, "  %s  %s > %s %v", p.Time.UTC().Format(format), p.Source, p.Dest, p.Port)
	if p.Port.Proto == packet.TCP {
		fmt.Fprintf(&b, " %s", p.Flags.Names())
	}
	if p.Payload > 0 {
		fmt.Fprintf(&b, " with %s", transcript.Count(p.Payload, "byte"))
	}
	return b.String()
}

// text returns a line for people.
func (e *Entry) text() string {
	var b strings.Builder
	if e.Door != "" {
		b.WriteString(transcript.Safe(e.Door) + ": ")
	}
	if e.Ruling != "" {
		b.WriteString(transcript.Safe(e.Text))
		return b.String()
	}
	if e.Condition != "" {
		b.WriteString("does the condition " + transcript.Safe(e.Condition) + " hold")
	} else {
		b.WriteString(questions[e.Test])
	}
	b.WriteString("? " + e.Outcome)
	if e.Detail != "" {
		b.WriteString(" (" + transcript.Safe(e.Detail) + ")")
	}
	return b.String()
}

// Lines returns a packet for programs: a line for the packet, and one for each entry. See
// docs/transcript.md.
func (p *Packet) Lines() [][]transcript.Pair {
	head := []transcript.Pair{
		{Key: "event", Value: "trace"}, {Key: "time", Value: p.Time.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")},
		{Key: "packet", Value: p.Number}, {Key: "capture", Value: p.Capture},
		{Key: "source", Value: p.Source.String()},
	}
	if p.Number > 0 {
		head = append(head, transcript.Pair{Key: "dest", Value: p.Dest.String()}, transcript.Pair{Key: "port", Value: p.Port.String()})
	}
	if p.Port.Proto == packet.TCP {
		head = append(head, transcript.Pair{Key: "flags", Value: p.Flags.Names()})
	}
	lines := [][]transcript.Pair{append(head, transcript.Pair{Key: "dropped", Value: p.Dropped})}
	for _, e := range p.Entries {
		one := []transcript.Pair{{Key: "event", Value: "test"}}
		if e.Ruling != "" {
			one[0].Value = "judgment"
		}
		lines = append(lines, append(one, []transcript.Pair{
			{Key: "packet", Value: p.Number}, {Key: "capture", Value: p.Capture}, {Key: "door", Value: e.Door},
			{Key: "test", Value: e.Test}, {Key: "outcome", Value: e.Outcome}, {Key: "condition", Value: e.Condition}, {Key: "detail", Value: e.Detail},
			{Key: "ruling", Value: e.Ruling}, {Key: "stage", Value: e.Stage}, {Key: "stages", Value: e.Stages}, {Key: "text", Value: e.Text},
		}...))
	}
	return lines
}
