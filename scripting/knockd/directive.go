package knockd

import (
	"fmt"
	"sesame/daemon/spelling"
	"strings"
)

// The directives in the spelling of knockd(1). knockd compares them in upper case.
var (
	optionNames = []string{"UseSyslog", "LogFile", "PidFile", "Interface"}
	doorNames   = []string{"Sequence", "One_Time_Sequences", "Seq_Timeout", "TCPFlags", "Target", "Start_Command",
		"Start_Command_6", "Cmd_Timeout", "Stop_Command", "Stop_Command_6", "Command", "Command_6", "Timeout"}
)

// aliases are other names of some directives, by their upper case. knockd(1) has Command and
// Command_6. It does not have Timeout, which knockd 0.8 still reads.
var aliases = map[string]string{"COMMAND": "START_COMMAND", "COMMAND_6": "START_COMMAND_6", "TIMEOUT": "SEQ_TIMEOUT"}

// withoutValue returns the problem of a line that has no "=".
func withoutValue(name string) string {
	key := upper(name)
	switch {
	case strings.HasPrefix(name, ";") || strings.HasPrefix(name, "//"):
		return fmt.Sprintf("%s is no comment: those begin with #", shown(name))
	case known(key, optionNames) || known(key, doorNames):
		return fmt.Sprintf("%s has no value: write %s = VALUE", shown(name), name)
	case spelling.Nearest(name, optionNames[:1]) != "":
		return fmt.Sprintf("%s is no directive: did you mean \"UseSyslog\"?", shown(name))
	}
	return fmt.Sprintf("%s is no directive: expected NAME = VALUE, or a comment that begins with #", shown(name))
}

// unknownOption returns the problem of a directive that [options] does not have.
func unknownOption(name, key string) string {
	switch {
	case key == "USESYSLOG":
		return "UseSyslog takes no value: write it alone on its line, or remove it to log elsewhere"
	case known(key, doorNames):
		return fmt.Sprintf("%s belongs to a door: put it below a section such as [openSSH]", shown(name))
	}
	return fmt.Sprintf("[options] has no %s%s", shown(name), spelling.DidYouMean(name, optionNames))
}

// unknownDirective returns the problem of a directive that a door does not have.
func unknownDirective(section, name, key string) string {
	switch {
	case key == "USESYSLOG":
		return "UseSyslog takes no value: write it alone on its line, or remove it to log elsewhere"
	case known(key, optionNames) && optionsHint(section) == "":
		return fmt.Sprintf("%s belongs to the section [options], not to a door", shown(name))
	case known(key, optionNames):
		return fmt.Sprintf("%s belongs to the section [options]%s", shown(name), optionsHint(section))
	}
	return fmt.Sprintf("a door has no %s%s%s", shown(name), spelling.DidYouMean(name, doorNames), optionsHint(section))
}

// known reports whether a key in upper case is one of the names.
func known(key string, names []string) bool {
	for _, name := range names {
		if upper(name) == key {
			return true
		}
	}
	return false
}

// optionsHint returns the end of a message about a section such as [Options], which is a door to
// knockd, or "" for all other sections.
func optionsHint(section string) string {
	if name := strings.ToLower(strings.Trim(section, blanks)); name != "options" && name != "option" || section == "options" {
		return ""
	}
	return fmt.Sprintf("; section names are case-sensitive, and blanks count, so [%s] is a door: write [options]", strings.Trim(shown(section), `"`))
}
