package transcript

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A JSON writes a transcript as JSON Lines: one object a line, with its keys in the order of
// the contract (docs/transcript.md).
//
// It does not use encoding/json, which takes 3.3 times as long for a line and allocates, and
// does not escape what can change how a terminal shows a line.
type JSON struct {
	out output
	sum hash.Hash // of all that was flushed
}

// NewJSON returns a writer to w. It writes nothing before Begin.
func NewJSON(w io.Writer) *JSON {
	sum := sha256.New()
	return &JSON{out: output{w: io.MultiWriter(sum, w)}, sum: sum}
}

// Begin writes the first line, with the names of several captures; nil: there is one. It does not
// use the names of the doors, which are for people.
func (j *JSON) Begin(_, captures []string) {
	o := object{j.out.buf}
	o.string("event", "begin")
	o.int("transcript", Version)
	o.strings("captures", captures)
	j.out.buf = o.end()
}

// Events writes one line for each event that transcripts show.
func (j *JSON) Events(events []engine.Event) {
	for i := range events {
		if events[i].Shown() {
			j.event(&events[i])
		}
	}
	j.out.flushIfLarge()
}

// Flush writes the buffered bytes, for a reader who follows. It returns the first error of the
// underlying writer, as Summary does.
func (j *JSON) Flush() error { return j.out.flush() }

// Summary writes the last line, with the hash of all lines before it.
func (j *JSON) Summary(s Summary) error {
	j.out.flush()
	o := object{j.out.buf}
	o.string("event", "summary")
	o.int("packets", s.Packets)
	o.int("knocks", s.Knocks)
	o.int("opens", s.Opens)
	o.int("misses", s.Misses)
	o.int("refusals", s.Refusals)
	o.int("errors", s.Errors)
	o.positive("failed", s.Failed)
	o.key("dropped")
	o.buf = appendDropped(o.buf, &s.Dropped)
	if len(s.Unreadable) > 0 {
		o.key("unreadable")
		o.buf = appendCounts(o.buf, s.Unreadable)
	}
	o.string("sha256", hex.EncodeToString(j.sum.Sum(nil)))
	j.out.buf = o.end()
	return j.out.flush()
}

func (j *JSON) event(e *engine.Event) {
	o := object{j.out.buf}
	o.key("time")
	o.buf = append(o.buf, '"')
	o.buf = e.Time.UTC().AppendFormat(o.buf, time.RFC3339Nano)
	o.buf = append(o.buf, '"')
	o.positive("packet", e.Packet)
	o.positive("capture", e.Capture)
	o.string("event", e.Kind.Name())
	o.text("door", e.Door)
	if e.Source.IsValid() {
		o.source(e)
	}
	o.particulars(e)
	j.out.buf = o.end()
}

// particulars writes the keys that only events of this kind have.
func (o *object) particulars(e *engine.Event) {
	switch e.Kind {
	case engine.EventOpen:
	case engine.EventStage:
		o.int("stage", e.Stage)
		o.int("stages", e.Stages)
	case engine.EventMiss:
		o.int("stage", e.Stage)
		o.int("stages", e.Stages)
		o.string("reason", string(e.Reason))
		if e.Port.Number > 0 {
			o.string("port", e.Port.String())
		}
	case engine.EventEffect:
		o.effect(e)
	case engine.EventClose:
		o.grant(e)
		o.string("reason", string(e.Reason))
		if e.Cut {
			o.key("cut")
			o.buf = append(o.buf, "true"...)
		}
		o.observed(e)
	case engine.EventRefuse:
		o.string("reason", string(e.Reason))
		o.text("detail", e.Detail)
		o.text("condition", e.Condition)
		for _, f := range e.Fields {
			o.text(string(f.Key), f.Value)
		}
	case engine.EventError:
		o.text("script", e.Script)
		o.positive("line", e.Line)
		o.text("reason", string(e.Reason))
		o.text("detail", e.Detail)
	case engine.EventFailed:
		o.string("effect", e.Effect.Name())
		o.grant(e)
		o.text("detail", e.Detail)
	}
}

