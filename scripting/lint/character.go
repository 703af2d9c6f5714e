package lint

import (
	"path"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting"
	"sesame/scripting/source"
)

const (
	characterHint = "correct it; what is meant is allowed by a comment -- sesame:allow character REASON"
	// maxCharacters bounds the findings about characters.
	maxCharacters = 100
	// maxBelow is how far below its declaration an argument of a command is looked for, in lines.
	maxBelow = 200
)

// characters finds what a web page or a word processor put into a set where nothing else fails. A
// command takes "–dport" for a word like any other. A name with a character that nobody sees cannot
// be typed. And what changes the order in which a line is shown deceives whoever reads the script,
// also in a comment. Doors and commands of a knockd.conf have warnings of their own.
func (c *checker) characters() {
	texts := map[string][]string{}
	for _, file := range c.set.Files {
		if !file.Referenced() && !file.Zone {
			texts[file.Path] = strings.Split(string(file.Source), "\n")
			c.reordered(file.Path, texts[file.Path])
		}
	}
	for _, d := range c.set.Engine.Doors {
		if !scripting.InConf(d) {
			c.nameOf(d)
		}
	}
	for _, command := range c.set.Commands {
		lines, ours := texts[command.Place.File]
		if !ours {
			continue
		}
		s := search{command.Place, lines, map[string]spot{}}
		for _, argv := range [][]string{command.Argv, command.Undo} {
			for _, argument := range argv {
				for _, w := range spelling.Strange(argument, inArgument(argv, argument)) {
					c.character(s.placed(w))
				}
			}
		}
	}
}

// shells take one of their arguments for a command, with quotes.
var shells = []string{"sh", "ash", "bash", "dash", "ksh", "zsh", "busybox", "env", "sudo", "ssh"}

// inArgument returns which characters an argument hardly means. One with blanks is a text for
// people, with their quotes, unless a shell reads it.
func inArgument(argv []string, argument string) spelling.Kind {
	kinds := spelling.InCommand &^ spelling.Bidi
	if strings.Contains(argument, " ") && !slices.Contains(shells, path.Base(argv[0])) {
		kinds &^= spelling.Quote | spelling.Dots
	}
	return kinds
}

// Characters returns the findings about characters that a web page or a word processor put into a
// set, without those that its comments allow. The daemon logs them: a command with "–dport" fails
// only when somebody knocks.
func Characters(set *scripting.Set) []Finding {
	c := newChecker(set)
	c.characters()
	for _, t := range set.Warnings {
		if t.Pasted {
			c.found = append(c.found, Finding{ID: Knockd, File: t.File, Line: t.Line, Door: t.Door, Message: t.Text})
		}
	}
	return slices.DeleteFunc(c.reported(false, false, false), func(f Finding) bool { return f.ID != Character && f.ID != Knockd })
}

// reordered finds characters that change the order in which a line is shown.
func (c *checker) reordered(file string, lines []string) {
	for i, line := range lines {
		for _, w := range spelling.Strange(line, spelling.Bidi) {
			c.character(source.Place{File: file, Line: i + 1}, w.String())
		}
	}
}

// nameOf finds what nobody can type who reads the name of a door.
func (c *checker) nameOf(d *engine.Door) {
	for _, w := range spelling.Strange(d.Name, spelling.InName&^spelling.Bidi) {
		c.character(source.Place{File: d.File, Line: d.Line}, "the name: "+w.Placeless())
	}
}

// A search finds the words of one command in its script.
type search struct {
	declared source.Place
	lines    []string
	// found has the last place of each word: the command and its undo may both have it.
	found map[string]spot
}

type spot struct{ line, column int }

// placed returns the line of a script that has a word, and the message with its column. A word that
// the script computes is in no line: then it is that of the declaration.
func (s search) placed(w spelling.Word) (source.Place, string) {
	last, again := s.found[w.Text]
	for i := max(s.declared.Line, last.line) - 1; i >= 0 && i < min(len(s.lines), s.declared.Line+maxBelow); i++ {
		if !strings.Contains(s.lines[i], w.Text) {
			continue
		}
		for _, there := range spelling.Strange(s.lines[i], (spelling.InCommand|spelling.Prose)&^spelling.Bidi) {
			if strings.Contains(there.Text, w.Text) && (i+1 > last.line || there.Column > last.column) {
				s.found[w.Text] = spot{i + 1, there.Column}
				return s.message(w, s.found[w.Text])
			}
		}
	}
	if again {
		return s.message(w, last)
	}
	return s.declared, w.Placeless()
}

func (s search) message(w spelling.Word, at spot) (source.Place, string) {
	w.Column = at.column
	return source.Place{File: s.declared.File, Line: at.line}, w.String()
}

func (c *checker) character(at source.Place, message string) {
	if c.strange++; c.strange <= maxCharacters {
		c.found = append(c.found, Finding{ID: Character, File: at.File, Line: at.Line, Message: message, Hint: characterHint})
	}
}
