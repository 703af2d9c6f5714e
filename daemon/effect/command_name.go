package effect

import (
	"path/filepath"
	"slices"
	"strings"
)

// maxName is how many characters of a shell's text name a command.
const maxName = 120

// nameOf returns the name of a command for people: its program, or what a shell is given
// to run, since all commands of a shell have the same program.
func nameOf(argv []string) string {
	shells := []string{"sh", "bash", "dash"}
	if len(argv) != 3 || argv[1] != "-c" || !slices.Contains(shells, filepath.Base(argv[0])) {
		return argv[0]
	}
	text := strings.Join(strings.Fields(printable(argv[2])), " ")
	if text == "" {
		return argv[0]
	}
	return shortened(text)
}

// runningPrefix begins the error of a command.
func runningPrefix(argv []string) string { return "running " + nameOf(argv) + ": " }

// firstLine returns the first line of what a command wrote, shortened, and whether it
// wrote more than that.
func (o Output) firstLine() (line string, more bool) {
	first, rest, _ := strings.Cut(o.Text, "\n")
	line = shortened(strings.TrimSpace(first))
	return line, rest != "" || o.Lost > 0 || line != strings.TrimSpace(first)
}

func shortened(text string) string {
	if runes := []rune(text); len(runes) > maxName {
		return string(runes[:maxName]) + "..."
	}
	return text
}
