package knockd

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"sesame/daemon/spelling"
)

// A Setting is what a machine passes to knockd, with its place.
type Setting struct {
	Value string // "" for an option without a value
	File  string // "" when it is not set
	Line  int
}

// Set reports whether the machine sets it.
func (s Setting) Set() bool { return s.File != "" }

// A Launch is how a machine starts knockd: what the files of its init system say.
type Launch struct {
	Files []string // that were read

	Interface, Config, LogFile, PIDFile, Lookup, Daemon, Verbose, Debug, OnlyIPv4 Setting

	Warnings []Warning // of the files, with their paths
	Notes    []Warning // what is worth to know, and no mistake
}

// A defaults has what is known while files are read that say how knockd is started.
type defaults struct {
	launch *Launch
	values map[string]Setting // of the variables
	exec   []word             // the command of a unit; nil: none
}

// A word is an argument of knockd with its place.
type word struct {
	text string
	at   Setting
}

// The variables that hold options, in the order in which knockd gets them. The sources are:
// KNOCKD_OPTS: Debian and Ubuntu, /etc/default/knockd. OPTIONS: Fedora and EPEL,
// /etc/sysconfig/knockd (knockd.service: knockd -d $OPTIONS). KNOCKD_OPTIONS: openSUSE,
// sysconfig.knockd. OPTS: Gentoo, net-misc/knock, knockd.confd.2. KNOCKD_ARGS: init scripts of
// small systems.
var optionVariables = []string{"OPTS", "OPTIONS", "KNOCKD_OPTIONS", "KNOCKD_ARGS", "KNOCKD_OPTS"}

const (
	// interfaceVariable is Gentoo's: knockd.initd.2 runs knockd -d -i ${IFACE} ${OPTS}.
	interfaceVariable = "IFACE"
	// startVariable is Debian's. Its init script starts knockd if it is 1; its unit does not read
	// it.
	startVariable = "START_KNOCKD"
	// execDirective is that of a unit of systemd.
	execDirective = "ExecStart"
)

func isVariable(name string) bool {
	return name == interfaceVariable || name == startVariable || name == execDirective || slices.Contains(optionVariables, name)
}

// A DefaultsFile is a file that says how a machine starts knockd.
type DefaultsFile struct {
	Path string
	Text []byte
}

// DefaultsPlaces returns where files that say how knockd is started may be, below the directory
// /etc or a copy of it: those of Debian, of Fedora and openSUSE, of Gentoo and of Arch's OpenRC,
// and then what a person wrote for systemd. The last may be patterns.
func DefaultsPlaces() []string {
	return []string{"default/knockd", "sysconfig/knockd", "conf.d/knock", "conf.d/knockd",
		"systemd/system/knockd.service", "systemd/system/knockd.service.d/*.conf"}
}

// ReadDefaults reads files that say how a machine starts knockd, the later over the earlier: shell
// assignments as systemd and shells read them, and units of systemd. It expands nothing, so what
// would be expanded is a warning.
func ReadDefaults(files []DefaultsFile) *Launch {
	d := &defaults{launch: &Launch{}, values: map[string]Setting{}}
	for _, file := range files {
		d.launch.Files = append(d.launch.Files, file.Path)
		for c := range commands(meant(string(file.Text))) {
			d.command(file.Path, c)
		}
		d.pasted(file)
	}
	d.apply()
	slices.SortStableFunc(d.launch.Warnings, func(a, b Warning) int {
		return cmp.Or(slices.Index(d.launch.Files, a.File)-slices.Index(d.launch.Files, b.File), a.Line-b.Line)
	})
	return d.launch
}

// meant returns a text with plain characters in the place of those that a web page put there: a
// warning says so, and knockd could not be started with the others.
func meant(text string) string { return spelling.Plain(text, spelling.InCode&^spelling.LoneDash) }

