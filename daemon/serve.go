package daemon

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/watch"
	"sesame/scripting"
	"sesame/scripting/source"
)

// grace is how long a stop waits for commands: for pending undo commands and for those that
// run. Then they are killed, and the next start runs the pending ones.
const grace = 20 * time.Second

// ErrRestart is the cause with which the context of [Run] ends when another daemon follows at once.
var ErrRestart = errors.New("another daemon follows")

// serve runs all goroutines until ctx ends or one of them fails, and reports that the daemon
// is ready once the guard is installed. It returns when all have ended: first the loop, which
// runs undo commands for up to grace, then the runner.
func (d *daemon) serve(ctx context.Context) error {
	// The runner ends after the others: it carries out the effects of the shutdown.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer d.knockd.Start()()
	defer d.audit.Start()()
	runner := make(chan error, 1)
	go func() { runner <- d.loop.runner.Run(running) }()

	tasks, ctx := errgroup.WithContext(ctx)
	ended, end := context.WithCancel(context.Background())
	tasks.Go(func() error {
		defer end()
		d.loop.run(ctx, grace)
		d.knockd.Message(d.loop.clock.now(), "shutting down")
		stop()
		return <-runner
	})
	tasks.Go(func() error {
		if err := d.enforce(ctx); err != nil {
			return err
		}
		// A reload may only save its set after the start has saved its own.
		tasks.Go(func() error { return d.reloader.run(ctx) })
		return d.reconcile(ctx)
	})
	for _, task := range []func(context.Context) error{
		d.waitForPackets, d.measure, d.monitorLinks, d.handleSignals, d.logStop, d.keep, d.followDatabases, d.awaitState, d.serveEarlier, d.followLister, d.loop.facts.resolver.Run,
		d.watchScripts, d.serveMetrics,
		func(ctx context.Context) error {
			return watch.NewFiles(d.databasePaths, d.searched(), watch.Quiet, d.config.Log).Run(ctx, d.databaseHints)
		},
		func(ctx context.Context) error { return d.socket.Serve(ctx, d.api(), faults(d.config.Log)) },
	} {
		tasks.Go(func() error { return task(ctx) })
	}
	return d.join(ctx, ended, tasks.Wait)
}

// watchScripts reports that the scripts may have changed, unless the helper does.
func (d *daemon) watchScripts(ctx context.Context) error {
	if d.helper != nil {
		return nil
	}
	return watch.New(d.config.Scripts, d.reloader.referenced, d.config.Log).Run(ctx, d.reloader.hints)
}

// enforce installs the guards of the running set, and then reports that the daemon is ready.
func (d *daemon) enforce(ctx context.Context) error {
	var open []packet.Port
	d.loop.do(ctx, func() { open = d.newlyOpen() })
	err := d.loop.guard(ctx, nil)
	switch {
	case errors.Is(err, errStopping):
		return nil
	case err != nil:
		return fmt.Errorf("guarding the ports: %w", err)
	}
	if len(open) > 0 {
		d.config.Log.Warn("ports that were guarded are open to everyone now", "mode", d.mode(), "ports", strings.Join(portTexts(open), ", "))
	}
	d.saveStarted(ctx)
	d.loop.do(ctx, d.reportReady)
	d.warnOfCommands(ctx)
	return nil
}

// logStop reports that the shutdown has begun.
func (d *daemon) logStop(ctx context.Context) error {
	<-ctx.Done()
	guards := true // unless the loop says that there are none
	d.loop.do(context.WithoutCancel(ctx), func() { guards = len(d.loop.guards.Drop) > 0 })
	text := stopText(d.mode(), d.config.Firewall.Mode, guards)
	d.config.Log.Info(text)
	d.noteManager(d.notifier.stopping(text))
	return nil
}

// stopText says what remains when the daemon has stopped. The firewall mode is that of the
// configuration, and guards is whether a port is guarded.
func stopText(mode control.Mode, firewallMode string, guards bool) string {
	switch {
	case mode == control.Observe:
		return "stopping: it only observed, so nothing was guarded, opened or run"
	case firewallMode == "set":
		return "stopping: nobody can knock; your own rules stay, and what was let in ends in its time"
	case !guards:
		return "stopping: nobody can knock; no port was guarded"
	}
	return "stopping: what is guarded stays shut, and nobody can knock"
}

