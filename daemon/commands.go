package daemon

import (
	"context"
	"io/fs"
	"strings"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/executable"
	"sesame/daemon/writable"
	"sesame/scripting"
)

// Bounds of what the status lists of commands.
const (
	maxUnrunnable = 20
	maxFailing    = 50
)

// unrunnable returns the commands and undos of a set that this machine cannot run: how many, and
// the first maxUnrunnable of them. It waits for the disk. With a helper, programs that only root
// can look at are left out: the helper runs them.
func unrunnable(set *scripting.Set, helped bool) (list []control.Unrunnable, count int) {
	for _, c := range set.Commands {
		for i, argv := range [][]string{c.Argv, c.Undo} {
			problem := executable.Problem(argv)
			if problem == "" || helped && strings.HasSuffix(problem, fs.ErrPermission.Error()) {
				continue
			}
			if count++; count <= maxUnrunnable {
				list = append(list, control.Unrunnable{Command: c.Name, Program: argv[0], Undo: i == 1, File: c.Place.File, Line: c.Place.Line, Problem: problem})
			}
		}
	}
	return list, count
}

// warnOfCommands logs a warning when the machine cannot run commands of the set that runs. It waits
// for the disk, but not for long.
func (d *daemon) warnOfCommands(ctx context.Context) {
	files, fresh := d.lookAtFiles(ctx)
	if !fresh || files.unrunnableCount == 0 {
		return
	}
	var named []string
	for _, c := range files.unrunnable[:min(len(files.unrunnable), writable.Most)] {
		named = append(named, c.Problem)
	}
	first := files.unrunnable[0]
	d.config.Log.Warn("commands of the scripts cannot be run on this machine: sesame status lists them", "commands", files.unrunnableCount,
		"file", first.File, "line", first.Line, "problems", strings.Join(named, "; "))
}

// effects returns the state of the effects. Only the loop may call it.
func (d *daemon) effects(offset time.Duration) control.Effects {
	l, report := d.loop, d.loop.runner.CommandReport()
	e := control.Effects{Queued: l.engine.Unanswered(), Failures: l.report.failed(offset)}
	for i := range report.Failing {
		if report.Failing[i].AnyStatus {
			e.AnyStatusCount++
		} else {
			e.FailingCount++
		}
	}
	for _, f := range report.Failing[:min(len(report.Failing), maxFailing)] {
		e.FailingCommands = append(e.FailingCommands, control.FailingCommand{
			Door: f.Door, Command: f.Command, Program: f.Program, Argv: f.Argv, Undo: f.Undo, Hung: f.Hung, NotRun: f.NotRun, AnyStatus: f.AnyStatus, Error: f.Error, At: f.At.Add(offset).UTC(), Count: f.Count,
		})
	}
	if w := report.Waiting; w.Count > 0 {
		e.Waiting = control.WaitingCommands{Count: w.Count, Since: w.Since.Add(offset).UTC(), Door: w.Door, OfDoor: w.Most, Doors: w.Doors, PilingUp: w.PilingUp}
	}
	return e
}

// hasCommand returns what tells whether a set still has a command that failed. A command that was
// mended is another one.
func hasCommand(set *scripting.Set) func(effect.FailingCommand) bool {
	commands, undos, doors := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range set.Commands {
		commands[strings.Join(c.Argv, "\x00")] = true
		if c.Undo != nil {
			undos[c.Undo[0]] = true
		}
	}
	for _, door := range set.Engine.Doors {
		doors[door.Name] = true
	}
	return func(f effect.FailingCommand) bool {
		has := commands[strings.Join(f.Argv, "\x00")]
		if f.Undo {
			has = undos[f.Program]
		}
		return has && (f.Door == "" || doors[f.Door])
	}
}