// pasted adds warnings about characters that are there by mistake. Of a comment only those matter
// that change what a person sees of the line.
func (d *defaults) pasted(file DefaultsFile) {
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(file.Text), "\ufeff")) {
		number++
		kinds := spelling.InCode
		if strings.HasPrefix(strings.TrimLeft(line, blanks), "#") {
			kinds = spelling.Bidi
		}
		for _, w := range spelling.Strange(line, kinds) {
			d.warn(Setting{File: file.Path, Line: number}, "%s; it is read as if that stood there", w)
		}
	}
}

func (d *defaults) warn(at Setting, format string, args ...any) {
	if len(d.launch.Warnings) < maxWarnings {
		d.launch.Warnings = append(d.launch.Warnings, Warning{File: at.File, Line: at.Line, Text: fmt.Sprintf(format, args...)})
	}
}

func (d *defaults) note(at Setting, format string, args ...any) {
	d.launch.Notes = append(d.launch.Notes, Warning{File: at.File, Line: at.Line, Text: fmt.Sprintf(format, args...)})
}

// command reads one command of a file: an assignment, several of them, or nothing that is known.
func (d *defaults) command(file string, c command) {
	at := Setting{File: file, Line: c.line}
	words := c.words
	exported := words[0] == "export" && len(words) > 1
	if exported {
		words = words[1:]
	}
	name, value, assigns := strings.Cut(words[0], "=")
	if !assigns && len(words) > 1 && strings.HasPrefix(words[1], "=") && isVariable(name) {
		d.warn(at, "a shell takes %s for a command, and systemd for an assignment: write %s= and the value without blanks between them", shown(name), name)
		value, assigns = strings.TrimPrefix(words[1], "="), true
		if words = words[1:]; value == "" && len(words) > 1 {
			value, words = words[1], words[1:]
		}
	}
	switch {
	case !assigns || !isVariable(name):
		d.unknown(at, c)
		return
	case c.behind == semicolonOnly && name == execDirective: // a comment in a unit
		return
	case c.behind == semicolonOnly:
		d.warn(at, "%s is not read, since systemd takes a line that begins with ; for a comment, and a shell fails there: take the ; away, or write # for it", name)
		return
	case name == execDirective:
		d.execStart(at, c)
		return
	case c.expands != "":
		d.warn(at, "%s is not read, since nothing is expanded here and it has %s: write what stands for it, or name knockd's options in sesame.toml", name, shown(c.expands))
		delete(d.values, name)
		return
	case c.sign != "":
		d.warn(at, "%s is not read, since it has the sign %s outside of quotes: put the value in quotes", name, shown(c.sign))
		return
	case c.open != 0:
		d.warn(at, "the quote %c has no end in this line: write one behind the value", c.open)
	}
	d.otherOfSystemd(at, name, c, exported)
	value = d.whole(at, value, words[1:])
	d.values[name] = Setting{value, at.File, at.Line}
}

// otherOfSystemd warns where systemd, which starts knockd by its unit, reads another value than a
// shell (EnvironmentFile= in systemd.exec(5)). The unit does not look at START_KNOCKD, and OpenRC
// reads its files with a shell.
func (d *defaults) otherOfSystemd(at Setting, name string, c command, exported bool) {
	switch {
	case path.Base(path.Dir(at.File)) == "conf.d":
	case exported:
		d.warn(at, "a shell exports %s, and systemd ignores a line that begins with export: leave that word out", name)
	case c.behind == anotherCommand:
		d.warn(at, "a shell takes %s for an assignment here, and systemd for a part of the value before it: write it in a line of its own", name)
	case name == startVariable:
	case c.comment != "":
		d.warn(at, "systemd takes %s for a part of the value, and a shell for a comment: write it in a line of its own", shown(c.comment))
	case c.semicolon:
		d.warn(at, "systemd takes the semicolon and what is behind it for a part of the value of %s: end the line behind the value", name)
	}
}

