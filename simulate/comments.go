package simulate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
)

// mostComments bounds the packets with a comment. A recorder holds far fewer.
const mostComments = 1 << 20

// Comments replays a recording of the daemon with its own scripts, and returns what each packet
// did, by its number: "ssh: stage 2 of 4". A recording that goes wrong further on gives the
// comments up to there, and the error, which is [ErrWithheld] when the recording leaves out
// one-time sequences that this machine does not have.
func Comments(recording io.Reader) (map[int]string, error) {
	reader, err := record.NewReader(recording, -1, "the recording")
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	w := &commentWriter{lines: map[int][]string{}, faint: map[int]string{}}
	report, err := rerun(context.Background(), Config{Writer: w, judge: w.judge}, &capture{name: "the recording", reader: reader})
	if err == nil && len(report.Incomplete) > 0 {
		err = report.Incomplete[0]
	}
	if err == nil && len(report.Withheld) > 0 {
		err = ErrWithheld
	}
	comments := w.faint
	for number, lines := range w.lines {
		comments[number] = strings.Join(lines, "; ")
	}
	return comments, err
}

// A commentWriter makes comments of judgments, and of the grants that follow them.
type commentWriter struct {
	lines map[int][]string
	faint map[int]string // of packets to another port than a door awaits, which may be of another door
}

// Begin, Flush and Summary do nothing.
func (w *commentWriter) Begin([]string, []string)         {}
func (w *commentWriter) Flush() error                     { return nil }
func (w *commentWriter) Summary(transcript.Summary) error { return nil }

// Events adds the grants of ports. Commands and logged texts may tell more than a stranger should
// read in a comment, which outlives the secrets of the file.
func (w *commentWriter) Events(events []engine.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == engine.EventEffect && e.Effect == engine.EffectAllow && e.Packet > 0 {
			w.add(e.Packet, fmt.Sprintf("%s: %s for %s (grant %d)", transcript.Safe(e.Door), e.Port, transcript.Duration(e.TTL), e.Grant))
		}
	}
}

func (w *commentWriter) judge(j *engine.Judgment) {
	text := comment(j)
	switch {
	case text == "" || j.Packet == 0:
	case j.Ruling == engine.Ignored && j.Why == engine.OtherPort:
		if len(w.faint) < mostComments {
			w.faint[j.Packet] = text
		}
	default:
		w.add(j.Packet, text)
	}
}

func (w *commentWriter) add(packet int, line string) {
	lines := w.lines[packet]
	if len(lines) == 0 && len(w.lines) == mostComments || slices.Contains(lines, line) {
		return
	}
	w.lines[packet] = append(lines, line)
}

// comment describes a judgment; "" when there is nothing to say. It tells what became of what was
// sent, and nothing that the rules would have accepted instead: no knock that is awaited, no
// payload, no flags, no networks. Comments stay when the secrets are taken out of a file.
func comment(j *engine.Judgment) string {
	text := did(j)
	if text == "" || j.Door == nil {
		return text
	}
	return transcript.Safe(j.Door.Name) + ": " + text
}

// did describes what a packet did at the door.
func did(j *engine.Judgment) string {
	switch j.Ruling {
	case engine.Began, engine.Advanced, engine.Finished:
		return reached(j)
	case engine.Repeated:
		return stage(j, j.Stage) + " again, which is forgiven"
	case engine.Disturbed:
		return missed(j)
	case engine.TooLate:
		return "too late for " + stage(j, j.Before+1) + ", by " + transcript.Duration(j.Late)
	case engine.Ignored:
		return ignored(j)
	case engine.LetIn:
		return fmt.Sprintf("%s let in (grant %d)", j.Came, j.Grant)
	case engine.KeptOut:
		return j.Came.String() + " kept out"
	case engine.Ended:
	}
	return ""
}

// stage returns "stage 2 of 4".
func stage(j *engine.Judgment, n int) string {
	return fmt.Sprintf("stage %d of %d", n, max(n, len(j.Door.Sequence)))
}

func reached(j *engine.Judgment) string {
	text := stage(j, j.Stage)
	switch {
	case j.Reason != "":
		return text + ", refused: " + transcript.Because(j.Reason, "")
	case j.Why == engine.GaveNothing:
		return "on_knock gave no access"
	case j.Ruling == engine.Finished:
		return text + ", open"
	}
	return text
}

func missed(j *engine.Judgment) string {
	text := "miss at " + stage(j, j.Before) + ": " + transcript.Because(j.Reason, "")
	if j.Stage > 0 {
		text += "; " + stage(j, j.Stage) + " holds"
	}
	return text
}

// ignored describes why a packet changed nothing.
func ignored(j *engine.Judgment) string {
	switch j.Why {
	case engine.OtherDestination:
		return "ignored: to another address"
	case engine.OtherBytes:
		return "ignored: another payload"
	case engine.OtherFlags, engine.OtherProtocol, engine.OtherPort, engine.OutOfTurn:
		return "ignored: not the awaited knock"
	case engine.CopyOfPacket:
		return "duplicate" + of(j.Original)
	case engine.ResentSegment:
		return "retransmit" + of(j.Original)
	case engine.ImpossiblePacket:
		return "ignored: no honest host sends it"
	case engine.NoWhy, engine.AtTripwire, engine.StrayPacket, engine.Evicted, engine.GaveNothing:
	}
	return ""
}

func of(o engine.Origin) string {
	if o.Packet == 0 {
		return ""
	}
	return fmt.Sprintf(" of packet %d", o.Packet)
}
