package knockd

import (
	"fmt"
	"iter"
	"strings"
)

// The lengths of knockd's buffers in bytes, without the zero byte at the end. What is longer is
// cut.
const (
	maxLine      = 4095
	maxSection   = 254
	maxName      = 127
	maxInterface = 31
	maxCommand   = 4095
)

// Parse reads a knockd.conf as knockd 0.8 does on a machine whose long has 64 bits. The path is
// only used in messages. The error is a [*SyntaxError], and there is one exactly when knockd
// refuses the file. What depends on other files, as one-time sequences do, is left to
// [File.EngineDoors].
//
// Lines are counted as knockd counts them: it reads at most 4,095 bytes at once (fgets), so a
// longer line counts as two.
func Parse(path string, text []byte) (*File, error) {
	p := &parser{file: &File{Path: path}, options: map[string]directive{}}
	for number, l := range lines(text) {
		p.line, p.raw = number, l.raw
		if p.rest = l.rest; !l.rest {
			p.whole = number
		}
		if err := p.read(l); err != nil {
			return nil, p.withLater(err, text)
		}
	}
	for _, d := range p.doors {
		if len(d.Sequence) == 0 && d.OneTime == "" {
			return nil, &SyntaxError{path, d.Line, fmt.Sprintf("the door %s has no sequence: write a line such as sequence = 7000,8000,9000%s%s",
				shown(d.Section), optionsHint(d.Section), pastedHint("["+d.Section+"]"))}
		}
	}
	for _, d := range p.doors {
		if target, found := d.directives["TARGET"]; found {
			if problem := refusedTarget(target.value); problem != "" {
				return nil, &SyntaxError{path, target.line, problem}
			}
		}
	}
	p.finish()
	return p.file, nil
}

// A line is what knockd reads at once.
type line struct {
	raw  string // with them
	text string // without the blanks around it
	rest bool   // it is the rest of a line that was too long
	null bool   // text ends at a NUL byte, and more than blanks followed it
}

// lines yields the lines with their numbers. Each has at most 4095 bytes, its end
// included: the rest of a longer one is the next.
func lines(text []byte) iter.Seq2[int, line] {
	return func(yield func(int, line) bool) {
		left, rest := string(text), false
		for number := 1; left != ""; number++ {
			end, whole := len(left), true
			if newline := strings.IndexByte(left, '\n'); newline >= 0 {
				end = newline + 1
			}
			if end > maxLine {
				end, whole = maxLine, false
			}
			read, behind, _ := strings.Cut(left[:end], "\x00")
			if !yield(number, line{read, strings.Trim(read, blanks), rest, strings.Trim(behind, blanks) != ""}) {
				return
			}
			left, rest = left[end:], !whole
		}
	}
}

// A directive is the last one of its name in its section: that one counts, except for Interface.
type directive struct {
	line  int
	value string
}

// A draft is a door that is being read, with the places of its directives, which warnings need.
type draft struct {
	Door
	directives map[string]directive
}

// A parser holds what is known while a file is read.
type parser struct {
	file     *File
	line     int
	whole    int                  // the line that this one is the rest of, when rest is set
	rest     bool                 // this line is the rest of a longer one
	raw      string               // this line with its blanks
	section  string               // "" before the first one
	options  map[string]directive // of [options]
	doors    []*draft
	warnings []draftWarning
}

// refuse returns an error at the current line.
func (p *parser) refuse(format string, arguments ...any) error {
	message := fmt.Sprintf(format, arguments...)
	if p.rest {
		message += fmt.Sprintf(" (this is the rest of line %d, which is longer than %d bytes)", p.whole, maxLine)
	}
	return &SyntaxError{p.file.Path, p.line, message + pastedHint(p.raw)}
}

// read reads one line: nothing, a comment, a section or a directive. As in knockd a comment is a
// line of its own, a section is a line in brackets, and a directive is split at the first "=".
func (p *parser) read(l line) error {
	if l.null {
		p.warn(p.line, "knockd reads nothing of a line behind a NUL byte: remove that")
	}
	if strings.Contains(l.text, "\r") {
		p.warn(p.line, innerReturn)
	}
	if l.text == "" || l.text[0] == '#' {
		p.pasted(comment)
		return nil
	}
	if l.rest {
		p.warn(p.line, fmt.Sprintf("this is the rest of line %d, which is longer than %d bytes: knockd reads it as a line of its own, and counts so", p.whole, maxLine))
	}
	if l.text[0] == '[' && l.text[len(l.text)-1] == ']' {
		err := p.begin(l.text[1 : len(l.text)-1])
		p.pasted(section)
		return err
	}
	if l.text[0] == '[' {
		return p.refuse("%s is no section: it ends with ], and a comment has a line of its own", shown(l.text))
	}
	if p.section == "" {
		if strings.HasPrefix(l.text, "\ufeff") {
			return &SyntaxError{p.file.Path, p.line, "the file begins with a byte order mark, which knockd takes for text: save it as UTF-8 without one"}
		}
		return p.refuse("%s stands before the first section: put it below a line such as [options] or [openSSH]", shown(l.text))
	}
	name, value, found := strings.Cut(l.text, "=")
	name = strings.Trim(name, blanks)
	key := upper(name)
	switch {
	case !found && key == "USESYSLOG":
		p.file.Options.Syslog = true
		return nil
	case !found:
		return p.refuse("%s", withoutValue(name))
	}
	p.pasted(key)
	if p.section == "options" {
		return p.option(name, key, strings.Trim(value, blanks))
	}
	return p.directive(name, key, strings.Trim(value, blanks))
}

