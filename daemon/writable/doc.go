// Package writable turns paths into what other users can change at them, and how to mend that.
//
// Other users are all but root and the person who runs the program; the user of a service is one
// of them, also for the service itself. It looks at modes, owners, members of
// groups and POSIX ACLs. It does not see what another machine does on a network file system, and
// it knows only the groups and users of /etc/group and /etc/passwd.
package writable

import (
	"fmt"
	"strings"
)

// A Target is a path that decides what the program does.
type Target struct {
	Path string // absolute
	// Listed is set for a directory whose entries count, also those that come later. In another
	// directory that is sticky, such as /tmp, files of root are safe.
	Listed bool
	// Owner is a user who may own the path and what is above it, beside those whom all paths may
	// belong to; 0: nobody else.
	Owner uint32
	Use   string // what it is for, for people: "the program of a.lua:3"; may be empty
}

// A Finding is a file or a directory that other users can change.
type Finding struct {
	Path string `json:"path"`
	Why  string `json:"why"`            // "owner 0, mode 0777"
	Use  string `json:"use,omitempty"`  // of the target
	Mend string `json:"mend,omitempty"` // a command for a shell; "" where none is known
}

// String returns the finding without what mends it.
func (f Finding) String() string {
	if f.Use == "" {
		return fmt.Sprintf("%s (%s)", f.Path, f.Why)
	}
	return fmt.Sprintf("%s (%s; %s)", f.Path, f.Why, f.Use)
}

// Most bounds the findings that a text names.
const Most = 5

// Text names at most [Most] findings, then the number of the rest; "" when there are none.
func Text(all []Finding) string {
	named := make([]string, 0, Most)
	for _, f := range all[:min(len(all), Most)] {
		named = append(named, f.String())
	}
	text := strings.Join(named, ", ")
	if more := len(all) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Lines returns a line for each finding, with the command that mends it, at most [Most] and one
// for the rest.
func Lines(all []Finding) string {
	var b strings.Builder
	for _, f := range all[:min(len(all), Most)] {
		fmt.Fprintf(&b, "    %s", f)
		if f.Mend != "" {
			fmt.Fprintf(&b, ": run %s", f.Mend)
		}
		b.WriteString("\n")
	}
	if more := len(all) - Most; more > 0 {
		fmt.Fprintf(&b, "    and %d more\n", more)
	}
	return b.String()
}

// Mend returns the commands that mend the findings that [Text] names, as one line for a shell.
func Mend(all []Finding) string {
	var commands []string
	for _, f := range all[:min(len(all), Most)] {
		if f.Mend != "" {
			commands = append(commands, f.Mend)
		}
	}
	return strings.Join(commands, " && ")
}
