//go:build linux

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/transcript"
)

// confirmFlags are the flags of sesame confirm.
type confirmFlags struct {
	daemon configFlags
	force  bool
	json   bool
}

func (p *program) confirmCommand() *cobra.Command {
	f := &confirmFlags{}
	c := &cobra.Command{
		Use:   "confirm [flags]",
		Short: "Keep the scripts of a trial that runs",
		Long: `Confirm keeps the scripts that sesame reload --trial put in force. Without it the
scripts before them return when the time of the trial is over.

A session that was opened before the trial proves nothing about new knocks: it
stands whatever the new scripts do. So confirm is refused there. Knock, log in
anew, and confirm in the new session; or say --force. A new session that a grant
from before the trial let in, or one of sesame grant, is refused, too. The age of a session is
that of the sshd process above this one, or of the shell at a console. What left
its session, as a tmux server does, has the age of the oldest process with the
kernel's id of that session. A service of systemd has its own age. In all other
cases the session is not known, and --force is needed.

The exit status is 0 when the scripts of the trial stay, 1 when that was refused,
and 2 when no daemon answers.`,
		Example: `  sesame confirm
  sesame confirm --force`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.confirm(c, f) },
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVar(&f.force, "force", false, "confirm from any session, also from one that is older than the trial")
	c.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	return c
}

// confirm asks the daemon to keep the set of a trial.
func (p *program) confirm(c *cobra.Command, f *confirmFlags) error {
	request := control.ConfirmRequest{Force: f.force, Address: callersAddress()}
	if session, err := p.session(); err == nil {
		age := control.Duration(session.age)
		request.SessionAge, request.Session = &age, session.name
	}
	return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		outcome, err := daemon.Confirm(ctx, request)
		if err != nil {
			return err
		}
		if f.json {
			return p.writeJSON(outcome)
		}
		return p.print("confirmed: generation %d, with %s, stays in force\n%s%s", outcome.Generation, transcript.Count(outcome.Doors, "door"), lastLines(outcome.Error), elsewhereText(outcome.Trial.Place()))
	})
}

// elsewhereText tells what to do with scripts from elsewhere that are in force for good.
func elsewhereText(from string) string {
	if from == "" {
		return ""
	}
	return fmt.Sprintf("The files of the configuration are still others, and the next sesame reload is of these. To keep the scripts, copy those of %s there.\n", from)
}

// lastLines returns a message behind a result, on lines of its own.
func lastLines(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("warning: %s\n", text)
}
