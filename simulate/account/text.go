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
	for _, r := range all {
		width = max(width, utf8.RuneCountInString(transcript.Safe(r.door)))
	}
	listed := map[*source]bool{}
	rest := map[*source]bool{}
	for _, r := range all {
		if len(listed) == shown && !listed[r.source] {
			rest[r.source] = true
			continue
		}
		listed[r.source] = true
		for _, line := range b.lines(r) {
			fmt.Fprintf(&out, "%-15s  %-*s  %s\n", r.source.addr, width, transcript.Safe(r.door), line)
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(&out, "and %s", transcript.Count(len(rest), "more source"))
		if b.dropped > 0 {
			fmt.Fprintf(&out, "; %s that came no further were not kept", transcript.Count(b.dropped, "account"))
		}
		out.WriteByte('\n')
	}
	_, err := w.Write(out.Bytes())
	return err
}

// lines describes a record: the attempt that continues, then the results, the best first, then what
// explains them.
func (b *Book) lines(r *record) []string {
	var lines []string
	a, waits := b.waiting(r)
	if waits {
		lines = append(lines, a.text(b.running))
	}
	lines = append(lines, r.openings.lines()...)
	if r.errors > 0 {
		lines = append(lines, "failed: "+r.fault)
	}
	if n := r.refusal.count; n > r.errors {
		lines = append(lines, "refused"+times(n, r.refusal.latest, "last")+": "+r.refusal.text())
	}
	if n := r.barren; n.count > 0 {
		lines = append(lines, "on_knock gave no access"+times(n.count, n.latest, "last"))
	}
	if m := r.misfit; m.count > 0 {
		lines = append(lines, "no knock"+times(m.count, m.latest, "last")+" because of the payload: "+m.why)
	}
	m, n := b.furthest(r)
	if m != nil && m.worthALine(r) {
		line := "stopped"
		if n > 1 {
			line += fmt.Sprintf(" %d times, the furthest", n)
		}
		lines = append(lines, fmt.Sprintf("%s at %d of %d: %s", line, m.stage, len(m.door.Sequence), r.why(m)))
	}
	if r.rank < opened && r.rules != nil {
		lines = append(lines, r.near.lines(r.rules, m.furthest(), b.began)...)
	}
	if r.half != nil {
		lines = append(lines, r.half.String())
	}
	if r.suggestion != "" {
		lines = append(lines, r.suggestion)
	}
	lines = append(lines, r.againLines()...)
	return append(lines, r.visitLines()...)
}

// text describes an attempt that may still be completed. Running means that the recording ends now,
// so that the next knock may still come.
func (a *attempt) text(running bool) string {
	when, verb := "", "waits"
	if !running {
		when, verb = " when the recording ended", "waited"
	}
	line := fmt.Sprintf("on its way at %d of %d%s: %s for %v", a.stage, len(a.door.Sequence), when, verb, a.awaited().Port)
	if !a.deadline.IsZero() {
		line += ", until " + clockTime(a.deadline, a.deadline)
	}
	return line
}

// why describes why an attempt ended: by a packet that was nearly the awaited knock, or else by
// what the engine reported.
func (r *record) why(m *miss) string {
	if s := r.nearly(m); s != nil {
		return s.text(m.door, r.near.steps)
	}
	if m.at.packet > 0 {
		return m.why()
	}
	s, began := r.near.unexplained(m.stage)
	if s == nil || s.came != m.awaited.Port {
		return m.why()
	}
	if s.why == noCause && !s.time.After(began) {
		return fmt.Sprintf("%v came too early (%v), before the attempt began", s.came, s.at)
	}
	if text, ok := strings.CutPrefix(m.why(), s.came.String()+" did not come"); ok {
		return fmt.Sprintf("%v did not come as a knock%s; one came (%v)%s", s.came, text, s.at, s.problem(m.door, r.near.steps))
	}
	return m.why()
}

// why describes why an attempt ended, and by how much the knock was too late.
func (m *miss) why() string {
	awaited, came := m.awaited.Port.String(), m.came.String()
	// The others need nothing.
	//exhaustive:ignore
	switch m.reason {
	case engine.StepTimeout, engine.TotalTimeout:
		return m.whyLate()
	case engine.Tripwire:
		return came + ", a tripwire, came" + inBrackets(m.at.String()) + ", " + awaited + " was expected"
	case engine.WrongPort, engine.OutOfOrder:
		if m.came == m.awaited.Port {
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

// whyLate describes an attempt that time ended.
func (m *miss) whyLate() string {
	awaited := m.awaited.Port.String()
	name, most := "within ", m.door.Within
	if m.reason == engine.StepTimeout {
		name, most = "step_timeout ", m.door.StepTimeout
	}
	limit := name + transcript.Duration(most)
	switch {
	case !m.over.IsZero():
		return awaited + " did not come in time: its " + transcript.Duration(most) + " were over at " + clockTime(m.over, m.over)
	case m.at.packet == 0:
		return awaited + " did not come in time" + inBrackets(limit)
	case m.late == 0:
		return awaited + " came exactly at the limit, which is too late" + inBrackets(m.at.String(), limit)
	}
	return awaited + " came " + rounded(m.late) + " too late" + inBrackets(m.at.String(), limit)
}

// rounded returns a duration in whole milliseconds, or exactly when it is shorter than one.
func rounded(d time.Duration) string {
	if d > time.Millisecond {
		d = d.Round(time.Millisecond)
	}
	return transcript.Duration(d)
}

// clockTime returns a time of day in UTC, as the transcript has it, with the date when that is
// another one than that of now.
func clockTime(at, now time.Time) string {
	if at, now = at.UTC(), now.UTC(); at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		return at.Format("2006-01-02 15:04:05.000")
	}
	return at.Format("15:04:05.000")
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
