package account

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sesame/daemon/transcript"
)

// Write writes the times for people: of the first sources and ports, and the number of the others.
// Verb is "open", or "would have been open". It writes nothing of one grant that was not prolonged:
// what the account says of that is enough. The error is that of w.
func (t *OpenTimes) Write(w io.Writer, verb string) error {
	if t.Grants < 2 && t.Extended == 0 {
		return nil
	}
	var out strings.Builder
	listed := t.Sources[:min(shown, len(t.Sources))]
	width := 0
	for i := range listed {
		width = max(width, len(listed[i].Port.String()))
	}
	for i := range listed {
		s := &listed[i]
		fmt.Fprintf(&out, "%-15s  %-*v  %s\n", transcript.Source(s.Source), width, s.Port, openFor(verb, s.Open, s.Periods, s.Last.IsZero()))
	}
	if rest := len(t.Sources) + t.Unlisted - shown; rest > 0 {
		fmt.Fprintf(&out, "and %s more, none of them for longer\n", transcript.Number(rest))
	}
	t.writePorts(&out, verb)
	if t.Grants > 1 {
		fmt.Fprintf(&out, "most grants at once: %s of %s given (at %s)\n", transcript.Number(t.Most), transcript.Number(t.Grants), stamp(t.MostAt))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writePorts writes the times of the first ports that several sources had, to all of them together.
func (t *OpenTimes) writePorts(out *strings.Builder, verb string) {
	shared := slices.DeleteFunc(slices.Clone(t.Ports), func(p PortTime) bool { return p.Sources < 2 })
	for i := range shared[:min(shown, len(shared))] {
		p := &shared[i]
		fmt.Fprintf(out, "%v %s to %s, at most %s at once (at %s)\n", p.Port, openFor(verb, p.Open, p.Periods, p.Live),
			transcript.Count(p.Sources, "source"), transcript.Number(p.Most), stamp(p.MostAt))
	}
	if rest := len(shared) - shown; rest > 0 {
		fmt.Fprintf(out, "and %s\n", transcript.Count(rest, "more port"))
	}
}

// openFor returns "open for 1m2.5s in 2 periods". What is still open at the end is so far.
func openFor(verb string, open time.Duration, periods int, live bool) string {
	text := verb + " for " + rounded(open)
	if periods > 1 {
		text += " in " + transcript.Count(periods, "period")
	}
	if live {
		text += " so far"
	}
	return text
}

// stamp returns a time as the text of the transcript has it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000") }

// Pairs returns the lines that docs/transcript.md has.
func (t *OpenTimes) Pairs(observed bool) (lines [][]transcript.Pair) {
	add := func(event string, pairs ...transcript.Pair) {
		line := append([]transcript.Pair{{Key: "event", Value: event}}, pairs...)
		lines = append(lines, append(line, transcript.Pair{Key: "observed", Value: observed}))
	}
	for _, s := range t.Sources {
		add("open_time", transcript.Pair{Key: "source", Value: transcript.Source(s.Source)},
			transcript.Pair{Key: "port", Value: s.Port.String()}, transcript.Pair{Key: "seconds", Value: s.Open.Seconds()},
			transcript.Pair{Key: "periods", Value: s.Periods}, transcript.Pair{Key: "grants", Value: s.Grants},
			transcript.Pair{Key: "first", Value: s.First}, transcript.Pair{Key: "last", Value: s.Last})
	}
	for _, p := range t.Ports {
		add("port_time", transcript.Pair{Key: "port", Value: p.Port.String()},
			transcript.Pair{Key: "seconds", Value: p.Open.Seconds()}, transcript.Pair{Key: "periods", Value: p.Periods},
			transcript.Pair{Key: "sources", Value: p.Sources}, transcript.Pair{Key: "most", Value: p.Most}, transcript.Pair{Key: "at", Value: p.MostAt})
	}
	if t.Grants > 0 {
		add("grants", transcript.Pair{Key: "grants", Value: t.Grants},
			transcript.Pair{Key: "most", Value: t.Most}, transcript.Pair{Key: "at", Value: t.MostAt},
			transcript.Pair{Key: "unlisted", Value: t.Unlisted}, transcript.Pair{Key: "unlisted_seconds", Value: t.UnlistedOpen.Seconds()})
	}
	return lines
}
