//go:build linux

package main

import (
	"context"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
)

func (p *program) metricsCommand() *cobra.Command {
	f := &configFlags{}
	c := &cobra.Command{
		Use:   "metrics [flags]",
		Short: "Print the daemon's metrics, as Prometheus reads them",
		Long: `Metrics prints what Prometheus would read from the daemon: packets, and for
each door its opens, refusals, misses and grants, and how the daemon fares.
docs/monitoring.md lists them. No address of a source is in them.

To let Prometheus read them, name an address in the configuration, such as
metrics = "127.0.0.1:9873". Without that key no port is opened, and this
command still works. The address does not give what tells how far an attempt
is, since a reader could find the sequences by it; this command does.`,
		Example: `  sesame metrics
  sesame metrics | grep sesame_door_opens_total`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.request(c, f, func(ctx context.Context, daemon *control.Client) error {
				return daemon.Metrics(ctx, p.stdout)
			})
		},
	}
	f.addSocket(c)
	return c
}
