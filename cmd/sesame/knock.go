package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"sesame/cmd/knock/client"
)

// knockCommand is the client program under another name. The client parses its own flags, so
// that both programs take the same ones.
func (p *program) knockCommand() *cobra.Command {
	knock := client.Program{Name: "sesame knock", Version: version(), Stdout: p.stdout, Stderr: p.stderr}
	c := &cobra.Command{
		Use:                "knock [flags] HOST KNOCK...",
		Short:              "Knock at the ports of a host",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			p.status = knock.Run(ctx, args)
			return nil
		},
	}
	c.SetHelpFunc(func(*cobra.Command, []string) { fmt.Fprint(p.stdout, knock.Help()) })
	return c
}
