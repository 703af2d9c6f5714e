package reference

import (
	"fmt"
	"slices"
	"strings"

	"sesame/scripting"
)

// columns bounds the lines of an entry, but not of its example.
const columns = 80

// An Entry is what the reference says of one thing.
type Entry struct {
	Names   []string // as scripts write them: "attempt:allow"; of an option: "ttl of sesame.door"
	call    string   // how a function is called, behind its name
	what    string   // of a field or an option: its type, and what holds without it
	doc     string
	example string
	options []scripting.Option
	members []scripting.Member // of an object
}

// same reports whether two entries differ in their names alone, or in the name of an object in
// their examples.
func (e Entry) same(other Entry) bool {
	return e.members == nil && other.members == nil && e.call == other.call && e.what == other.what && e.doc == other.doc &&
		slices.Equal(e.options, other.options)
}

// entry returns the entry of a thing.
func (r *Reference) entry(n named) Entry {
	switch {
	case n.table != nil && n.option != nil:
		return Entry{Names: []string{n.option.Name + " of " + within(n.table)}, what: Value(*n.option), doc: n.option.Doc}
	case n.table != nil:
		return Entry{Names: []string{within(n.table)}, doc: n.table.Doc, options: n.table.Options}
	case n.member == nil:
		return Entry{Names: []string{n.object.Name}, doc: n.object.Doc, members: n.object.Members}
	case n.option == nil:
		e := Entry{Names: []string{Spelled(n.object.Name, *n.member)}, doc: n.member.Doc, example: n.member.Example, options: n.member.Options}
		if n.member.Callable() {
			e.call = n.member.Type
		} else {
			e.what = n.member.Type
		}
		return e
	}
	return Entry{Names: []string{n.option.Name + " of " + Spelled(n.object.Name, *n.member)}, what: Value(*n.option), doc: n.option.Doc}
}

// Spelled returns the name of a member as scripts write it.
func Spelled(object string, m scripting.Member) string {
	return object + separator(object, m) + m.Name
}

// within returns the name of a table within a test.
func within(t *scripting.Table) string { return t.Name + " in " + tests }

// Value describes the value of an option.
func Value(o scripting.Option) string {
	switch o.Default {
	case "":
		return o.Type
	case scripting.Required:
		return o.Type + "; " + scripting.Required
	}
	return o.Type + "; default: " + o.Default
}

// String returns the entry for a terminal, in lines of at most 80 columns.
func (e Entry) String() string {
	var b strings.Builder
	head := strings.Join(e.Names, ", ")
	if strings.HasPrefix(e.call, "(") {
		head += e.call
	} else if e.call != "" {
		head += " " + e.call
	}
	b.WriteString(wrapped(head, ""))
	if e.what != "" {
		b.WriteString(wrapped("Value: "+e.what, "  "))
	}
	b.WriteString(wrapped(e.doc, "  "))
	if e.example != "" {
		fmt.Fprintf(&b, "\n      %s\n", e.example)
	}
	for _, o := range e.options {
		fmt.Fprintf(&b, "\n%s%s", wrapped(o.Name+": "+Value(o), "  "), wrapped(o.Doc, "      "))
	}
	if e.members != nil {
		b.WriteString("\n")
	}
	for _, m := range e.members {
		b.WriteString(listed(Spelled(e.Names[0], m), m.Doc))
	}
	return b.String()
}

// Overview returns the list of all members, with the first sentence of each.
func (r *Reference) Overview() string {
	var b strings.Builder
	for i, o := range r.objects {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(Entry{Names: []string{o.Name}, doc: o.Doc, members: o.Members}.String())
	}
	return b.String()
}

// indented is where the text of a list begins.
const indented = 22

// listed returns a line of a list: a name, and the first sentence about it.
func listed(name, doc string) string {
	lines := wrapped(firstSentence(doc), strings.Repeat(" ", indented))
	name = fmt.Sprintf("  %-*s", indented-3, name)
	if len(name) >= indented {
		return name + "\n" + lines
	}
	return name + lines[len(name):]
}

// firstSentence returns the beginning of a text up to the end of its first sentence.
func firstSentence(text string) string {
	if first, _, more := strings.Cut(text, ". "); more {
		return first + "."
	}
	return text
}

// wrapped breaks a text into lines that begin with indent.
func wrapped(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(plain(text)) {
		if len(line) > len(indent) && len(line)+1+len(word) > columns {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
