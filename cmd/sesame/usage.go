package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageColumns bounds the lines of the lists in --help.
const usageColumns = 100

// usage prints what stands behind the text in --help: calls, examples, commands and flags. Cobra's
// own names the values of flags by their types in Go.
func (p *program) usage(c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() && !c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	} else {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, below := range visible(c) {
			b.WriteString(usageLine("  "+below.Name(), c.Commands()[0].NamePadding()+4, below.Short))
		}
	}
	b.WriteString("\nFlags:\n" + p.flagUsages(c))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nRun \"%s COMMAND --help\" for what a command takes.\n", c.CommandPath())
	}
	_, err := fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}

// flagUsages returns the list of the flags of a command.
func (p *program) flagUsages(c *cobra.Command) string {
	type entry struct{ head, text string }
	var all []entry
	widest := 0
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		head := "      --" + f.Name
		if f.Shorthand != "" {
			head = "  -" + f.Shorthand + ", --" + f.Name
		}
		if name := p.valueName(c, f); name != "" {
			head += " " + name
		}
		text := f.Usage
		if value := defaultOf(f); value != "" {
			text += " (default " + value + ")"
		}
		all = append(all, entry{head, text})
		widest = max(widest, len(head))
	})
	var b strings.Builder
	for _, e := range all {
		b.WriteString(usageLine(e.head, widest+2, e.text))
	}
	return b.String()
}

// usageLine returns an entry of a list: its text begins at a column, in as many lines as it needs.
func usageLine(head string, column int, text string) string {
	var b strings.Builder
	line, empty := fmt.Sprintf("%-*s", column, head), true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > usageColumns {
			b.WriteString(line + "\n")
			line, empty = strings.Repeat(" ", column), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	return b.String() + line + "\n"
}
