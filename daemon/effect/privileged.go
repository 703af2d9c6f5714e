package effect

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/executable"
)

// Privileged does what may need more privileges than the process has that judges packets. Without
// one that process does it itself. Any number of calls may run at once.
type Privileged interface {
	// Run runs a command, and kills it when ctx ends. It calls answer once, with an error as that
	// of [Program.Run], and returns when nothing of the command runs any more.
	Run(ctx context.Context, c Command, answer func(Output, error))
	// CommentOut does what the function [CommentOut] does.
	CommentOut(file, line string) error
}

// A Command is a command or an undo that a decision runs, with why it runs.
type Command struct {
	Argv   []string // with its placeholders filled
	Undo   bool     // it is an undo
	Undone []string // the undo that is pending once it has run, and of an undo itself; nil: none
	// Invocation says which declared command it is; nil: it is not known, or it is an undo.
	Invocation *engine.Invocation
	Door       string // "": none
	Source     netip.Prefix
	Grant      uint64 // 0: none
	Timeout    time.Duration
}

// Program returns what to run. The environment of the program holds PATH, and variables that say
// why it runs.
func (c Command) Program() Program {
	why, source := "exec", c.Source.String()
	if c.Undo {
		why = "undo"
	}
	if c.Source.IsSingleIP() {
		source = c.Source.Addr().String()
	}
	p := Program{Argv: c.Argv, Timeout: c.Timeout, Env: []string{
		"PATH=" + executable.Path,
		"SESAME_DOOR=" + c.Door, "SESAME_SOURCE=" + source, "SESAME_EFFECT=" + why,
	}}
	if c.Grant != 0 {
		p.Env = append(p.Env, "SESAME_GRANT="+strconv.FormatUint(c.Grant, 10))
	}
	return p
}

// itself is the [Privileged] of a process that does everything itself.
type itself struct{ vet func(argv []string) error }

func (i itself) Run(ctx context.Context, c Command, answer func(Output, error)) {
	if i.vet != nil {
		if err := i.vet(c.Argv); err != nil {
			answer(Output{}, fmt.Errorf("%s%w", runningPrefix(c.Argv), err))
			return
		}
	}
	c.Program().Run(ctx, answer)
}

func (itself) CommentOut(file, line string) error { return CommentOut(file, line) }
