package account

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// shown is how many sources Write lists.
const shown = 20

// Write lists the accounts of the first sources for people, and counts the others. The error is
// that of w.
func (b *Book) Write(w io.Writer) error {
	var out bytes.Buffer
	all := b.all()
	width := 0
	for _, o := range all {
		width = max(width, utf8.RuneCountInString(transcript.Safe(o.door.Name)))
	}
	listed := map[string]bool{}
	rest := map[string]bool{}
	for _, o := range all {
		source := o.source.String()
		if len(listed) == shown && !listed[source] {
			rest[source] = true
			continue
		}
		listed[source] = true
		for _, line := range o.lines(b.ended, b.running) {
			fmt.Fprintf(&out, "%-15s  %-*s  %s\n", source, width, transcript.Safe(o.door.Name), line)
		}
	}
	switch {
	case b.overflow:
		fmt.Fprintf(&out, "and at least %s; of first knocks only the latest are remembered\n", transcript.Count(len(rest), "more source"))
	case len(rest) > 0:
		fmt.Fprintf(&out, "and %s\n", transcript.Count(len(rest), "more source"))
	}
	_, err := w.Write(out.Bytes())
	return err
}

// lines describes an outcome: the attempt that continues, then the results, the best first. Ended
// is the end of a recording, zero for captures; running means that it is now.
func (o *outcome) lines(ended time.Time, running bool) []string {
	var lines []string
	waiting := o.waiting(ended, running)
	if waiting != "" {
		lines = append(lines, waiting)
	}
	lines = append(lines, o.openingLines()...)
	if o.errors > 0 {
		lines = append(lines, "failed: "+o.fault)
	}
	if o.refusals > o.errors {
		lines = append(lines, "refused"+times(o.refusals, o.refuse, "last")+": "+o.detail)
	}
	if o.misfits > 0 {
		lines = append(lines, "no knock"+times(o.misfits, o.misfit, "last")+" because of the payload: "+o.payload)
	}
	if best, n := o.furthest(ended); n > 0 && (waiting == "" || o.best.stage > 0) {
		line := "stopped"
		if n > 1 {
			line += fmt.Sprintf(" %d times, the furthest", n)
		}
		lines = append(lines, fmt.Sprintf("%s at %d of %d: %s", line, best.stage, len(o.door.Sequence), o.why(best)))
	}
	return lines
}

// why describes why an attempt ended, and by how much the knock was too late.
func (o *outcome) why(m nearMiss) string {
	awaited := o.door.Sequence[min(m.stage, len(o.door.Sequence)-1)].Port.String()
	came := m.came.String()
	switch {
	case m.reason == engine.StepTimeout || m.reason == engine.TotalTimeout:
		limit := "within " + transcript.Duration(o.door.Within)
		if m.reason == engine.StepTimeout {
			limit = "step_timeout " + transcript.Duration(o.door.StepTimeout)
		}
		switch {
		case !m.over.IsZero():
			return awaited + " did not come in time: its " + o.limit(m) + " were over at " + clockTime(m.over)
		case m.came == packet.Port{}:
			return awaited + " did not come in time" + inBrackets(limit)
		case m.late == 0:
			return awaited + " came exactly at the limit, which is too late" + inBrackets(m.at.String(), limit)
		}
		if m.late > time.Millisecond {
			m.late = m.late.Round(time.Millisecond)
		}
		return awaited + " came " + transcript.Duration(m.late) + " too late" + inBrackets(m.at.String(), limit)
	case m.reason == engine.Tripwire:
		return came + ", a tripwire, came" + inBrackets(m.at.String()) + ", " + awaited + " was expected"
	case m.reason == engine.WrongPort || m.reason == engine.OutOfOrder:
		switch {
		case m.came == packet.Port{}:
			return "another knock than " + awaited + " came"
		case came == awaited:
			return came + " came with other flags than this door asks for" + inBrackets(m.at.String())
		}
		return came + " came" + inBrackets(m.at.String()) + ", " + awaited + " was expected"
	case m.reason == engine.Used:
		return "somebody else used the sequence up"
	case m.reason == engine.EndOfCapture:
		return awaited + " did not come before the capture ended"
	}
	return strings.ReplaceAll(string(m.reason), "_", " ")
}

// times describes how often something happened, and at which packet the first or last time.
func times(n int, at position, which string) string {
	if n == 1 {
		return inBrackets(at.String())
	}
	return " " + strconv.Itoa(n) + " times, " + which + inBrackets(at.String())
}

// String names the packet, and its capture if there are several. It is "" for no packet.
func (p position) String() string {
	switch {
	case p.packet == 0:
		return ""
	case p.capture == 0:
		return fmt.Sprintf("packet %d", p.packet)
	}
	return fmt.Sprintf("packet %d of capture %d", p.packet, p.capture)
}

// inBrackets joins the parts that are not empty, as in " (packet 3, within 8s)".
func inBrackets(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
