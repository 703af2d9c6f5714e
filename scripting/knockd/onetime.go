package knockd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sesame/daemon/packet"
)

// A Sequence is a line of a file of one-time sequences that can be used.
type Sequence struct {
	Line  int
	Text  string // of the line, without the blanks around it
	Ports []packet.Port
}

// Unused returns the sequences of a file of one-time sequences that were not
// used, in their order. The file has one in each line, written as behind
// "sequence =" in a knockd.conf.
//
// As in knockd, a line that is empty or begins with # is nothing, and one that is
// no sequence is skipped: it has a port above 65535, a protocol other than tcp and
// udp, or more than 32 knocks. Everything else is a sequence, a word too: that is
// port 0. Unlike knockd, it also skips lines of more than 4095 bytes and lines with
// a NUL byte, which cannot be told from others when they are to be marked.
//
// The warnings are by line, 1,000 at most, and of no door.
func Unused(text []byte) (unused []Sequence, warnings []Warning) {
	number := 0
	for raw := range strings.Lines(string(text)) {
		number++
		line := strings.Trim(raw, blanks)
		if line == "" || line[0] == '#' {
			continue
		}
		ports, problem := readSequence(line)
		switch {
		case len(raw) > maxLine:
			problem = fmt.Sprintf("it is longer than %d bytes", maxLine)
		case strings.Contains(raw, "\x00"):
			problem = "it has a NUL byte"
		}
		if problem != "" {
			warnings = append(warnings, Warning{Line: number, Text: "this line is skipped: " + problem})
			continue
		}
		for _, odd := range oddKnocks(line) {
			warnings = append(warnings, Warning{Line: number, Text: odd})
		}
		unused = append(unused, Sequence{number, line, ports})
	}
	return unused, warnings[:min(len(warnings), maxWarnings)]
}

// CheckSequences adds to the warnings what is odd in the files of one-time sequences
// that the doors name. Read is asked once for each.
func (f *File) CheckSequences(read func(path string) ([]byte, error)) {
	type list struct {
		left int
		err  error
	}
	known := map[string]list{}
	var inFiles []Warning
	for i := range f.Doors {
		d := &f.Doors[i]
		if d.OneTime == "" {
			continue
		}
		path := f.OneTimePath(d)
		l, seen := known[path]
		if !seen {
			text, err := read(path)
			unused, odd := Unused(text)
			l = list{len(unused), err}
			known[path] = l
			for _, t := range odd {
				inFiles = append(inFiles, Warning{File: path, Line: t.Line, Door: d.Name, Text: t.Text})
			}
		}
		switch {
		case l.err != nil:
			f.Warnings = append(f.Warnings, Warning{Line: d.OneTimeLine, Door: d.Name, Text: d.without(path, l.err)})
		case l.left == 0:
			f.Warnings = append(f.Warnings, Warning{Line: d.OneTimeLine, Door: d.Name, Text: fmt.Sprintf("%s has no sequence left, so knockd does not start: "+
				"write new ones into it, each in a line of its own behind a blank", shown(path))})
		}
	}
	slices.SortStableFunc(f.Warnings, func(a, b Warning) int { return a.Line - b.Line })
	f.Warnings = append(f.Warnings, inFiles[:max(0, min(len(inFiles), maxWarnings-len(f.Warnings)))]...)
}

// without says what it means that a file of one-time sequences cannot be read. A
// door that is nowhere stands in no script.
func (d *Door) without(path string, err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	script := ", and a script that names it does not load"
	if d.Unreachable {
		script = ""
	}
	return fmt.Sprintf("%s cannot be read (%v): without it knockd does not start%s: make it, or name another", shown(path), err, script)
}
