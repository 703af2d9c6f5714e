package daemon

import (
	"sesame/scripting"
	"sesame/scripting/lint"
)

// maxCharacters is how many characters of a set the log names.
const maxCharacters = 10

// warnOfCharacters logs what a web page or a word processor put into scripts in the place of plain
// characters. Such a command fails only when somebody knocks.
func (d *daemon) warnOfCharacters(set *scripting.Set) {
	found := lint.Characters(set)
	for _, f := range found[:min(len(found), maxCharacters)] {
		d.config.Log.Warn("a character is not the plain one", "file", f.File, "line", f.Line, "text", f.Message)
	}
	if more := len(found) - maxCharacters; more > 0 {
		d.config.Log.Warn("more characters are not the plain ones: sesame check lists them", "more", more)
	}
}
