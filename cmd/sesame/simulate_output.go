package main

import (
	"io"

	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/simulate"
)

// outputFlags are the flags of sesame simulate for what it prints, and those that only one format
// has.
type outputFlags struct {
	format  string
	color   string
	replace bool // addresses, with --format test
	trace   bool
}

func (f *outputFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "text", `"text" for people, "jsonl" for programs, "knockd" for those that read knockd's log, "test" for a test of the scripts that does the same`)
	completeFlag(c, "format", "text", "jsonl", "knockd", "test")
	flags.StringVar(&f.color, "color", "auto", `"auto", "always" or "never"`)
	completeFlag(c, "color", "auto", "always", "never")
	flags.BoolVar(&f.replace, "replace-addresses", false, "with --format test, addresses for documentation in place of those of the sources")
	flags.BoolVar(&f.trace, "trace", false, "print what was asked about each packet of a source (--source), and the answers, in place of events and totals")
}

// check checks the flags, which depend on each other.
func (f *outputFlags) check(c *cobra.Command) error {
	if err := oneOf(c, "format", f.format, "text", "jsonl", "knockd", "test"); err != nil {
		return err
	}
	given := c.Flags().Changed
	switch {
	case f.replace && f.format != "test":
		return &usageError{c, "--replace-addresses is for --format test: sesame scrub replaces the addresses of a recording"}
	case f.format == "test" && (given("account") || given("quiet")):
		return &usageError{c, "--format test prints a test alone: leave out --account and -q"}
	case f.format == "test" && given("min-knocks"):
		return &usageError{c, "--format test fails when nothing was a knock: leave out --min-knocks"}
	case f.trace && f.format != "text" && f.format != "jsonl":
		return &usageError{c, "--trace is for --format text and jsonl"}
	case f.trace && given("quiet"):
		return &usageError{c, "--trace takes the place of events and totals: leave out -q"}
	}
	return oneOf(c, "color", f.color, "auto", "always", "never")
}

// writer returns the writer of the chosen format. Whether text has colours depends on stdout,
// not on the wrapper around it.
func (f *outputFlags) writer(out, stdout io.Writer) simulate.Writer {
	switch f.format {
	case "jsonl":
		return transcript.NewJSON(out)
	case "knockd":
		return transcript.NewKnockd(out, transcript.KnockdOptions{})
	}
	return transcript.NewText(out, transcript.TextOptions{Color: color(f.color, stdout)})
}

// behindBar clears the progress bar before each write to the same terminal.
type behindBar struct {
	bar *progress
	io.Writer
}

// Write removes the bar and writes b.
func (w *behindBar) Write(b []byte) (int, error) {
	w.bar.clear()
	return w.Writer.Write(b)
}
