package main

import (
	"github.com/spf13/cobra"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

// accountFlags are the flags of sesame simulate for the accounts of sources at doors.
type accountFlags struct {
	choiceFlags
	account bool
	quiet   bool
}

func (f *accountFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.account, "account", false, "with --format jsonl, also one line for each source at each door: how far it came, and why no further; and for how long each port was open to whom")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print the accounts alone, without events and totals")
	f.choiceFlags.add(c, "events and accounts")
}

// check checks the flags, which depend on the format.
func (f *accountFlags) check(c *cobra.Command, format string) error {
	switch {
	case format == "text" && f.account:
		return &usageError{c, "--account adds lines to --format jsonl: leave it out, the text has the accounts anyway"}
	case format == "knockd" && (f.account || f.quiet):
		return &usageError{c, "--format knockd has no accounts: leave out --account and -q, or use --format text or jsonl"}
	case format == "jsonl" && f.quiet && !f.account:
		return &usageError{c, "-q leaves out the events: with --format jsonl add --account, or nothing is printed"}
	}
	return f.choiceFlags.check(c)
}

// apply completes the configuration of a simulation, which has its writer.
func (f *accountFlags) apply(config *simulate.Config, format string) {
	config.Sources, config.Doors = f.parsed, f.doors
	config.Account = f.account || format == "text"
	lines, isJSON := config.Writer.(*transcript.JSON)
	if f.account && isJSON {
		config.Lines = lines
	}
	if f.quiet {
		config.Writer = quiet{config.Lines}
	}
}

// writeAccount prints the accounts for people, in the format that has them. A blank line stands
// between the totals and them.
func (p *program) writeAccount(f *simulateFlags, report *simulate.Report) error {
	if f.output.format != "text" {
		return nil
	}
	if !f.account.quiet {
		if err := p.print("\n"); err != nil {
			return err
		}
	}
	return report.WriteAccount(p.stdout)
}

// quiet is a writer of a transcript that leaves out all but the accounts for programs, if there are
// any.
type quiet struct{ lines *transcript.JSON }

// Begin writes nothing.
func (quiet) Begin([]string, []string) {}

// Events writes nothing.
func (quiet) Events([]engine.Event) {}

// Flush writes the accounts that were buffered.
func (q quiet) Flush() error {
	if q.lines == nil {
		return nil
	}
	return q.lines.Flush()
}

// Summary leaves out the totals.
func (q quiet) Summary(transcript.Summary) error { return q.Flush() }
