//go:build linux

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
)

// eventsFlags are those of sesame events.
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
		Short: "Show what happened lately, and follow what happens",
		Long: `Events shows the latest of the daemon's transcript: up to 10,000 events since it
started. A line for programs is one of docs/transcript.md; when events come
faster than they are read, a line says how many are left out:

  {"event":"skipped","events":123}`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.events(c, f) },
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what happens, until interrupted")
	c.Flags().BoolVar(&f.json, "json", false, "JSON Lines, for programs")
	c.Flags().StringVar(&f.color, "color", "auto", `"auto", "always" or "never"`)
	return c
}

func (p *program) events(c *cobra.Command, f *eventsFlags) error {
	if err := oneOf(c, "color", f.color, "auto", "always", "never"); err != nil {
		return err
	}
	request := control.EventsRequest{Follow: f.follow, JSON: f.json, Color: !f.json && color(f.color, p.stdout)}
	return p.ask(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		err := daemon.Events(ctx, request, p.stdout)
		switch {
		case errors.Is(err, context.Canceled): // that is how a person ends it
			return nil
		case err == nil && f.follow:
			p.note("the daemon has ended")
		}
		return err
	})
}
