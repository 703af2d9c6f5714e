package simulate

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

// shown bounds what people are given to read.
const shown = 20

// WriteAccount tells people what came of each source, or why nothing was a
// knock. It returns the first error of w.
func (r *Report) WriteAccount(w io.Writer) error {
	var b bytes.Buffer
	b.WriteByte('\n')
	switch {
	case r.Knocks == 0:
		fmt.Fprintln(&b, r.nothing)
	case r.account != nil:
		r.account.write(&b)
	}
	switch {
	case r.Exact:
		fmt.Fprintln(&b, "replayed with the scripts, addresses and results that were recorded")
	case r.recorded:
		fmt.Fprintln(&b, "only packets to the addresses that were recorded counted; a recording has no packets that its own scripts did not listen to")
	case len(r.local) > 0:
		fmt.Fprintf(&b, "only packets to %s counted (--local)\n", joined(r.local))
	default:
		fmt.Fprintln(&b, "every destination counted; with --local ADDRESS only packets to that address do")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// write tells what came of each source, those who opened a door first.
func (a *account) write(w io.Writer) {
	all := a.all()
	width := 0
	for _, o := range all {
		width = max(width, utf8.RuneCountInString(transcript.Safe(o.door.Name)))
	}
	told := map[string]bool{}
	rest := map[string]bool{}
	for _, o := range all {
		source := o.source.String()
		if len(told) == shown && !told[source] {
			rest[source] = true
			continue
		}
		told[source] = true
		for _, line := range o.lines(a.ended) {
			fmt.Fprintf(w, "%-15s  %-*s  %s\n", source, width, transcript.Safe(o.door.Name), line)
		}
	}
	switch {
	case a.overflow:
		fmt.Fprintf(w, "and at least %s; of first knocks only the latest are remembered\n", transcript.Count(len(rest), "more source"))
	case len(rest) > 0:
		fmt.Fprintf(w, "and %s\n", transcript.Count(len(rest), "more source"))
	}
}

// lines returns what is to be said of an outcome: what is on its way, then the best
// first. Ended is when a recording did; zero: then everything ends.
func (o *outcome) lines(ended time.Time) []string {
	var lines []string
	waits := o.waits(ended)
	if waits != "" {
		lines = append(lines, waits)
	}
	if o.opens > 0 {
		line := "opened" + times(o.opens, o.open, "first")
		if len(o.access) > 0 {
			line += ": " + strings.Join(o.access, ", ")
		}
		lines = append(lines, line)
	}
	if o.errors > 0 {
		lines = append(lines, "failed: "+o.fault)
	}
	if o.refusals > o.errors {
		lines = append(lines, "refused"+times(o.refusals, o.refuse, "last")+": "+o.detail)
	}
	if best, ok := o.furthest(); ok && (waits == "" || o.best.stage > 0) {
		line := "stopped"
		if o.misses > 1 {
			line += fmt.Sprintf(" %d times, the furthest", o.misses)
		}
		lines = append(lines, fmt.Sprintf("%s at %d of %d: %s", line, best.stage, len(o.door.Sequence), o.why(best)))
	}
	return lines
}

// furthest returns the miss to tell of. An attempt that stands at its first
// stage when all is over ended too, though nothing told it.
func (o *outcome) furthest() (nearMiss, bool) {
	if o.best.stage == 0 && o.awaits.stage > 0 && o.opens == 0 && o.refusals == 0 {
		return nearMiss{stage: o.awaits.stage, reason: engine.EndOfCapture}, true
	}
	return o.best, o.best.stage > 0
}

// why says why an attempt stopped, and by how much it failed.
func (o *outcome) why(m nearMiss) string {
	awaited := o.door.Sequence[min(m.stage, len(o.door.Sequence)-1)].Port.String()
	came := m.came.String()
	switch m.reason {
	case engine.StepTimeout, engine.TotalTimeout:
		limit := "within " + transcript.Duration(o.door.Within)
		if m.reason == engine.StepTimeout {
			limit = "step_timeout " + transcript.Duration(o.door.StepTimeout)
		}
		switch {
		case m.came == packet.Port{}:
			return awaited + " did not come in time" + inBrackets(limit)
		case m.late == 0:
			return awaited + " came exactly at the limit, which is too late" + inBrackets(m.at.String(), limit)
		}
		if m.late > time.Millisecond {
			m.late = m.late.Round(time.Millisecond)
		}
		return awaited + " came " + transcript.Duration(m.late) + " too late" + inBrackets(m.at.String(), limit)
	case engine.WrongPort, engine.OutOfOrder:
		switch {
		case m.came == packet.Port{}:
			return "another knock than " + awaited + " came"
		case came == awaited:
			return came + " came with other flags than this door asks for" + inBrackets(m.at.String())
		}
		return came + " came" + inBrackets(m.at.String()) + ", " + awaited + " was expected"
	case engine.Used:
		return "somebody else used the sequence up"
	case engine.EndOfCapture:
		return awaited + " did not come before the capture ended"
	}
	return strings.ReplaceAll(string(m.reason), "_", " ")
}

// times says how often something happened, and where.
func times(n int, at place, which string) string {
	if n == 1 {
		return inBrackets(at.String())
	}
	return " " + strconv.Itoa(n) + " times, " + which + inBrackets(at.String())
}

// String names the packet, and the capture when there are several.
func (p place) String() string {
	switch {
	case p.packet == 0:
		return ""
	case p.capture == 0:
		return fmt.Sprintf("packet %d", p.packet)
	}
	return fmt.Sprintf("packet %d of capture %d", p.packet, p.capture)
}

// inBrackets returns what is there of the parts, " (packet 3, within 8s)".
func inBrackets(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// gave returns what an effect gave, "" when it gave nothing to its source.
func gave(e *engine.Event) string {
	switch {
	case e.Effect == engine.EffectAllow && e.Observed:
		return "would have opened " + e.Port.String() + " for " + transcript.Duration(e.TTL)
	case e.Effect == engine.EffectExec && e.Argv != nil && e.Observed:
		return "would have run " + transcript.Command(e.Argv)
	case e.Effect == engine.EffectAllow:
		return e.Port.String() + " for " + transcript.Duration(e.TTL)
	case e.Effect == engine.EffectExec && e.Argv != nil:
		return "ran " + transcript.Command(e.Argv)
	}
	return ""
}
