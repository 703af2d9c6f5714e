package compare

import (
	"fmt"
	"io"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/difference"
)

// WriteMarkdown writes the report as a comment on a change: a verdict, a table of the doors, and
// lists. Only is as in [Report.WriteText].
func (r *Report) WriteMarkdown(w io.Writer, h Heading, only string) {
	fmt.Fprintf(w, "### Sesame: %s\n\n", r.verdict())
	fmt.Fprintf(w, "From %s to %s", code(h.Old), code(h.New))
	if h.Packets != "" {
		fmt.Fprintf(w, ", with %s of %s", transcript.Count(r.Replays[0].Packets, "packet"), escaped(transcript.Safe(h.Packets)))
	}
	fmt.Fprint(w, ".\n")
	r.writeTable(w)
	if only == "" {
		list(w, "What the scripts say", difference.Lines(r.Declarations, mostListed))
	}
	for _, one := range r.parts(only) {
		var lines []string
		for _, g := range one.groups[:min(len(one.groups), mostListed)] {
			line := g.String()
			if g.text != "" {
				line += " — " + transcript.Safe(g.text)
			}
			lines = append(lines, line)
		}
		if more := len(one.groups) - mostListed; more > 0 {
			lines = append(lines, fmt.Sprintf("and %s more", transcript.Number(more)))
		}
		list(w, strings.ToUpper(one.heading[:1])+one.heading[1:], lines)
	}
	if only == "" {
		list(w, "Refused for another reason", r.refusalLines())
		list(w, "What no opening gave", r.effectLines())
	}
	list(w, "Notes", r.remarks())
}

// verdict is the first line.
func (r *Report) verdict() string {
	switch {
	case r.Same():
		return r.sameness()
	case !r.Compared():
		return "the scripts differ, and no packets were compared"
	case r.SameBehaviour():
		return fmt.Sprintf("the scripts differ, and the packets do the same: %s", transcript.Count(r.Opens.New, "open"))
	}
	return fmt.Sprintf("%s, %s now: %d lost, %d gained, %d changed", transcript.Count(r.Opens.Old, "open"), transcript.Number(r.Opens.New),
		len(r.Lost), len(r.Gained), len(r.Changed))
}

// writeTable writes the counts of each door.
func (r *Report) writeTable(w io.Writer) {
	if len(r.Doors) == 0 {
		return
	}
	fmt.Fprint(w, "\n| door | opens | now | lost | gained | changed |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, d := range r.Doors {
		name := escaped(transcript.Safe(d.Door))
		if d.Was != "" {
			name += " (before: " + escaped(transcript.Safe(d.Was)) + ")"
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d |\n", name, d.Old, d.New, d.Lost, d.Gained, d.Changed)
	}
}

func list(w io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n**%s**\n\n", heading)
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", escaped(line))
	}
}

// joiner is a character without a width or a meaning, which ends what would be a name or a link.
const joiner = "\u2060"

// escaped makes a text that others may have chosen stay text in Markdown and in the HTML that is
// made of it. So do @names, #numbers and addresses, which would call people and become links.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range transcript.Safe(s) { // a printable text stays as it is
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@' || r == '#':
			b.WriteString(string(r) + joiner)
		case strings.ContainsRune("\\`*_[]|~$", r):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	text := b.String()
	for _, begin := range []string{"://", "www.", "WWW.", "GH-", "gh-"} {
		text = strings.ReplaceAll(text, begin, begin[:len(begin)-1]+joiner+begin[len(begin)-1:])
	}
	return text
}

// code returns a text as code. A backtick would end it.
func code(s string) string { return "`" + strings.ReplaceAll(transcript.Safe(s), "`", "'") + "`" }