// effect writes the keys of an effect. They are the same for all effects.
func (o *object) effect(e *engine.Event) {
	o.string("effect", e.Effect.Name())
	o.grant(e)
	// Only a grant has an end: a command without undo is run and forgotten.
	if e.TTL > 0 && e.Grant != 0 && e.Effect.Lasts() {
		o.string("ttl", Duration(e.TTL))
	}
	o.strings("argv", e.Argv)
	o.text("detail", e.Detail)
	o.observed(e)
}

// observed labels a decision of an observed door, which was not carried out.
func (o *object) observed(e *engine.Event) {
	if e.Observed {
		o.key("observed")
		o.buf = append(o.buf, "true"...)
	}
}

func (o *object) grant(e *engine.Event) {
	if e.Grant != 0 {
		o.key("grant")
		o.buf = strconv.AppendUint(o.buf, e.Grant, 10)
	}
	if e.Port.Proto != packet.NoProto {
		o.string("port", e.Port.String())
	}
}

func (o *object) source(e *engine.Event) {
	o.key("source")
	o.buf = append(o.buf, '"')
	if e.Source.IsSingleIP() {
		o.buf = e.Source.Addr().AppendTo(o.buf)
	} else {
		o.buf = e.Source.AppendTo(o.buf)
	}
	o.buf = append(o.buf, '"')
}

// appendDropped writes the drops that happened, sorted by name.
func appendDropped(buf []byte, dropped *[packet.Drops]int) []byte {
	o := object{append(buf, '{')}
	for _, d := range dropsByName(dropped) {
		o.int(d.String(), dropped[d])
	}
	return append(o.buf, '}')
}

// appendCounts writes counts by name, sorted by name.
func appendCounts(buf []byte, counts map[string]int) []byte {
	o := object{append(buf, '{')}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		o.int(name, counts[name])
	}
	return append(o.buf, '}')
}

// dropsByName returns the drops that happened, sorted by name.
func dropsByName(dropped *[packet.Drops]int) []packet.Drop {
	var happened []packet.Drop
	for d := packet.NotDropped + 1; d < packet.Drops; d++ {
		if dropped[d] != 0 {
			happened = append(happened, d)
		}
	}
	slices.SortFunc(happened, func(a, b packet.Drop) int { return strings.Compare(a.String(), b.String()) })
	return happened
}

// An object is a JSON object that is being appended to a buffer. The brace is
// written with the first key.
type object struct{ buf []byte }

func (o *object) key(name string) {
	switch n := len(o.buf); {
	case n == 0 || o.buf[n-1] == '\n':
		o.buf = append(o.buf, '{')
	case o.buf[n-1] != '{':
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, `":`...)
}

func (o *object) end() []byte { return append(o.buf, "}\n"...) }

func (o *object) int(name string, n int) {
	o.key(name)
	o.buf = strconv.AppendInt(o.buf, int64(n), 10)
}

// positive leaves the key out for zero, which means that it does not apply.
func (o *object) positive(name string, n int) {
	if n > 0 {
		o.int(name, n)
	}
}

func (o *object) string(name, value string) {
	o.key(name)
	o.buf = appendString(o.buf, value)
}

// text leaves the key out for an empty value.
func (o *object) text(name, value string) {
	if value != "" {
		o.string(name, value)
	}
}

// appendStrings writes a JSON array of strings.
func appendStrings(buf []byte, all []string) []byte {
	buf = append(buf, '[')
	for i, s := range all {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendString(buf, s)
	}
	return append(buf, ']')
}

// appendString writes a JSON string (RFC 8259, section 7). It escapes all
// control characters, those above ASCII too, so that a transcript may be shown
// on a terminal; bytes that are not UTF-8 become U+FFFD.
func appendString(buf []byte, s string) []byte {
	const hexadecimal = "0123456789abcdef"
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r == '\n':
			buf = append(buf, `\n`...)
		case r == '\t':
			buf = append(buf, `\t`...)
		case r == '\r':
			buf = append(buf, `\r`...)
		case r < 0x20, 0x7f <= r && r < 0xa0, bidirectional(r):
			buf = append(buf, '\\', 'u')
			for shift := 12; shift >= 0; shift -= 4 {
				buf = append(buf, hexadecimal[r>>shift&0xf])
			}
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}

// bidirectional reports whether r can make a terminal show a line in another order than its own
// (Unicode Standard Annex 9, section 2).
func bidirectional(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
