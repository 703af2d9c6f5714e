package config

import (
	"strings"

	"sesame/daemon/spelling"
)

// A text is a string of a document, as it is written between its quotes.
type text struct {
	path  string // of its key
	line  int    // where it begins
	value string // with a blank for each character before it in this line
}

// hint returns the end of a message about a line that has characters which a web page or a word
// processor put there, or "". TOML takes them for what they are, and its messages name bytes.
func (r *reader) hint(line int) (hint string) {
	text := strings.TrimSuffix(r.rows[min(line, len(r.rows))-1], "\r")
	for _, w := range spelling.Strange(text, spelling.InCode) {
		hint += "; " + w.String()
	}
	if strings.Contains(text, "\r") {
		hint += "; there is a carriage return (U+000D) in the middle of the line: save the file with newlines (U+000A)"
	}
	return hint
}

// pasted warns of such characters in values. The values of options are for people, too. What
// changes the order in which a line is shown is told wherever it is.
func (r *reader) pasted(texts []text) {
	for _, t := range texts {
		kinds := spelling.InCommand
		if tableOf(t.path) == "options" {
			kinds = spelling.InName &^ spelling.Dash
		}
		for i, line := range strings.Split(t.value, "\n") {
			for _, w := range spelling.Strange(line, kinds&^spelling.Bidi) {
				r.pastedWarning(t.line+i, t.path+": "+w.String())
			}
		}
	}
	for i, line := range r.rows {
		for _, w := range spelling.Strange(line, spelling.Bidi) {
			r.pastedWarning(i+1, w.String())
		}
	}
}

// maxPasted bounds the warnings about a file: it may have such a character in each of a million
// values, and the first ones tell how it came about.
const maxPasted = 100

func (r *reader) pastedWarning(line int, message string) {
	if len(r.config.Warnings) < maxPasted {
		r.config.Warnings = append(r.config.Warnings, Problem{r.file, line, message})
	}
}
