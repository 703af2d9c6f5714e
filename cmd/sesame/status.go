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
		Long: `Status prints the state of the daemon. What is wrong comes first, with the remedy.

The exit status is 0 when a daemon runs, with --strict 1 when something is
wrong with it, and 2 when no daemon answers.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				return p.printStatus(ctx, f, daemon)
			})
		},
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVar(&f.json, "json", false, "print everything, as JSON")
	c.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 when something is wrong")
	return c
}

// printStatus prints the status as text or JSON. With --strict the exit status is 1 when
// something is wrong.
func (p *program) printStatus(ctx context.Context, f *statusFlags, daemon *control.Client) error {
	s, err := daemon.Status(ctx)
	if err != nil {
		return err
	}
	if f.strict && len(wrongs(&s)) > 0 {
		p.status = answerNo
	}
	if f.json {
		return p.writeJSON(s)
	}
	var b strings.Builder
	writeStatus(&b, &s)
	return p.print("%s", &b)
}
