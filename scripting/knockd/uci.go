package knockd

import (
	"fmt"
	"slices"
	"strings"
)

// This file reads the format of OpenWrt, where the doors are in /etc/config/knockd (UCI, the
// Unified Configuration Interface). The init script of the package makes a knockd.conf of it at
// each start; what it takes over is what [FromUCI] takes over. Source: openwrt_knockd,
// files/knockd.init, of which there are packages for OpenWrt and LEDE.

// ruleOptions are the options of a rule that the init script passes on.
var ruleOptions = []string{"sequence", "command", "command_6", "seq_timeout", "tcpflags", "stop_command", "stop_command_6", "cmd_timeout"}

// IsUCI reports whether a text is in the format of OpenWrt: its first line that is no comment
// begins a section by the word config.
func IsUCI(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0][0] != '#' {
			return fields[0] == "config" && len(fields) > 1
		}
	}
	return false
}

// FromUCI returns the knockd.conf that OpenWrt's init script makes of /etc/config/knockd. Its lines
// have the numbers of those that they are made of. The warnings are about what the init script
// leaves out.
func FromUCI(text []byte) ([]byte, []Warning) {
	u := &uci{}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\r\n", "\n")) {
		u.conf = append(u.conf, "")
		u.line(line)
	}
	u.end()
	u.conf = append(u.conf, "[options]", "UseSyslog") // the init script always writes that
	return []byte(strings.Join(u.conf, "\n") + "\n"), u.warnings
}

// A uci has what is made of the lines so far.
type uci struct {
	conf     []string // a line for each
	section  string   // "rule", "common", or "" for one that is not read
	from     int      // the line at which it begins
	has      []string // the options of the rule
	warnings []Warning
}

func (u *uci) warn(format string, args ...any) {
	if len(u.warnings) < maxWarnings {
		u.warnings = append(u.warnings, Warning{Line: len(u.conf), Text: fmt.Sprintf(format, args...)})
	}
}

// line reads a line: a section, an option, or nothing.
func (u *uci) line(line string) {
	var words []string
	for c := range commands(strings.ReplaceAll(line, "$", "\x00")) { // UCI expands nothing
		words = append(words, c.words...)
		if c.open != 0 {
			u.warn("the quote %c has no end in this line: write one behind the value", c.open)
		}
	}
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "\x00", "$")
	}
	switch {
	case len(words) == 0:
	case words[0] == "config" && len(words) > 1:
		u.begin(words)
	case words[0] == "option" && len(words) == 3:
		u.option(words[1], words[2], max(0, strings.LastIndex(line, words[2])))
	default:
		u.warn("%s is not read: expected config TYPE 'NAME', or option NAME 'VALUE'", shown(strings.TrimSpace(line)))
	}
}

// begin begins a section. A rule without a name gets one that says where it is.
func (u *uci) begin(words []string) {
	u.end()
	u.from, u.has = len(u.conf), nil
	name := fmt.Sprintf("rule-%d", u.from)
	if len(words) > 2 {
		name = words[2]
	}
	switch {
	case words[1] == "rule":
		u.section = "rule"
		u.put("[" + name + "]")
	case name == "common":
		u.section = "common"
		u.put("[options]")
	default:
		u.section = ""
		u.warn("the section %s is not read: knockd's rules are config rule 'NAME', and its interface is in config knockd 'common'", shown(strings.Join(words[1:], " ")))
	}
}

// put makes the line at hand.
func (u *uci) put(line string) { u.conf[len(u.conf)-1] = strings.ReplaceAll(line, "\n", " ") }

// option reads an option of the section at hand. Its value stays at its column, which messages
// name.
func (u *uci) option(name, value string, column int) {
	known := u.section == "rule" && slices.Contains(ruleOptions, name) || u.section == "common" && name == "interface"
	switch {
	case known && value != "":
		made := name + " = "
		u.put(strings.Repeat(" ", max(0, column-len(made))) + made + value)
		u.has = append(u.has, name)
	case !known && u.section != "":
		u.warn("OpenWrt's init script passes no %s on to knockd", shown(name))
	}
}

// end ends a section. The init script leaves out a rule without a sequence or a command.
func (u *uci) end() {
	if u.section != "rule" || slices.Contains(u.has, "sequence") && slices.Contains(u.has, "command") {
		return
	}
	for i := u.from - 1; i < len(u.conf); i++ {
		u.conf[i] = ""
	}
	u.warn("the rule of line %d is left out, as OpenWrt's init script does: it needs a sequence and a command", u.from)
}
