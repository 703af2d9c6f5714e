package transcript

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"sesame/daemon/engine"
)

// TextOptions describe how a transcript for people looks.
type TextOptions struct {
	Color bool // ANSI colours, for a terminal
}

// A Text writes a transcript for people: one line an event, in columns.
//
// Names and details come from scripts and, through them, from anyone who sends packets. What
// cannot be printed is quoted, so no control character reaches the terminal.
type Text struct {
	out          output
	opts         TextOptions
	day          time.Time // of the last line; days are headings
	source, door int       // widths of the columns: the widest so far
}

// NewText returns a writer to w.
func NewText(w io.Writer, opts TextOptions) *Text {
	return &Text{out: output{w: w}, opts: opts, source: len("255.255.255.255")}
}

// widest is how wide the column of doors is made in advance, at most.
const widest = 24

// Begin makes room for the names of doors that are to come, so that columns do not move later.
// It takes nil when they are not known. A name of more than 24 characters gets its room when it
// comes. Begin writes the numbers and names of several captures, and nothing for one: people need
// no version.
func (t *Text) Begin(doors, captures []string) {
	for i, name := range captures {
		t.out.buf = fmt.Appendf(t.out.buf, "capture %d: %s\n", i+1, Safe(name))
	}
	for _, name := range doors {
		if width := utf8.RuneCountInString(Safe(name)); width <= widest {
			t.door = max(t.door, width)
		}
	}
}

// Events writes one line for each event that transcripts show.
func (t *Text) Events(events []engine.Event) {
	for i := range events {
		if events[i].Shown() {
			t.event(&events[i])
		}
	}
	t.out.flushIfLarge()
}

// Flush writes the buffered bytes, for a reader who follows. It returns the first error of the
// underlying writer, as Summary does.
func (t *Text) Flush() error { return t.out.flush() }

// Summary writes the totals.
func (t *Text) Summary(s Summary) error {
	if !t.day.IsZero() {
		t.out.buf = append(t.out.buf, '\n')
	}
	t.out.buf = fmt.Appendf(t.out.buf, "%s, %s: %s, %s, %s, %s\n",
		Count(s.Packets, "packet"), Count(s.Knocks, "knock"), Count(s.Opens, "open"),
		Count(s.Misses, "miss"), Count(s.Refusals, "refusal"), Count(s.Errors, "error"))
	if s.Failed > 0 {
		t.out.buf = append(bytes.TrimSuffix(t.out.buf, []byte("\n")), ", "+Count(s.Failed, "failed effect")+"\n"...)
	}
	for i, d := range dropsByName(&s.Dropped) {
		if i == 0 {
			t.out.buf = append(t.out.buf, "dropped: "...)
		} else {
			t.out.buf = append(t.out.buf, ", "...)
		}
		t.out.buf = append(t.out.buf, Number(s.Dropped[d])+" "+words(d.String())...)
	}
	if s.Dropped != [len(s.Dropped)]int{} {
		t.out.buf = append(t.out.buf, '\n')
	}
	return t.out.flush()
}

func (t *Text) event(e *engine.Event) {
	now := e.Time.UTC()
	if day := now.Truncate(24 * time.Hour); !day.Equal(t.day) || t.day.IsZero() {
		t.day = day
		t.out.buf = now.AppendFormat(t.out.buf, "2006-01-02 UTC\n")
	}
	from, door := orDash(Source(e.Source)), orDash(Safe(e.Door))
	t.source = max(t.source, len(from))
	t.door = max(t.door, utf8.RuneCountInString(door))
	line := fmt.Sprintf("%s  %-*s  %-*s  ", now.Format("15:04:05.000"), t.source, from, t.door, door)
	t.out.buf = append(t.out.buf, line...)
	if color := colorOf(e.Kind); t.opts.Color && color != "" {
		t.out.buf = append(t.out.buf, color+describe(e)+"\x1b[0m\n"...)
		return
	}
	t.out.buf = append(t.out.buf, describe(e)+"\n"...)
}

// colorOf returns the colour of a kind of event: green for what got in, yellow for what did
// not, red for an event that needs attention, and "" for the others.
func colorOf(k engine.Kind) string {
	switch k {
	case engine.EventOpen:
		return "\x1b[32m"
	case engine.EventMiss, engine.EventRefuse:
		return "\x1b[33m"
	case engine.EventError, engine.EventFailed:
		return "\x1b[31m"
	case engine.EventStage, engine.EventEffect, engine.EventClose:
	}
	return ""
}

// Describe returns an event in words, without its time, door and source.
func Describe(e *engine.Event) string { return describe(e) }

// describe returns an event in words.
func describe(e *engine.Event) string {
	switch e.Kind {
	case engine.EventStage:
		return fmt.Sprintf("stage %d of %d", e.Stage, e.Stages)
	case engine.EventOpen:
		return "open"
	case engine.EventEffect:
		return fill(e.Template(), e) + onlyObserved(e)
	case engine.EventClose:
		return "close " + granted(e) + ": " + words(string(e.Reason)) + alsoCut(e) + onlyObserved(e)
	case engine.EventMiss:
		text := fmt.Sprintf("miss at stage %d of %d: %s", e.Stage, e.Stages, words(string(e.Reason)))
		if e.Port.Number > 0 {
			text += " " + e.Port.String()
		}
		return text
	case engine.EventRefuse:
		return "refused, " + Because(e.Reason, e.Detail)
	case engine.EventError:
		return "error in " + Fault(e)
	case engine.EventFailed:
		return e.Effect.Name() + " failed: " + Safe(e.Detail)
	}
	return ""
}

// alsoCut adds that sessions end with the grant.
func alsoCut(e *engine.Event) string {
	if e.Cut {
		return ", and cut its sessions"
	}
	return ""
}

// onlyObserved adds that the decision of an observed door was not carried out.
func onlyObserved(e *engine.Event) string {
	if e.Observed {
		return " (observed: not done)"
	}
	return ""
}

// fill returns a template of the engine with the fields of an event: see
// [engine.Event.Template].
func fill(template string, e *engine.Event) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(template, "{")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString(field(name, e))
		template = after
	}
}

// field returns a field of an event that a template names.
func field(name string, e *engine.Event) string {
	switch name {
	case "port":
		return e.Port.String()
	case "ttl":
		return Duration(e.TTL)
	case "argv":
		return Command(e.Argv)
	case "detail":
		return Safe(e.Detail)
	}
	return "{" + name + "}"
}

// granted returns what a grant was for. A command is known by its door.
func granted(e *engine.Event) string {
	if e.Port.Proto == 0 {
		return "its command"
	}
	return e.Port.String()
}
