//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
)

// reloadFlags are the flags of sesame reload.
type reloadFlags struct {
	daemon  configFlags
	unguard []string
	json    bool
}

func (p *program) reloadCommand() *cobra.Command {
	f := &reloadFlags{}
	c := &cobra.Command{
		Use:   "reload [flags]",
		Short: "Make the daemon load its scripts again, and wait for the outcome",
		Long: `Reload makes the daemon read its scripts again. Nothing changes unless all of them
load. Scripts that would drop a guard, or leave a guard that no door opens, are
held until you confirm that with --unguard.

The exit status is 0 when the scripts run, 1 when they were rejected or held and
the earlier ones keep running, and 2 when no daemon answers.`,
		Example: `  sesame reload
  sesame reload --unguard tcp/22`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.reload(c, f) },
	}
	f.daemon.addSocket(c)
	c.Flags().StringSliceVar(&f.unguard, "unguard", nil, "a port that the scripts may leave without a guard or without a door")
	c.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return c
}

// reload requests a reload and waits for its outcome, which may take minutes. Rejected and
// held give exit status 1.
func (p *program) reload(c *cobra.Command, f *reloadFlags) error {
	var request control.ReloadRequest
	for _, text := range f.unguard {
		port, err := packet.ParsePort(text)
		if err != nil {
			return &usageError{c, "--unguard: " + err.Error()}
		}
		request.Unguard = append(request.Unguard, control.Port{Port: port})
	}
	return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		outcome, err := daemon.Reload(ctx, request)
		if err != nil {
			return err
		}
		if outcome.Outcome != control.Applied && outcome.Outcome != control.Unchanged {
			p.status = answerNo
		}
		if f.json {
			return p.writeJSON(outcome)
		}
		return p.printOutcome(&outcome)
	})
}

// printOutcome prints an outcome: what runs now to standard output, and why nothing changed to
// standard error.
func (p *program) printOutcome(o *control.Outcome) error {
	runs := fmt.Sprintf("generation %d, with %s", o.Generation, transcript.Count(o.Doors, "door"))
	switch o.Outcome {
	case control.Applied:
		return p.print("applied: %s\n", runs)
	case control.Unchanged:
		return p.print("unchanged: the files are those that run, %s\n", runs)
	case control.Rejected, control.Held:
		p.printLines(o.Error)
		p.note("%s; %s, still runs", o.Outcome, runs)
	}
	return nil
}

// printLines prints lines without a prefix, so that an editor finds FILE:LINE at their
// beginning.
func (p *program) printLines(text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintln(p.stderr, terminal.Printable(text))
	}
}
