package knockd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sesame/daemon/packet"
	"sesame/daemon/spelling"
)

// A Sequence is a line of a file of one-time sequences that can be used to open a door.
type Sequence struct {
	Line  int
	Text  string // of the line, without the blanks around it
	Ports []packet.Port
}

// Unused returns the sequences of a file of one-time sequences that were not used, in their order.
// The file has one sequence in each line, written as a knockd.conf has it after "sequence ="
// (knockd(1), One_Time_Sequences).
//
// As in knockd, an empty line and one that begins with # are skipped: the # marks a used sequence.
// A line that is no sequence is skipped too, with a warning: it has a port above 65535, a protocol
// other than tcp and udp, or more than 32 knocks. Everything else is a sequence; a word is port 0.
//
// Unlike knockd, it also skips lines of more than 4,095 bytes and lines with a NUL byte. A used
// line is found again by its text and then commented out, which is not possible for those.
//
// The warnings are ordered by line, at most 1,000, and have no door.
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
			warnings = append(warnings, Warning{Line: number, Text: "this line is skipped: " + problem + pastedHint(raw)})
			continue
		}
		for _, w := range strange(raw, spelling.InCode, `"'`) {
			warnings = append(warnings, Warning{Line: number, Text: w.String(), Pasted: true})
		}
		for _, odd := range oddKnocks(line) {
			warnings = append(warnings, Warning{Line: number, Text: odd})
		}
		unused = append(unused, Sequence{number, line, ports})
	}
	return unused, warnings[:min(len(warnings), maxWarnings)]
}

// CheckOneTime returns an error for a text that was not written as one-time sequences, such as that
// of /etc/shadow: it has lines that are not commented out, and no line is a sequence, used or not.
// A door would mark lines of such a file. The error has no text of the file. A file in which all
// lines are comments, or an empty one, has no sequence left.
func CheckOneTime(text []byte) error {
	first, number := 0, 0
	for raw := range strings.Lines(string(text)) {
		number++
		line := strings.Trim(raw, blanks)
		if len(raw) <= maxLine && !strings.Contains(raw, "\x00") && isSequence(strings.TrimLeft(line, "#")) {
			return nil
		}
		if first == 0 && line != "" && line[0] != '#' {
			first = number
		}
	}
	if first == 0 {
		return nil
	}
	return fmt.Errorf("line %d is no sequence, and neither is any other line: expected lines such as 7421,9133:udp", first)
}

// isSequence reports whether a line has ports that a person meant: a word is port 0 for knockd.
func isSequence(line string) bool {
	ports, problem := readSequence(line)
	return problem == "" && !slices.ContainsFunc(ports, func(p packet.Port) bool { return p.Number == 0 })
}

// CheckSequences adds warnings about the files of one-time sequences that the doors name: lines
// that are odd, files that cannot be read, and files without unused sequences. It calls read once
// for each path.
func (f *File) CheckSequences(read func(path string) ([]byte, error)) {
	type list struct {
		left int
		err  error
	}
	known := map[string]list{}
	var own, inFiles []Warning
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
			own = append(own, Warning{Line: d.OneTimeLine, Door: d.Name, Text: d.unreadable(path, l.err)})
		case l.left == 0:
			own = append(own, Warning{Line: d.OneTimeLine, Door: d.Name, Text: fmt.Sprintf("%s has no sequence left, so knockd does not start: "+
				"write new ones into it, each in a line of its own behind a blank", shown(path))})
		}
	}
	f.Add(append(own, inFiles...)...)
}

// unreadable returns the warning about a file of one-time sequences that cannot be read. A door
// that is Unreachable is in no script, so a script loads without the file.
func (d *Door) unreadable(path string, err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	script := ", and a script that names it does not load"
	if d.Unreachable {
		script = ""
	}
	return fmt.Sprintf("%s cannot be read (%v): without it knockd does not start%s: make it, or name another", shown(path), err, script)
}