// saveStarted saves the scripts that the start applied, as a reload does with its own.
func (d *daemon) saveStarted(ctx context.Context) {
	var set *scripting.Set
	var files *source.Files
	if !d.loop.do(ctx, func() { set, files = d.loop.set, d.loop.files }) {
		return
	}
	if d.reloader.lastGood {
		if d.reloader.unmarked {
			d.reloader.keepRunning(ctx)
		}
		return
	}
	d.tellHelper(files, false)
	d.reloader.keep(inForce{set: set, files: files, values: d.values()})
}

// reportReady reports that the guards are installed. Only the loop may call it.
func (d *daemon) reportReady() {
	mode, ports := string(d.mode()), strings.Join(portTexts(d.loop.guards.Drop), ", ")
	pairs := []any{"version", d.config.Version, "mode", mode, "guards", ports}
	if observed := d.loop.guards.Count; len(observed) > 0 {
		pairs = append(pairs, "observes", strings.Join(portTexts(observed), ", "))
	}
	d.config.Log.Info("ready", pairs...)
	if d.commands {
		d.config.Log.Info("privileges are kept for commands", "privileges", d.privileges)
	}
	if len(d.loop.set.Engine.Doors) == 0 {
		d.config.Log.Warn("no script has a door: nobody can knock", "scripts", d.config.Scripts)
	}
	d.logInterfaces()
	d.knockd.Started(d.loop.clock.now(), d.config.Interfaces)
	d.noteManager(d.notifier.ready(mode + ", guarding " + ports))
}

// noteManager notes whether the service manager could be notified.
func (d *daemon) noteManager(err error) {
	if d.troubles.set(serviceManager, err) {
		d.config.Log.Warn("the service manager was not notified", "error", err)
	}
}

// reportApplied reports a new set to the service manager. It logs a warning when the set has
// the first commands: the start has dropped the privileges that they may need.
func (d *daemon) reportApplied(set *scripting.Set, generation int) {
	d.troubles.set(sequencesUnread, nil)
	d.confined.Store(len(set.Commands) > 0 && !d.commands && d.helper == nil)
	if d.confined.Load() {
		d.config.Log.Warn("the first commands came with this reload: they run with no more privileges than Sesame itself until it is started again", "privileges", d.privileges)
	}
	d.warnOfPermissions(set)
	d.warnOfCut(set)
	d.warnOfCharacters(set)
	d.loop.runner.ForgetCommands(hasCommand(set))
	d.warnOfCommands(context.Background())
	d.noteManager(d.notifier.status(fmt.Sprintf("generation %d, %d doors", generation, len(set.Engine.Doors))))
}

// waitForPackets wakes the loop each time that packets have arrived.
func (d *daemon) waitForPackets(ctx context.Context) error {
	for {
		if err := d.source.Wait(); errors.Is(err, os.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("waiting for packets: %w", err)
		}
		select {
		case d.loop.readable <- struct{}{}:
			<-d.loop.drained
		case <-ctx.Done():
			return nil
		}
	}
}

// handleSignals reloads on SIGHUP, and opens the log files anew on SIGUSR1. SIGTERM and SIGINT end
// ctx and are not handled here.
func (d *daemon) handleSignals(ctx context.Context) error {
	for {
		select {
		case <-d.hangups:
			d.reopenLogs(ctx)
			o, err := d.reloader.request(ctx, wish{signal: true})
			if err != nil {
				return nil
			}
			d.auditSignal(ctx, &o)
		case <-d.reopens:
			d.knockd.Reopen()
		case <-ctx.Done():
			return nil
		}
	}
}

// reopenLogs opens the log file of knockd's lines again, since a SIGHUP or a reload by hand
// may come from logrotate, and writes knockd's lines about it.
func (d *daemon) reopenLogs(ctx context.Context) {
	d.knockd.Reopen()
	d.loop.do(ctx, func() { d.knockd.Rereading(d.loop.clock.now(), d.config.Scripts) })
}

// faults returns the logger for errors of the control socket that concern no request.
func faults(l hclog.Logger) *log.Logger {
	return l.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn})
}
