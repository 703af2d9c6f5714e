package scripting

import "strings"

// CommandOf returns the command of the set that makes these arguments when its placeholders are
// filled, and whether they are its undo; nil when there is none. Of several the one counts whose
// text says the most.
func (s *Set) CommandOf(argv []string) (command *Command, undo bool) {
	best := -1
	for _, c := range s.Commands {
		for _, form := range []struct {
			templates []template
			undo      bool
		}{{c.argv, false}, {c.undo, true}} {
			if n := fits(form.templates, argv); n > best {
				best, command, undo = n, c, form.undo
			}
		}
	}
	return command, undo
}

// fits returns how many bytes of the arguments are text of the templates, -1 when the templates
// cannot make them.
func fits(templates []template, argv []string) int {
	if len(templates) != len(argv) || len(argv) == 0 {
		return -1
	}
	sum := 0
	for i, t := range templates {
		n := t.fits(argv[i])
		if n < 0 {
			return -1
		}
		sum += n
	}
	return sum
}

// fits is for one argument. The template alternates texts and names: see [parseTemplate].
func (t template) fits(argument string) int {
	first, last := t[0], t[len(t)-1]
	rest, found := strings.CutPrefix(argument, first)
	if !found || len(t) == 1 && rest != "" {
		return -1
	}
	if len(t) == 1 {
		return len(first)
	}
	if rest, found = strings.CutSuffix(rest, last); !found {
		return -1
	}
	n := len(first) + len(last)
	for i := 2; i < len(t)-1; i += 2 {
		_, behind, found := strings.Cut(rest, t[i])
		if !found {
			return -1
		}
		rest, n = behind, n+len(t[i])
	}
	return n
}
