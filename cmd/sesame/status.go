//go:build linux

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
)

// statusFlags are the flags of sesame status.
type statusFlags struct {
	daemon configFlags
	json   bool
	strict bool
}

func (p *program) statusCommand() *cobra.Command {
	f := &statusFlags{}
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Print what the daemon does, and what is wrong with it",
		Long: `Status prints the state of the daemon. The first line has the verdict, ok,
degraded or broken, and the codes of its reasons: docs/running.md lists them.
Then comes what is wrong, with the next step.

The exit status is 0 when a daemon runs, with --strict 1 when the verdict is
not ok, and 2 when no daemon answers.`,
		Example: `  sesame status
  sesame status --strict >/dev/null || echo "look at sesame"
  sesame status --json | jq .health`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				return p.printStatus(ctx, f, daemon)
			})
		},
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVar(&f.json, "json", false, "print everything, as JSON")
	c.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 when the verdict is not ok")
	return c
}

// printStatus prints the status as text or JSON. With --strict the exit status is 1 unless
// the verdict is ok.
func (p *program) printStatus(ctx context.Context, f *statusFlags, daemon *control.Client) error {
	s, err := daemon.Status(ctx)
	if err != nil {
		return err
	}
	if f.strict && s.Health.Verdict != control.OK {
		p.status = answerNo
	}
	if f.json {
		return p.writeJSON(s)
	}
	var b strings.Builder
	writeStatus(&b, &s)
	return p.print("%s", &b)
}
