package difference

import (
	"cmp"
	"fmt"
	"strings"

	"sesame/daemon/spelling"
	"sesame/daemon/transcript"
)

// A Kind is what a change is about.
type Kind = string

// The kinds, in the order in which changes are listed.
const (
	Door    Kind = "door" // also a listener, and a door of a knockd.conf
	Command Kind = "command"
	Handler Kind = "handler"
	Option  Kind = "option"
	File    Kind = "file"
)

// A Change is one difference between two sets. Its JSON is part of the answer to a reload.
type Change struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // of the door, the command, the handler, the option or the file
	// What changed: an option such as "ttl"; "new" or "gone" for the whole; "changed" for a file
	// or a function; "comments" for a file of which the code is the same.
	What string `json:"what"`
	// From and To are the values as people write them, clipped. Both are empty where a value is
	// secret, or has no short text.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Removed and Added are entries of a list that are gone or new, such as countries. There are at
	// most seven; the last is then "..." for more.
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
}

// The values of What for the whole of something.
const (
	New      = "new"
	Gone     = "gone"
	Changed  = "changed"
	Comments = "comments"
)

// maxValue bounds a value of a change, in bytes.
const maxValue = 120

// changed returns the change of an option of something.
func changed(kind Kind, name, what, from, to string) Change {
	return Change{Kind: kind, Name: name, What: what, From: clipped(from), To: clipped(to)}
}

func clipped(s string) string { return spelling.Shortened(transcript.Safe(s), maxValue) }

// whole reports whether the change is about the whole of its subject.
func (c *Change) whole() bool {
	return c.What == New || c.What == Gone || c.What == Changed || c.What == Comments
}

// subject names what the change is about. A door needs no word before its options.
func (c *Change) subject() string {
	name := transcript.Safe(c.Name)
	switch {
	case c.Kind == File, c.Kind == Door && !c.whole():
		return name
	}
	return c.Kind + " " + name
}

// predicate tells what changed: "ttl 30s -> 45s".
func (c *Change) predicate() string {
	switch {
	case c.What == Comments:
		return "only comments or layout changed"
	case c.Removed != nil || c.Added != nil:
		return c.What + entries(" without ", c.Removed) + entries(" with ", c.Added)
	case c.From == "" && c.To == "" && c.whole():
		return c.What
	case c.From == "" && c.To == "":
		return c.What + " changed"
	}
	text := cmp.Or(c.From, "none") + " -> " + cmp.Or(c.To, "none")
	if c.whole() {
		return text
	}
	return c.What + " " + text
}

func entries(word string, list []string) string {
	if list == nil {
		return ""
	}
	return word + strings.Join(list, " ")
}

// Lines returns the changes for people, one line for each subject, such as "ssh: ttl 30s -> 45s,
// on_open changed" or "door web new". After most lines, the last one counts the rest.
func Lines(changes []Change, most int) []string {
	var lines []string
	for i := 0; i < len(changes); {
		c := &changes[i]
		line := c.subject() + " " + c.predicate()
		if !c.whole() {
			line = c.subject() + ": " + c.predicate()
		}
		for i++; i < len(changes) && !c.whole() && changes[i].subject() == c.subject(); i++ {
			line += ", " + changes[i].predicate()
		}
		lines = append(lines, line)
	}
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("and %s more", transcript.Number(more)))
	}
	return lines
}

// Text returns the lines as one: "ssh: ttl 30s -> 45s; door web new".
func Text(changes []Change, most int) string { return strings.Join(Lines(changes, most), "; ") }
