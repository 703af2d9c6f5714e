//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/journald"
	"sesame/daemon/output"
)

func (p *program) runCommand() *cobra.Command {
	f := &configFlags{}
	var pprof bool
	c := &cobra.Command{
		Use:   "run [flags]",
		Short: "Guard this machine: open ports to sources that knock",
		Long: `Run captures packets, lets the scripts decide, and opens ports through nftables.
The kernel closes them by itself, even when Sesame has crashed. Scripts are read
again when they change. Run ends on SIGTERM or Ctrl-C. Guarded ports then stay
guarded, and no knock opens them. SIGUSR2 ends it for a restart: undos of commands
that are pending then stay so, and the next start runs them at their time. SIGHUP
has the scripts read again and the log files opened anew, SIGUSR1 the log files
alone.

The exit status is 0 when a signal ended it, and 2 when run could not continue.`,
		Example: `  sesame run
  sesame run --observe -s my-scripts -i eth0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.run(c, f, pprof) },
	}
	f.add(c)
	c.Flags().BoolVar(&pprof, pprofFlag, false, "serve Go's profiles to root at the daemon's socket, below /debug/pprof/")
	return c
}

// pprofFlag is the flag of run that no other command has.
const pprofFlag = "pprof"

// untilSignal returns a context that ends with SIGTERM or SIGINT, or with SIGUSR2, by which systemd
// says that another daemon follows: see RestartKillSignal= in the unit.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	ctx, end := context.WithCancelCause(ctx)
	restart := make(chan os.Signal, 1)
	signal.Notify(restart, syscall.SIGUSR2)
	go func() {
		select {
		case <-restart:
			end(daemon.ErrRestart)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil); stop() }
}

// run runs the daemon until one of these signals.
//
// The log and the terminal are written through queues, so that a stopped terminal or a full
// pipe never stops the loop. The deferred flushes run after daemon.Run has returned, last in
// first out, and each waits for at most a second.
func (p *program) run(c *cobra.Command, f *configFlags, pprof bool) error {
	settings, err := f.load(c)
	if err != nil {
		return err
	}
	p.warnOf(&settings)
	boundGarbage()
	ctx, stop := untilSignal(c.Context())
	defer stop()
	// A reader of the log that ends must not end the guard, and logrotate may come early.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGUSR1)
	log, flush := startLog(settings.Log, p.stderr, journald.Socket)
	defer flush()
	people := output.New(p.stdout, output.Text(0))
	defer people.Start()()
	config := daemon.Config{Config: settings, Version: version(), Log: log, Pprof: pprof, Probe: []string{"/proc/self/exe", probeName}, Lister: []string{"/proc/self/exe", rulesName}}
	if settings.Log.Format == "auto" && isTerminal(p.stdout) {
		config.People, config.Color = people, color("auto", p.stdout)
	}
	err = leaveRoot(ctx, &config, c.Flags())
	switch {
	case errors.Is(err, context.Canceled): // a signal
		log.Info("stopping before the start is over")
		return nil
	case err != nil:
		return err
	}
	return daemon.Run(ctx, config)
}
