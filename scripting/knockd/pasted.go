package knockd

import (
	"errors"
	"fmt"
	"strings"

	"sesame/daemon/spelling"
)

// innerReturn is the warning about a line that has a carriage return before its end, as files of
// old Macs have it in the place of a newline.
const innerReturn = "there is a carriage return (U+000D) in the middle of the line, which ends no line for knockd: save the file with newlines (U+000A)"

// pasted adds a warning for each word of the line with characters that a web page or a word
// processor put there. knockd takes them for what they are, so that "–dport" is no option. A
// command may have texts for people, and quotes.
func (p *parser) pasted(key string) {
	if alias, found := aliases[key]; found {
		key = alias
	}
	kinds, strip := spelling.InCommand, `"'`
	switch key {
	case "START_COMMAND", "STOP_COMMAND", "START_COMMAND_6", "STOP_COMMAND_6":
		strip = ""
	case "SEQUENCE", "SEQ_TIMEOUT", "CMD_TIMEOUT", "TCPFLAGS", "TARGET", "INTERFACE":
		kinds = spelling.InCode
	case section:
		kinds = spelling.InName | spelling.Quote
	case comment: // for people, but for what deceives them
		kinds = spelling.Bidi
	}
	for _, w := range strange(p.raw, kinds, strip) {
		p.place(draftWarning{line: p.line, text: w.String(), pasted: true})
	}
}

// What stands for the key of a line that has none.
const (
	section = "["
	comment = "#"
)

// strange returns the words of a line with characters that are there by mistake. What to write
// instead has no character of strip around it: knockd knows quotes in commands alone.
func strange(line string, kinds spelling.Kind, strip string) []spelling.Word {
	words := spelling.Strange(line, kinds)
	for i := range words {
		words[i].Plain = strings.Trim(words[i].Plain, strip)
	}
	return words
}

// maxHints is how many words the end of a message names.
const maxHints = 2

// pastedHint returns the end of a message about a line that has such characters, or "".
func pastedHint(line string) (hint string) {
	words := strange(line, spelling.InCode, `"'`)
	for _, w := range words[:min(len(words), maxHints)] {
		hint += "; " + w.String()
	}
	if strings.Contains(strings.Trim(line, blanks), "\r") {
		hint += "; " + innerReturn
	}
	return hint
}

// maxLater is how many more lines the end of a message names.
const maxLater = 10

// withLater adds to the error of a line with such characters the later lines that have them between
// their words: a page has them in many, and each would end the next import.
func (p *parser) withLater(err error, text []byte) error {
	refused, later := new(SyntaxError), ""
	if !errors.As(err, &refused) || pastedHint(p.raw) == "" {
		return err
	}
	left := maxLater
	for number, l := range lines(text) {
		if number <= p.line || strings.HasPrefix(l.text, "#") || spelling.Strange(l.raw, spelling.Blank|spelling.Invisible|spelling.Wide) == nil {
			continue
		}
		if left--; left < 0 {
			later += " and more"
			break
		}
		later += fmt.Sprintf(" %d", number)
	}
	if later != "" {
		refused.Message += "; such characters are also in these lines:" + later
	}
	return refused
}
