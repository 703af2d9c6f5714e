//go:build linux

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
)

// eventsFlags are the flags of sesame events.
type eventsFlags struct {
	daemon configFlags
	follow bool
	json   bool
	color  string
}

func (p *program) eventsCommand() *cobra.Command {
	f := &eventsFlags{}
	c := &cobra.Command{
		Use:   "events [flags]",
		Short: "Show the latest events, and follow new ones",
		Long: `Events prints the latest part of the daemon's transcript, up to 10,000 events
since its start. With --json the lines are those of docs/transcript.md. When
events come faster than they are read, a line gives the number of missing ones:

  {"event":"skipped","events":123}`,
		Example: `  sesame events
  sesame events -f
  sesame events -f --json | jq -c 'select(.event == "open")'`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.events(c, f) },
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "print new events too, until interrupted")
	c.Flags().BoolVar(&f.json, "json", false, "JSON Lines, for programs")
	c.Flags().StringVar(&f.color, "color", "auto", `"auto", "always" or "never"`)
	return c
}

// events prints the tail of the transcript. With -f it continues until a signal or the end of
// the daemon, which are no errors.
func (p *program) events(c *cobra.Command, f *eventsFlags) error {
	if err := oneOf(c, "color", f.color, "auto", "always", "never"); err != nil {
		return err
	}
	request := control.EventsRequest{Follow: f.follow, JSON: f.json, Color: !f.json && color(f.color, p.stdout)}
	return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		err := daemon.Events(ctx, request, p.stdout)
		switch {
		case errors.Is(err, context.Canceled): // an interrupt is the usual end
			return nil
		case err == nil && f.follow:
			p.note("the daemon has ended")
		}
		return err
	})
}
