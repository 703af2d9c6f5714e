// Command knock knocks at the ports of a host: it sends one packet to each, in
// order.
//
// It takes what the client of knockd takes. The exit status is 0 when the
// knocks were sent, 1 when --then found its port closed, 2 when the knocks could
// not be sent.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"

	"sesame/cmd/knock/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p := client.Program{Name: "knock", Version: version(), Stdout: os.Stdout, Stderr: os.Stderr}
	status := p.Run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// version returns what the Go tool wrote into the program: a release's version,
// or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
