package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/lint"
)

// describe returns what a script can do to the machine, as text.
func describe(s lint.Script) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.File)
	for _, d := range s.Doors {
		observed := ""
		if d.Observe {
			observed = " only observes, and does nothing of this"
		}
		fmt.Fprintf(&b, "  door %s (%s)%s\n", d.Name, where(s, d.File, d.Line), observed)
		if len(d.Guards) > 0 {
			fmt.Fprintf(&b, "    shuts %s to everyone without a grant\n", strings.Join(d.Guards, ", "))
		}
		if d.Cut {
			fmt.Fprintf(&b, "    cuts sessions when a grant ends\n")
		}
		if d.OneTime != "" {
			fmt.Fprintf(&b, "    marks sequences as used in %s\n", d.OneTime)
		}
		describeCalls(&b, s, "    can", d.Allows, d.Closes)
		describeCommands(&b, "    ", d.Commands)
	}
	describeCalls(&b, s, "  a function outside of doors can", s.Allows, s.Closes)
	describeCommands(&b, "  ", s.Commands)
	return b.String()
}

// describeCommands writes the commands of a script, each with what may fill its placeholders,
// its undo command and its time to live.
func describeCommands(b *strings.Builder, indent string, commands []lint.Command) {
	for _, c := range commands {
		fmt.Fprintf(b, "%scan run %s (line %d)\n", indent, transcript.Command(c.Argv), c.Line)
		for _, name := range slices.Sorted(maps.Keys(c.Choices)) {
			fmt.Fprintf(b, "%s  {%s} is one of %s\n", indent, name, choices(c.Choices[name]))
		}
		if c.Undo != nil {
			when := ""
			if c.Shared {
				when = ", when the last grant that ran it ends"
			}
			fmt.Fprintf(b, "%s  and undo it with %s%s\n", indent, transcript.Command(c.Undo), when)
		}
	}
}

// describeCalls writes which ports the functions of a script can open and which grants they
// can end.
func describeCalls(b *strings.Builder, s lint.Script, can string, allows []lint.Allow, closes []lint.Close) {
	for _, a := range allows {
		fmt.Fprintf(b, "%s allow %s%s%s (%s)\n", can, ports(a), networks(a), others(a), where(s, a.File, a.Line))
	}
	for _, c := range closes {
		door := c.Door
		if c.Any {
			door = "any door"
		}
		fmt.Fprintf(b, "%s end the grants of %s (%s)\n", can, door, where(s, c.File, c.Line))
	}
}

// where returns a place as it is printed below the heading of its script.
func where(s lint.Script, file string, line int) string {
	if file == s.File {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// ports returns the ports that a call of attempt:allow can open. A port that the script
// computes can be any.
func ports(a lint.Allow) string {
	switch {
	case a.Any:
		return "any port"
	case len(a.Ports) == 0:
		return "the guards of the door that calls it"
	}
	return strings.Join(a.Ports, ", ")
}

// networks returns who else than the source gets access.
func networks(a lint.Allow) string {
	var lengths []string
	if a.Prefix4 != 0 {
		lengths = append(lengths, fmt.Sprintf("/%d (IPv4)", a.Prefix4))
	}
	if a.Prefix6 != 0 {
		lengths = append(lengths, fmt.Sprintf("/%d (IPv6)", a.Prefix6))
	}
	switch {
	case a.AnyNetwork:
		return " to any network"
	case lengths == nil:
		return ""
	}
	return " to networks of " + strings.Join(lengths, " and ")
}

// others returns to whom the access goes instead of the source; or also, when the text does not
// have the options of the call.
func others(a lint.Allow) string {
	if len(a.Completed) == 0 {
		return ""
	}
	who := "for the source that completed " + strings.Join(a.Completed, " or ")
	if a.AnyNetwork {
		return ", also " + who
	}
	return ", " + who
}

// choices returns the values that a placeholder can have, each as it appears in a command.
func choices(texts []string) string {
	written := make([]string, len(texts))
	for i, text := range texts {
		written[i] = transcript.Command([]string{text})
	}
	return strings.Join(written, ", ")
}