// begin begins a section. Only the exact name "options" is not a door. knockd compares 254 bytes of
// the name, and copies 127 into the door.
func (p *parser) begin(name string) error {
	if name == "" {
		return p.refuse("[] names no section: write [options], or the name of a door between the brackets")
	}
	p.section = name[:min(len(name), maxSection)]
	if p.section == "options" {
		return nil
	}
	p.doors = append(p.doors, &draft{
		Door: Door{
			Name: p.section[:min(len(p.section), maxName)], Section: name, Line: p.line,
			Timeout: defaultTimeout, CommandTimeout: defaultCommandTimeout,
		},
		directives: map[string]directive{},
	})
	return nil
}

// option reads a directive of [options]. Of Interface knockd takes the first one, since the command
// line may have set it before; of the others it takes the last.
func (p *parser) option(name, key, value string) error {
	o := &p.file.Options
	switch key {
	case "LOGFILE":
		o.LogFile = value
	case "PIDFILE":
		o.PIDFile = value
	case "INTERFACE":
		if first, found := p.options[key]; found {
			p.warn(p.line, fmt.Sprintf("knockd listens on the interface of line %d: the first one counts", first.line))
			return nil
		}
		if value == "" {
			return nil
		}
		o.Interface = value[:min(len(value), maxInterface)]
	default:
		return p.refuse("%s", unknownOption(name, key))
	}
	p.note(p.options, name, key, value)
	return nil
}

// note records the place of a directive, and adds a warning when the section had one before.
func (p *parser) note(seen map[string]directive, name, key, value string) {
	if before, found := seen[key]; found {
		p.warn(before.line, fmt.Sprintf("line %d says %s again, and the last one counts: remove one of them", p.line, shown(name)))
	}
	seen[key] = directive{p.line, value}
}

// directive reads a directive of a door. Those of numbers are read by atoi, which
// has no errors.
func (p *parser) directive(name, key, value string) error {
	if alias, found := aliases[key]; found {
		key = alias
	}
	d := p.doors[len(p.doors)-1]
	command := Command{value, p.line}
	switch key {
	case "SEQUENCE":
		ports, problem := readSequence(value)
		if problem != "" {
			return p.refuse("%s", problem)
		}
		d.Sequence, d.SequenceLine = ports, p.line
	case "ONE_TIME_SEQUENCES":
		if value == "" {
			return p.refuse("the path of a file of one-time sequences was expected, as in %s = /etc/knockd/sequences", name)
		}
		d.OneTime, d.OneTimeLine = value, p.line
		d.Sequence, d.SequenceLine = nil, 0
	case "SEQ_TIMEOUT":
		d.Timeout = atoi(value).value
	case "CMD_TIMEOUT":
		d.CommandTimeout = atoi(value).value
	case "TCPFLAGS":
		problem := ""
		if d.Flags, problem = addFlags(d.Flags, value); problem != "" {
			return p.refuse("%s", problem)
		}
	case "TARGET":
		d.setTarget(value)
	case "START_COMMAND":
		d.Start = command
	case "STOP_COMMAND":
		d.Stop = command
	case "START_COMMAND_6":
		d.Start6 = &command
	case "STOP_COMMAND_6":
		d.Stop6 = &command
	default:
		return p.refuse("%s", unknownDirective(p.section, name, key))
	}
	if key == "TCPFLAGS" { // several directives add up, so there is no warning
		d.directives[key] = directive{p.line, value}
		return nil
	}
	p.note(d.directives, name, key, value)
	return nil
}

// The values of Seq_Timeout and Cmd_Timeout for a door that has none, in seconds: knockd(1) and
// knockd.c, SEQ_TIMEOUT and CMD_TIMEOUT.
const (
	defaultTimeout        = 25
	defaultCommandTimeout = 10
)
