//go:build linux

package system

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A page of docs, by the titles of its sections: the parts of each that a reader acts on, in order.
type page map[string][]part

// A part is a block of commands, or a file.
type part struct {
	text string
	file string // where it goes; "": these are commands
}

var (
	title      = regexp.MustCompile(`^##+ (?:\d+\. )?(.+)$`)
	fenced     = regexp.MustCompile("(?s)^```(\\w+)\n(.*)```$")
	namedFile  = regexp.MustCompile("`(/etc/[^`]+)`")      // in the paragraph above a file; the last one counts
	outputLine = regexp.MustCompile(`^(\[\d|\w+\.lua:\d)`) // a block that shows what a program prints
)

// readText reads a file of the repository.
func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readPage reads a page of docs. A block of its own kind is separated by blank lines.
func readPage(t *testing.T, name string) page {
	t.Helper()
	p, section, before := page{}, "", ""
	for block := range strings.SplitSeq(joinFences(readText(t, filepath.Join("docs", name))), "\n\n") {
		block = strings.Trim(block, "\n")
		if m := title.FindStringSubmatch(firstLine(block)); m != nil {
			section, before = m[1], ""
			_, block, _ = strings.Cut(block, "\n") // a paragraph may follow without a blank line
		}
		commands, indented := unindent(block)
		switch m := fenced.FindStringSubmatch(block); {
		case m != nil:
			if named := namedFile.FindAllStringSubmatch(before, -1); named != nil && m[1] != "lua" {
				p[section] = append(p[section], part{restoreBlanks(m[2]), named[len(named)-1][1]})
			}
		case indented && !outputLine.MatchString(commands):
			p[section] = append(p[section], part{text: commands})
		case !indented:
			before = block
		}
	}
	return p
}

// blank stands for a blank line of a fenced block, so that blank lines separate blocks.
const blank = "\x00"

func joinFences(text string) string {
	parts := strings.Split(text, "```")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "\n\n", "\n"+blank+"\n")
	}
	return strings.Join(parts, "```")
}

func restoreBlanks(text string) string { return strings.ReplaceAll(text, blank, "") }

func firstLine(text string) string { line, _, _ := strings.Cut(text, "\n"); return line }

// unindent returns a block whose lines all begin with four blanks, without these.
func unindent(block string) (text string, indented bool) {
	var b strings.Builder
	for line := range strings.SplitSeq(block, "\n") {
		rest, ok := strings.CutPrefix(line, "    ")
		if !ok {
			return "", false
		}
		b.WriteString(rest + "\n")
	}
	return b.String(), true
}

// follow does what a section says, in the home directory of root. Some commands need more than to
// be run, and have a function of their own here.
func (m *machine) follow(p page, section string, special map[string]func(commands string)) {
	m.Helper()
	if len(p[section]) == 0 {
		m.Fatalf("the page has no section %q with something to do", section)
	}
	for _, part := range p[section] {
		if part.file != "" {
			m.Logf("writing %s:\n%s", part.file, part.text)
			m.write(part.file, part.text)
			continue
		}
		run := func(commands string) { m.Log(m.shell(commands)) }
		for words, f := range special {
			if strings.Contains(part.text, words) {
				run = f
			}
		}
		m.Logf("$ %s", part.text)
		run(part.text)
	}
}

// shell runs commands as a person in the home directory of root does, and stops at the first that
// fails. It returns what they print.
func (m *machine) shell(commands string) string {
	m.Helper()
	e := m.try("bash", "-c", "cd /root && set -e -o pipefail\n"+commands)
	if e.status != 0 {
		m.Fatalf("exit status %d of\n%s\n%s%s", e.status, commands, e.stdout, e.stderr)
	}
	return e.stdout + e.stderr
}
