package compare

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sesame/daemon/transcript"
	"sesame/scripting/difference"
)

// A Heading says for people what was compared.
type Heading struct {
	Old, New string
	Packets  string // where they are from; "" for none
}

// mostListed bounds the entries of each part of a text for people. JSON has all.
const mostListed = 100

// A group is openings of one source at one door, of which the same is to be said.
type group struct {
	*Opening // the first
	count    int
	last     time.Time
	text     string
}

// A grouping gathers openings into groups, in the order of the first of each.
type grouping struct {
	groups []*group
	by     map[[3]string]*group
}

func (g *grouping) add(o *Opening, text string) {
	key := [3]string{o.Door, o.Source, text}
	if known := g.by[key]; known != nil {
		known.count, known.last = known.count+1, o.Time
		return
	}
	if g.by == nil {
		g.by = map[[3]string]*group{}
	}
	g.by[key] = &group{o, 1, o.Time, text}
	g.groups = append(g.groups, g.by[key])
}

// A part is a list of openings of which something differs.
type part struct {
	heading string
	grouping
}

// parts returns what differs of openings. Only is as in [Report.WriteText].
func (r *Report) parts(only string) []*part {
	lost := &part{heading: "lost: opened before, and no longer"}
	gained := &part{heading: "gained: open now, and did not before"}
	changed := &part{heading: "changed: open as before, and give something else"}
	for i := range r.Lost {
		lost.add(r.Lost[i].Opening, r.Lost[i].Why)
	}
	for i := range r.Gained {
		gained.add(r.Gained[i].Opening, r.Gained[i].Before)
	}
	for i := range r.Changed {
		changed.add(r.Changed[i].Opening, strings.Join(r.Changed[i].Differences, "; "))
	}
	switch only {
	case "lost":
		return []*part{lost}
	case "gained":
		return []*part{gained}
	}
	return []*part{lost, gained, changed}
}

// WriteText writes the report for people. Only is "lost" or "gained" for these openings alone.
func (r *Report) WriteText(w io.Writer, h Heading, only string) {
	fmt.Fprintf(w, "old: %s\nnew: %s\n", transcript.Safe(h.Old), transcript.Safe(h.New))
	if h.Packets != "" {
		fmt.Fprintf(w, "packets: %s of %s\n", transcript.Number(r.Replays[0].Packets), h.Packets)
	} else {
		fmt.Fprintln(w, "packets: none, so only what the scripts say was compared")
	}
	if only == "" {
		section(w, "what the scripts say", difference.Lines(r.Declarations, mostListed))
	}
	for _, one := range r.parts(only) {
		section(w, one.heading, openingLines(one.groups))
	}
	if only == "" {
		section(w, "refused for another reason", r.refusalLines())
		section(w, "what no opening gave", r.effectLines())
	}
	r.writeEnd(w)
}

