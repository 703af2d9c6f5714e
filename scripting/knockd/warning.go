package knockd

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// warnings returns the warnings about a door.
func (d *draft) warnings() []draftWarning {
	var found []draftWarning
	warn := func(line int, format string, arguments ...any) {
		found = append(found, draftWarning{line: line, door: d, text: fmt.Sprintf(format, arguments...)})
	}
	if end := optionsHint(d.Section); end != "" {
		warn(d.Line, "this is a door%s", end)
	}
	d.sequenceWarnings(warn)
	d.timeoutWarnings(warn)
	d.flagWarnings(warn)
	d.targetWarnings(warn)
	d.commandWarnings(warn)
	return found
}

// A warner adds a warning about a line of a door.
type warner func(line int, format string, arguments ...any)

// sequenceWarnings looks at the directives sequence and one_time_sequences. When a door has both,
// the order of the two lines decides what knockd does.
func (d *draft) sequenceWarnings(warn warner) {
	sequence, file := d.directives["SEQUENCE"], d.directives["ONE_TIME_SEQUENCES"]
	if d.OneTime != "" && !filepath.IsAbs(d.OneTime) {
		warn(file.line, "knockd looks for %s where it was started, and Sesame beside knockd.conf: write the whole path", shown(d.OneTime))
	}
	if d.OneTime != "" && sequence.line != 0 {
		if sequence.line < file.line {
			warn(sequence.line, "this sequence is never used, since line %d names a file of them: remove one of the two", file.line)
			return
		}
		warn(sequence.line, "knockd begins with this sequence whenever it starts, and goes on with those of line %d: remove one of the two", file.line)
	}
	if sequence.line != 0 && sequence.value == "" {
		warn(sequence.line, "the sequence is empty, which is a single knock at tcp/0 to knockd: no ordinary program can send it, while an attacker can: write ports such as 7000,8000,9000")
		return
	}
	for _, odd := range oddKnocks(sequence.value) {
		if sequence.line != 0 {
			warn(sequence.line, "%s", odd)
		}
	}
	if len(d.Sequence) == 1 && d.OneTime == "" {
		runs := ""
		if d.action(ipv4).start != "" || d.action(ipv6).start != "" {
			runs = ", and runs its command"
		}
		warn(sequence.line, "one knock is the whole sequence, so each packet to %s opens the door%s: write more knocks", d.Sequence[0], runs)
	}
}

// timeoutWarnings looks at seq_timeout and cmd_timeout. A negative cmd_timeout goes into sleep,
// which takes an unsigned number: 136 years.
func (d *draft) timeoutWarnings(warn warner) {
	if t, found := d.directives["SEQ_TIMEOUT"]; found {
		if oddNumber(t.value) {
			warn(t.line, "%s is %d seconds to knockd: write the number of seconds alone", shown(t.value), d.Timeout)
		}
		if d.Timeout <= 0 && (len(d.Sequence) > 1 || d.OneTime != "") {
			warn(t.line, "with a limit of %d seconds no second knock is ever in time, so the door cannot be opened: write seq_timeout = 5", d.Timeout)
		}
	}
	t, found := d.directives["CMD_TIMEOUT"]
	if !found {
		return
	}
	stops := d.Stop.Text != "" || d.Stop6 != nil && d.Stop6.Text != ""
	switch {
	case oddNumber(t.value):
		warn(t.line, "%s is %d seconds to knockd: write the number of seconds alone", shown(t.value), d.CommandTimeout)
	case !stops:
		warn(t.line, "there is no stop_command that could run after %d seconds: write one, or remove this line", d.CommandTimeout)
	}
	if d.CommandTimeout < 0 && stops {
		warn(t.line, "knockd takes %d seconds for 136 years, and so never runs the stop command; Sesame runs it at once: write a number from 0", d.CommandTimeout)
	}
}

// oddNumber reports whether atoi reads another number than a person does.
func oddNumber(text string) bool {
	n := atoi(text)
	return text == "" || n.rest != "" || n.wrapped
}

// takesTCP reports whether a knock of the door can be a TCP packet. The knocks of one-time
// sequences are not known here, so a door with them may take TCP.
func (d *Door) takesTCP() bool {
	return d.OneTime != "" || slices.ContainsFunc(d.Sequence, func(p packet.Port) bool { return p.Proto == packet.TCP })
}

// flagWarnings compares the flags with what the client knock sends: packets with SYN alone.
func (d *draft) flagWarnings(warn warner) {
	directive, found := d.directives["TCPFLAGS"]
	tcp := d.takesTCP()
	clientSends := engine.FlagTest{Set: d.Flags.Set &^ packet.SYN, Clear: d.Flags.Clear & packet.SYN}
	switch {
	case !tcp && found:
		warn(directive.line, "the flags concern TCP alone, and all knocks of this door are UDP: remove the line")
	case tcp && d.Flags == (engine.FlagTest{}):
		warn(d.Line, "without tcpflags every TCP packet to its ports is a knock, also those of standing connections: write tcpflags = syn")
	case tcp && clientSends.Set != 0:
		warn(directive.line, "the door wants packets with %s, which the knock client does not send: write tcpflags = syn", flagList(clientSends.Set))
	case tcp && clientSends.Clear != 0:
		warn(directive.line, "the door wants packets without syn, and the knock client sends no others: write tcpflags = syn")
	}
}