// whole returns a value with the words behind it. A shell takes several words that are assignments
// for as many, and other words for a command; systemd takes all of them for the value.
func (d *defaults) whole(at Setting, value string, more []string) string {
	for i, word := range more {
		if name, behind, assigns := strings.Cut(word, "="); assigns && isVariable(name) {
			d.otherOfSystemd(at, name, command{behind: anotherCommand}, false)
			d.values[name] = Setting{d.whole(at, behind, more[i+1:]), at.File, at.Line}
			more = more[:i]
			break
		}
	}
	if len(more) == 0 {
		return value
	}
	d.warn(at, "a shell runs %s as a command here, and systemd takes it for a part of the value, as is done here: put the value in quotes", shown(more[0]))
	return strings.Join(append([]string{value}, more...), " ")
}

// unknown tells of a command that names a variable and is no assignment: one that adds to it or
// takes it back is none.
func (d *defaults) unknown(at Setting, c command) {
	for _, name := range append([]string{interfaceVariable, startVariable}, optionVariables...) {
		if c.words[0] == "unset" && slices.Contains(c.words, name) {
			d.warn(at, "unset %s is not read here: remove it, and the assignment before it", name)
		}
		i := strings.Index(c.raw, name+"=")
		if i < 0 {
			i = strings.Index(c.raw, name+"+=")
		}
		if i == 0 || i > 0 && !isAlphanumeric(c.raw[i-1]) && c.raw[i-1] != '_' {
			d.warn(at, "%s is not read here: expected %s=\"...\" at the beginning of a line", name, name)
		}
	}
}

// execStart reads the command of a unit. An empty one is how a drop-in takes the earlier one back.
func (d *defaults) execStart(at Setting, c command) {
	_, text, _ := strings.Cut(c.raw, "=")
	d.exec = nil
	var words []string
	for c := range commands(strings.TrimLeft(text, "@-:+!| \t")) {
		words = append(words, c.words...)
	}
	switch {
	case len(words) == 0:
	case path.Base(words[0]) != "knockd":
		d.warn(at, "%s is not read, since it runs %s: expected knockd itself", execDirective, shown(words[0]))
	default:
		for _, w := range words[1:] {
			d.exec = append(d.exec, word{w, at})
		}
		if d.exec == nil {
			d.exec = []word{}
		}
	}
}

// apply makes one list of all words that knockd gets, and reads it.
func (d *defaults) apply() {
	var words []word
	if d.exec == nil {
		words = d.variables()
	}
	for _, w := range d.exec {
		name := strings.Trim(strings.TrimPrefix(w.text, "$"), "{}")
		value, known := d.values[name]
		switch {
		case !strings.HasPrefix(w.text, "$"):
			words = append(words, w)
		case known:
			words = append(words, fields(value)...)
		case !isVariable(name):
			d.warn(w.at, "%s is not read, since nothing here sets it", shown(w.text))
		}
	}
	d.options(words)
	if start := d.values[startVariable]; start.Set() && strings.TrimSpace(start.Value) != "1" {
		d.note(start, "%s is %s: the init script does not start knockd, and its unit of systemd does not look at that; systemctl is-active knockd tells whether it runs", startVariable, shown(start.Value))
	}
}

// variables returns what an init system passes on.
func (d *defaults) variables() (words []word) {
	if i := d.values[interfaceVariable]; i.Value != "" {
		words = append(words, word{"-i", i}, word{i.Value, i})
	}
	for _, name := range optionVariables {
		words = append(words, fields(d.values[name])...)
	}
	return words
}

// fields returns the words of a value. Shells split an unquoted variable at blanks and look at no
// quotes; systemd takes quotes away. No option of knockd has a quote.
func fields(value Setting) (words []word) {
	for text := range strings.FieldsSeq(value.Value) {
		words = append(words, word{strings.Trim(text, `"'`), value})
	}
	return words
}
