package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sesame/cmd/sesame/manual"
)

// A manualWriter writes pages of one date and one program.
type manualWriter struct {
	*program
	date, source string
}

// section is that of all commands, as with ip and nft: some are for administrators alone, and one
// section lets a person find each page.
const section = 8

// page begins a page.
func (w *manualWriter) page(name string, in int, title string) *manual.Page {
	return manual.New(name, in, lowerFirst(title), w.date, w.source)
}

// lowerFirst returns a phrase without its capital, as titles of pages are written.
func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// command returns the page of a command, with those below it.
func (w *manualWriter) command(c *cobra.Command) *manual.Page {
	p := w.page(pageName(c), section, c.Short)
	p.Heading("SYNOPSIS")
	if !c.HasSubCommands() {
		p.Synopsis(useLine(c))
	}
	for _, below := range visible(c) {
		p.Synopsis(useLine(below))
	}
	p.Heading("DESCRIPTION")
	statuses := writeDescription(p, c)
	if c.HasSubCommands() {
		p.Heading("COMMANDS")
		for _, below := range visible(c) {
			p.Subheading(manual.Call(useLine(below)))
			statuses = append(statuses, writeDescription(p, below)...)
			w.writeOptions(p, below)
		}
	} else {
		p.Heading("OPTIONS")
		w.writeOptions(p, c)
	}
	writeStatuses(p, statuses)
	writeDependents(p, c, "SIGNALS", manualSignals())
	writeEnvironment(p, c)
	writeFiles(p, c)
	writeExamples(p, c)
	writeSeeAlso(p, c)
	return p
}

// useLine returns how a command is called. One whose only flag is --help has no "[flags]", also
// while that command runs, for which cobra adds the flag.
func useLine(c *cobra.Command) string {
	own := false
	c.Flags().VisitAll(func(f *pflag.Flag) { own = own || !f.Hidden && f.Name != "help" })
	if own {
		return c.UseLine()
	}
	return strings.TrimSuffix(c.UseLine(), " [flags]")
}

// pageName returns "sesame-run" for "sesame run".
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// visible returns the commands below one that a person may want.
func visible(c *cobra.Command) (all []*cobra.Command) {
	for _, below := range c.Commands() {
		if !below.Hidden && below.Name() != "help" {
			all = append(all, below)
		}
	}
	return all
}

// statusBegin begins the paragraph about the exit status in a text of --help.
const statusBegin = "The exit status is"

// writeDescription writes what a command does. It returns the paragraphs about the exit status,
// which have a section of their own.
func writeDescription(p *manual.Page, c *cobra.Command) (statuses []string) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	var rest []string
	for _, block := range manual.Paragraphs(text) {
		if strings.HasPrefix(block, statusBegin) {
			if c.Parent().HasParent() {
				block = fmt.Sprintf("`%s`: %s", c.CommandPath(), lowerFirst(block))
			}
			statuses = append(statuses, block)
		} else {
			rest = append(rest, block)
		}
	}
	p.Prose(strings.Join(rest, "\n\n"))
	return statuses
}

// writeOptions writes the flags of a command.
func (w *manualWriter) writeOptions(p *manual.Page, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			p.Item(w.optionTag(c, f), optionText(f))
		}
	})
}

// optionTag returns "-c, --config FILE".
func (w *manualWriter) optionTag(c *cobra.Command, f *pflag.Flag) string {
	tag := manual.Bold("--" + f.Name)
	if f.Shorthand != "" {
		tag = manual.Bold("-"+f.Shorthand) + ", " + tag
	}
	if name := w.valueName(c, f); name != "" {
		tag += " " + manual.Italic(name)
	}
	return tag
}

// summary is what --help does.
const summary = "Print a summary."

// optionText returns what a flag does, as a sentence, with the value that it has when it is not
// given.
func optionText(f *pflag.Flag) string {
	text := f.Usage
	if f.Name == "help" {
		return summary
	}
	if value := defaultOf(f); value != "" {
		text += fmt.Sprintf(" (default: `%s`)", value)
	}
	return sentence(text)
}

// sentence returns a phrase as a sentence.
func sentence(text string) string {
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// defaultOf returns the value of a flag that is not given; "" when there is none to tell.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "[]", "0", "0s":
		return ""
	}
	return strings.Trim(f.DefValue, "[]")
}

// writeStatuses writes the section about exit statuses.
func writeStatuses(p *manual.Page, statuses []string) {
	p.Heading("EXIT STATUS")
	if len(statuses) == 0 {
		statuses = []string{statusBegin + " 0 when it was done, and 2 when it failed."}
	}
	for _, text := range statuses {
		p.Para(text)
	}
}

// writeExamples writes the examples of a command and of those below it.
func writeExamples(p *manual.Page, c *cobra.Command) {
	var all []string
	for _, one := range append([]*cobra.Command{c}, visible(c)...) {
		for line := range strings.Lines(one.Example) {
			all = append(all, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
		}
	}
	if len(all) > 0 {
		p.Heading("EXAMPLES")
		p.Literal(strings.Join(all, "\n"))
	}
}