// families returns the address families that can knock at the door.
func (d *draft) families() []family {
	switch {
	case d.Target.Is4():
		return []family{ipv4}
	case d.Target.Is6():
		return []family{ipv6}
	}
	return []family{ipv4, ipv6}
}

// longest is the length of the longest address of a family as text.
var longest = [...]int{ipv4: len("255.255.255.255"), ipv6: len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}

// commandWarnings looks at commands that knockd never runs: a stop command without a start command,
// and one that is longer than knockd's buffer with the address filled in.
func (d *draft) commandWarnings(warn warner) {
	alone, long := map[int]bool{}, map[int]bool{} // lines
	for _, of := range d.families() {
		start, stop := d.commands(of)
		if start.Text == "" && stop.Text != "" && !alone[stop.Line] {
			alone[stop.Line] = true
			warn(stop.Line, "without a start command knockd never runs a stop command: write start_command too, or remove this line")
		}
		for _, c := range []Command{start, stop} {
			size := len(c.Text) + strings.Count(c.Text, placeholder)*(longest[of]-len(placeholder))
			if start.Text != "" && size > maxCommand && !long[c.Line] {
				long[c.Line] = true
				warn(c.Line, "with a long address this is more than %d bytes, and then knockd runs neither command: put it into a file, and run that", maxCommand)
			}
		}
	}
	for _, key := range []string{"START_COMMAND", "STOP_COMMAND", "START_COMMAND_6", "STOP_COMMAND_6"} {
		if c := d.directives[key]; c.line != 0 {
			for _, like := range lookalikes(c.value) {
				warn(c.line, "%s stays as it is in the command: the address is %%IP%%, in capitals, and knockd fills in nothing else", shown(like))
			}
		}
	}
}

// placeholders are words that people take for placeholders. They count between percent signs as in
// knockd, in braces as in Sesame, or behind a dollar sign as in a shell. Others, such as %Y% for
// date, are no mistakes.
const placeholders = `(ip|ipv4|ipv6|ip4|ip6|ipaddr|ip_address|addr|address|src|source|srcip|src_ip|source_ip|client|client_ip|remote|remote_ip|host|port|dport|sport|proto|protocol|door|name|section|stage|sequence)`

var (
	like = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)%` + placeholders + `%|\$?\{` + placeholders + `\}|\$` + placeholders + `\b`)
	})
	assignment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b(\w+)=|\b(?:read|for)\s+(\w+)`) })
)

// lookalikes returns each word once that looks like a placeholder and is none. A variable that the
// command itself sets is a variable of the shell.
func lookalikes(command string) (found []string) {
	own := map[string]bool{}
	for _, m := range assignment().FindAllStringSubmatch(command, -1) {
		own[m[1]+m[2]] = true
	}
	for _, m := range like().FindAllString(command, -1) {
		if m != placeholder && !own[strings.Trim(m, "${}")] {
			own[strings.Trim(m, "${}")] = true
			found = append(found, m)
		}
	}
	return found
}

// A draftWarning is a [Warning] whose door may not have its final name yet.
type draftWarning struct {
	line   int
	door   *draft // nil for what belongs to no door
	text   string
	order  bool // as in [Warning]
	pasted bool // as in [Warning]
}

// maxWarnings is how many warnings a file gets. A file of 4 MiB could give rise to a million.
const maxWarnings = 1000

// Add adds warnings, up to 1,000 in all.
func (f *File) Add(warnings ...Warning) {
	f.Warnings = append(f.Warnings, warnings[:max(0, min(len(warnings), maxWarnings-len(f.Warnings)))]...)
	slices.SortStableFunc(f.Warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// warn adds a warning about a line of the current section.
func (p *parser) warn(line int, text string) {
	p.place(draftWarning{line: line, text: text})
}

// place adds a warning about the current section.
func (p *parser) place(t draftWarning) {
	if p.section != "" && p.section != "options" {
		t.door = p.doors[len(p.doors)-1]
	}
	p.addWarnings(t)
}

// addWarnings adds warnings, up to maxWarnings in all.
func (p *parser) addWarnings(warnings ...draftWarning) {
	p.warnings = append(p.warnings, warnings[:min(len(warnings), maxWarnings-len(p.warnings))]...)
}

// finish gives the doors their names and completes the warnings. It comes last, since names and
// overlaps depend on all doors.
func (p *parser) finish() {
	namer := newNamer(p.doors)
	for _, d := range p.doors {
		if name := namer.assign(d.Name); name != d.Name {
			p.addWarnings(draftWarning{line: d.Line, door: d, text: renamed(d, name)})
			d.Name = name
		}
		if len(d.Section) > maxName {
			p.addWarnings(draftWarning{line: d.Line, door: d, text: fmt.Sprintf("knockd knows only the first %d bytes of the name: write a shorter one", maxName)})
		}
		p.addWarnings(d.warnings()...)
	}
	p.addWarnings(overlaps(p.doors)...)
	if len(p.doors) == 0 {
		p.addWarnings(draftWarning{line: 1, text: "there is no door in this file, so nobody can knock: write a section such as [openSSH]"})
	}
	slices.SortStableFunc(p.warnings, func(a, b draftWarning) int { return a.line - b.line })
	for _, t := range p.warnings {
		warning := Warning{Line: t.line, Text: t.text, Order: t.order, Pasted: t.pasted}
		if t.door != nil {
			warning.Door = t.door.Name
		}
		p.file.Warnings = append(p.file.Warnings, warning)
	}
	for _, d := range p.doors {
		p.file.Doors = append(p.file.Doors, d.Door)
	}
}
