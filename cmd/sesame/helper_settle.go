//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/config"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/privileged"
	"sesame/daemon/state"
	"sesame/daemon/transcript"
)

// pendingUndos returns the undo commands that wait for a daemon, as text.
func pendingUndos(stateDir, helperDir string) []string {
	all, err := privileged.Pending(helperDir)
	if err != nil {
		all = append(all, err.Error())
	}
	for _, argv := range state.Undos(stateDir) {
		all = append(all, strings.Join(argv, " "))
	}
	return all
}

// tellPending names the undo commands that wait for a daemon, and how they run without one.
func (p *program) tellPending(settings *config.Config) {
	pending := pendingUndos(settings.State, helperDir(settings.State))
	if len(pending) == 0 {
		return
	}
	p.warn("pending undo commands: %d; a daemon runs them when it starts, and without one: sudo sesame helper --settle", len(pending))
	for _, command := range pending {
		p.warn("pending: %s", transcript.Safe(command))
	}
}

// settle runs what is pending while no daemon runs, each once. Where a daemon ran as another user
// the helper's journal has it, and what that user wrote is not run. Else the state directory has
// it.
func (p *program) settle(c *cobra.Command, f *helperFlags) (err error) {
	if pid, runs := daemon.RunningInstance(); runs {
		return fmt.Errorf("%s guards this network, and runs its undo commands itself: stop it first", runningText(pid))
	}
	settings, known, err := p.loadAnyway(c, &f.configFlags)
	if err != nil {
		return err
	}
	if !known && f.state == "" {
		p.warn("only %s is looked into, since the configuration cannot be read: name another state directory by --state", settings.State)
	}
	if len(pendingUndos(settings.State, cmp.Or(f.directory, helperDir(settings.State)))) == 0 {
		return p.print("no undo command is pending\n")
	}
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := hclog.New(&hclog.LoggerOptions{Name: helperName, Output: p.stderr, Level: hclog.Warn})
	server, err := f.server(c, settings.State, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	ran, left, err := server.Settle(ctx)
	if err != nil {
		return err
	}
	if len(state.Undos(settings.State)) > 0 {
		n, failed, err := p.settleState(ctx, server, settings.State)
		if err != nil {
			return err
		}
		ran, left = ran+n, append(left, failed...)
	}
	for _, command := range left {
		p.warn("still pending: %s", transcript.Safe(command))
	}
	if len(left) > 0 {
		p.status = answerNo
	}
	return p.print("%s succeeded, %d still pending\n", transcript.Count(ran, "undo command"), len(left))
}

// settleState runs the undo commands of a daemon that was root, and notes that their grants are
// over.
func (p *program) settleState(ctx context.Context, server *privileged.Server, path string) (ran int, left []string, err error) {
	dir, err := state.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	recovered, err := dir.Recover(now())
	if err != nil {
		return 0, nil, err
	}
	for _, undo := range recovered.Newer.Undos {
		left = append(left, strings.Join(undo, " "))
	}
	var over []engine.Record
	for _, grants := range byUndo(recovered.Records) {
		text := strings.Join(grants[0].Undo, " ")
		if err := runUndo(ctx, server, grants[0]); err != nil {
			p.warn("an undo command failed: %s: %v", transcript.Safe(text), err)
			left = append(left, text)
			continue
		}
		ran++
		for _, g := range grants {
			over = append(over, engine.Record{Grant: &engine.Grant{ID: g.ID}, Ended: true})
		}
	}
	return ran, left, dir.Append(over, 0)
}

// byUndo returns the grants with a pending undo, those together that share it.
func byUndo(records []engine.Record) (all [][]*engine.Grant) {
	at := map[string]int{}
	for _, r := range records {
		if r.Grant == nil || r.Ended || r.Grant.Undo == nil {
			continue
		}
		key := fmt.Sprintf("%q", r.Grant.Undo)
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], r.Grant)
	}
	return all
}

func runUndo(ctx context.Context, server *privileged.Server, g *engine.Grant) error {
	return server.RunUndo(ctx, effect.Command{
		Argv: g.Undo, Undo: true, Undone: g.Undo, Door: g.Door, Source: g.Source, Grant: g.ID, Timeout: g.Timeout,
	}, g.AnyStatus)
}
