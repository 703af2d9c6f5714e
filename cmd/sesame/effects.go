package main

import (
	"fmt"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/lint"
)

// describe lists what a script can do to the machine, for people.
func describe(s lint.Script) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.File)
	for _, d := range s.Doors {
		fmt.Fprintf(&b, "  door %s (line %d)\n", d.Name, d.Line)
		if len(d.Guards) > 0 {
			fmt.Fprintf(&b, "    shuts %s to everyone without a grant\n", strings.Join(d.Guards, ", "))
		}
		for _, a := range d.Allows {
			fmt.Fprintf(&b, "    can allow %s\n", allowed(s.File, a))
		}
	}
	for _, a := range s.Allows {
		fmt.Fprintf(&b, "  a function outside of doors can allow %s\n", allowed(s.File, a))
	}
	for _, c := range s.Commands {
		fmt.Fprintf(&b, "  can run %s (line %d)\n", transcript.Command(c.Argv), c.Line)
		if c.Undo != nil {
			fmt.Fprintf(&b, "    and undo it with %s\n", transcript.Command(c.Undo))
		}
	}
	return b.String()
}

func allowed(file string, a lint.Allow) string {
	switch {
	case a.Any:
		return fmt.Sprintf("any port (%s:%d)", file, a.Line)
	case len(a.Ports) == 0:
		return fmt.Sprintf("the guards of the door that calls it (line %d)", a.Line)
	}
	return fmt.Sprintf("%s (line %d)", strings.Join(a.Ports, ", "), a.Line)
}
