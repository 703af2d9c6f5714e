package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/simulate"
)

// changes names the flags that change nothing in the exact replay of a recording, for people; ""
// when none was given.
func (f *simulateFlags) changes(c *cobra.Command) string {
	var given []string
	if text := f.scripts.changes(); text != "" {
		given = append(given, text)
	}
	for _, name := range []string{"local", "until", "at", "trace"} {
		if c.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	return strings.Join(given, " and ")
}

// noteRecording prints what is to be known of a recording that was replayed.
func (p *program) noteRecording(report *simulate.Report) {
	for _, line := range report.Used {
		p.warn("%s", line)
	}
	if report.Foreign > 0 {
		p.warn("%s of another capture, merged with the recording: left out; with -s they count", transcript.Count(report.Foreign, "packet"))
	}
}