// section writes lines below a heading; without lines nothing.
func section(w io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// openingLines describes openings: two lines each, or one when there is nothing to explain.
func openingLines(groups []*group) (lines []string) {
	for i, g := range groups {
		if i == mostListed {
			return append(lines, fmt.Sprintf("and %s more", transcript.Number(len(groups)-i)))
		}
		lines = append(lines, g.String())
		if g.text != "" {
			lines = append(lines, "    "+transcript.Safe(g.text))
		}
	}
	return lines
}

// String returns "ssh  203.0.113.9  2026-03-02 12:00:04 UTC, packet 4: tcp/22 for 30s". Of an
// opening of both sets the differences say what it gives.
func (g *group) String() string {
	text := fmt.Sprintf("%s  %s  %s, packet %s", transcript.Safe(g.Door), g.Source, transcript.Clock(g.Time), packetName(g.Opening))
	if g.count > 1 {
		text += fmt.Sprintf(", and %s until %s", transcript.Count(g.count-1, "time"), transcript.Clock(g.last))
	}
	if gives := g.gives(); gives != "" && g.other == nil {
		text += ": " + gives
	}
	return text
}

func (r *Report) refusalLines() (lines []string) {
	for i, one := range r.Refusals {
		if i == mostListed {
			return append(lines, fmt.Sprintf("and %s more", transcript.Number(len(r.Refusals)-i)))
		}
		lines = append(lines, fmt.Sprintf("%s  %s  %s, packet %s: %s -> %s", transcript.Safe(one.Door), one.Source, transcript.Clock(one.Time),
			transcript.Number(one.Packet), orNot(one.Old), orNot(one.New)))
	}
	return lines
}

func orNot(refusal string) string {
	if refusal == "" {
		return "not refused, and not open either"
	}
	return refusal
}

func (r *Report) effectLines() (lines []string) {
	for i := range r.Effects {
		if i == mostListed {
			return append(lines, fmt.Sprintf("and %s more", transcript.Number(len(r.Effects)-i)))
		}
		e := &r.Effects[i]
		lines = append(lines, fmt.Sprintf("%s: %s, before %s", e, transcript.Count(e.New, "time"), transcript.Number(e.Old)))
	}
	return lines
}

// String returns "ssh  203.0.113.9  exec /bin/true".
func (e *Effect) String() string {
	text := transcript.Safe(e.Door) + "  " + e.Source + "  " + e.Effect
	if e.Port != "" {
		text += " " + e.Port
	}
	if e.Command != nil {
		text += " " + transcript.Command(e.Command)
	}
	return strings.TrimSpace(text)
}

// writeEnd writes the counts of each door, what is not known, and what concerns the caller.
func (r *Report) writeEnd(w io.Writer) {
	if r.Compared() {
		fmt.Fprintln(w)
		for i := range r.Doors {
			fmt.Fprintln(w, &r.Doors[i])
		}
		fmt.Fprintf(w, "%s, %s now\n", transcript.Count(r.Opens.Old, "open"), transcript.Number(r.Opens.New))
	}
	for _, line := range r.remarks() {
		fmt.Fprintln(w, line)
	}
	if r.Same() {
		fmt.Fprintln(w, r.sameness())
	}
}

// String returns "ssh: 14 opens, 13 now: 1 lost".
func (d *Door) String() string {
	text := transcript.Safe(d.Door)
	if d.Was != "" {
		text += " (before: " + transcript.Safe(d.Was) + ")"
	}
	text += fmt.Sprintf(": %s, %s now", transcript.Count(d.Old, "open"), transcript.Number(d.New))
	separator := ": "
	for _, one := range []struct {
		count int
		what  string
	}{{d.Lost, "lost"}, {d.Gained, "gained"}, {d.Changed, "changed"}} {
		if one.count > 0 {
			text += separator + transcript.Number(one.count) + " " + one.what
			separator = ", "
		}
	}
	return text
}

// remarks are lines about the whole comparison.
func (r *Report) remarks() (lines []string) {
	for _, name := range r.Unrecorded {
		lines = append(lines, fmt.Sprintf("door %s: not all of its knocks are ports that the scripts of the recording watched, so such packets were not recorded, and whether somebody opens it is not known", transcript.Safe(name)))
	}
	if len(r.Unopened) > 0 {
		lines = append(lines, "opened by none of these packets, with either set: "+transcript.Safe(strings.Join(r.Unopened, ", ")))
	}
	lines = append(lines, r.Unknown...)
	if r.Uncompared > 0 {
		lines = append(lines, transcript.Count(r.Uncompared, "further opening")+" not compared: compare shorter captures")
	}
	if r.Mine != nil {
		lines = append(lines, r.Mine.String())
	}
	return lines
}

// String returns "your own last knock, 203.0.113.9 at 2026-03-02 12:00:04 UTC, still opens ssh".
func (m *Mine) String() string {
	switch {
	case m.Door == "":
		return fmt.Sprintf("your address, %s, opened nothing in these packets, so whether your knock opens is not known", m.Source)
	case m.Opens:
		return fmt.Sprintf("your own last knock, %s at %s, still opens %s", m.Source, transcript.Clock(m.Time), transcript.Safe(m.Door))
	}
	return fmt.Sprintf("your own last knock, %s at %s, no longer opens %s: %s", m.Source, transcript.Clock(m.Time), transcript.Safe(m.Door), transcript.Safe(m.Why))
}
