// Command knock knocks at the ports of a host: it sends one packet to each, in order.
//
// It takes the options of knockd's client. The exit status is 0 when the knocks were sent, 1
// when --then found its port closed, and 2 when the knocks could not be sent.
package main

import (
	"context"
	"os"
	"os/signal"

	"sesame/cmd/knock/client"
	"sesame/daemon/build"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p := client.Program{Name: "knock", Version: build.Read().Version, Stdout: os.Stdout, Stderr: os.Stderr}
	status := p.Run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}
