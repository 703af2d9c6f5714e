package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"sesame/daemon/effect/listing"
)

// rulesName is a command that only a confined daemon runs, as a process of its own.
const rulesName = "list-rules"

func rulesCommand() *cobra.Command {
	return &cobra.Command{
		Use:    rulesName,
		Short:  "Print rules of other firewalls for a confined daemon",
		Hidden: true,
		Args:   noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			// Signals for the daemon may be sent to its whole unit.
			signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1)
			// It waits nearly always, and holds nothing that is worth a second thread or a heap.
			debug.SetGCPercent(10)
			if err := listing.Confine(); err != nil {
				return err
			}
			debug.FreeOSMemory()
			return listing.Serve(c.Context(), os.Stdin, os.Stdout)
		},
	}
}
