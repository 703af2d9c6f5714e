package main

import (
	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/simulate"
)

// demandFlags are the flags that say what a replay must have found, for tests.
type demandFlags struct {
	knocks int
}

func (f *demandFlags) add(c *cobra.Command) {
	c.Flags().IntVar(&f.knocks, "min-knocks", 0, "exit with status 1 when fewer packets were knocks")
}

// check refuses what no replay can fulfil or fail.
func (f *demandFlags) check(c *cobra.Command) error {
	if f.knocks < 0 {
		return &usageError{c, "--min-knocks: expected 0 or more"}
	}
	return nil
}

// judge sets the exit status to 1 when a demand is not fulfilled.
func (f *demandFlags) judge(p *program, report *simulate.Report) {
	if report.Knocks < f.knocks {
		p.warn("%s, and --min-knocks asks for %s", transcript.Count(report.Knocks, "knock"), transcript.Number(f.knocks))
		p.status = answerNo
	}
}
