package knockd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What knockd takes for a door that does not say, in seconds.
const (
	defaultTimeout        = 25
	defaultCommandTimeout = 10
)

// A trap is a [Trap] whose door may not have its name yet.
type trap struct {
	line  int
	door  *draft // nil for what is in no door
	text  string
	order bool // as in [Trap]
}

// maxTraps bounds what is said of one file.
const maxTraps = 1000

// trap warns of something in the section at hand.
func (p *parser) trap(line int, text string) {
	t := trap{line: line, text: text}
	if p.section != "" && p.section != "options" {
		t.door = p.doors[len(p.doors)-1]
	}
	p.warn(t)
}

func (p *parser) warn(traps ...trap) {
	p.traps = append(p.traps, traps[:min(len(traps), maxTraps-len(p.traps))]...)
}

// finish gives the doors their names, and finds the traps.
func (p *parser) finish() {
	namer := newNamer(p.doors)
	for _, d := range p.doors {
		if name := namer.give(d.Name); name != d.Name {
			p.warn(trap{line: d.Line, door: d, text: renamed(d, name)})
			d.Name = name
		}
		if len(d.Section) > maxName {
			p.warn(trap{line: d.Line, door: d, text: fmt.Sprintf("knockd knows only the first %d bytes of the name: write a shorter one", maxName)})
		}
		p.warn(d.traps()...)
	}
	p.warn(together(p.doors)...)
	if len(p.doors) == 0 {
		p.warn(trap{line: 1, text: "there is no door in this file, so nobody can knock: write a section such as [openSSH]"})
	}
	slices.SortStableFunc(p.traps, func(a, b trap) int { return a.line - b.line })
	for _, t := range p.traps {
		said := Trap{Line: t.line, Text: t.text, Order: t.order}
		if t.door != nil {
			said.Door = t.door.Name
		}
		p.file.Traps = append(p.file.Traps, said)
	}
	for _, d := range p.doors {
		p.file.Doors = append(p.file.Doors, d.Door)
	}
}

func renamed(d *draft, name string) string {
	if name == plainName(d.Name) || plainName(d.Name) != d.Name {
		return fmt.Sprintf("the name of the section is %s, and the door is %s here, since a name is plain text", shown(d.Name), shown(name))
	}
	return fmt.Sprintf("an earlier section is called %s too, which are two doors to knockd: this one is %s here", shown(d.Name), shown(name))
}

// A namer gives each door a name of its own.
type namer struct {
	taken map[string]bool // or wanted by a section, unchanged
	given map[string]bool
	next  map[string]int // the number that a name was given last
}

func newNamer(doors []*draft) *namer {
	n := &namer{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, d := range doors {
		n.taken[d.Name] = true
	}
	return n
}

// give returns the name itself for the first door that has it, when it is plain
// text. All others get a number behind it that no section has.
func (n *namer) give(name string) string {
	wanted := plainName(name)
	if !n.given[wanted] && (wanted == name || !n.taken[wanted]) {
		n.given[wanted] = true
		return wanted
	}
	for number := max(n.next[wanted], 1) + 1; ; number++ {
		end := "-" + strconv.Itoa(number)
		candidate := cut(wanted, maxName-len(end)) + end
		if !n.taken[candidate] && !n.given[candidate] {
			n.given[candidate], n.next[wanted] = true, number
			return candidate
		}
	}
}

// plainName returns the name with a ? for each byte that is no plain text.
func plainName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && size == 1, unicode.IsControl(r):
			b.WriteByte('?')
		default:
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}

// maxShown bounds what a message repeats of a file, in bytes.
const maxShown = 60

// shown returns s for a message: in quotes, without a byte that could do something
// to a terminal, and not too long.
func shown(s string) string {
	if len(s) <= maxShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(cut(s, maxShown)) + "..."
}

// cut returns the first bytes of s, as many runes as fit.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}
