package main

import (
	"github.com/spf13/cobra"

	"sesame/daemon/state"
)

// probeName is a command that only the daemon runs, as a process of its own.
const probeName = "probe-state"

func probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    probeName + " DIRECTORY",
		Short:  "Read a state directory, and end when its disk has answered",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			state.Probe(args[0])
			return nil
		},
	}
}
