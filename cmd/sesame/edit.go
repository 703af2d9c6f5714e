//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/scripting"
	"sesame/scripting/source"
)

// editFlags are the flags of sesame edit.
type editFlags struct {
	diff  diffFlags // those of scripts, facts, the socket and the caller's address
	trial string
	time  time.Duration // of trial
}

func (p *program) editCommand() *cobra.Command {
	f := &editFlags{diff: diffFlags{until: "1h", format: "text"}}
	c := &cobra.Command{
		Use:   "edit [flags] NAME",
		Short: "Edit a script, and see what the edit does before it is in force",
		Long: `Edit opens a copy of a script in your editor: $VISUAL, $EDITOR, or one that is
installed. NAME is a script, a module or a file of tests below the scripts, such
as ssh, ssh_test or lib/team. One that is not there is new.

When the editor ends, edit does what sesame check, test and diff do, with the copy
in place of the script: who would no longer get in, compared with what the daemon
runs. Nothing is in force until you choose:

  apply    write the script, and make the daemon load it
  try      the same, but the scripts before return after --trial, unless you run
           sesame confirm
  edit     open the editor again
  discard  forget the edit

The script is replaced as a whole, with its owner and mode. When somebody else
changed it meanwhile, edit says so first. When something fails, the copy is kept,
and a message names it.

Edit asks questions, so it needs a terminal. The exit status is 0 when the edit was
applied or discarded or when nothing changed, 1 when the daemon rejected or held
the scripts, and 2 when something failed.`,
		Example: `  sudo sesame edit ssh
  EDITOR="code --wait" sesame edit -s my-scripts ssh_test`,
		Args: arguments(1, 1, "NAME, a script"),
		RunE: func(c *cobra.Command, args []string) error { return p.edit(c, f, args[0]) },
	}
	f.diff.scripts.add(c)
	f.diff.geo.add(c)
	f.diff.geo.addFacts(c)
	c.Flags().StringVar(&f.diff.socket, "socket", "", "path of the daemon's socket (default /run/sesame/sesame.sock)")
	c.Flags().StringVar(&f.diff.me, "me", "", "the address whose last opening is looked for (default: from which you are logged in over SSH)")
	c.Flags().StringVar(&f.trial, "trial", "10m", "how long scripts that you try are in force unless you confirm")
	completeFlag(c, "trial", "1m", "5m", "10m", "30m", "1h")
	return c
}

// An editing is one run of sesame edit.
type editing struct {
	*program
	command *cobra.Command
	flags   *editFlags
	config  config.Config
	file    *editedFile
	dropped bool // the person does not want the edit
}

// edit edits a script, until a person applies or discards the edit.
func (p *program) edit(c *cobra.Command, f *editFlags, name string) error {
	if err := f.diff.check(c, nil); err != nil {
		return err
	}
	var err error
	if f.time, err = scripting.ParseDuration(f.trial); err != nil {
		return &usageError{c, "--trial: " + err.Error()}
	}
	if d := control.Duration(f.time); d < control.MinTrial || d > control.MaxTrial {
		return &usageError{c, fmt.Sprintf("--trial %q: expected a time from 1s to 24h", f.trial)}
	}
	if in, ok := p.stdin.(*os.File); !ok || !isTerminal(in) {
		return errors.New("edit asks questions, and standard input is no terminal: write the script, and run sesame check, sesame test, sesame diff and sesame reload")
	}
	side, err := p.newSide(c, &f.diff.scripts)
	if err != nil {
		return err
	}
	if err := safeToEdit(&side.settings); err != nil {
		return err
	}
	file, err := openEdited(side.files, name)
	if err != nil {
		return err
	}
	e := &editing{program: p, command: c, flags: f, config: side.settings, file: file}
	err = e.run(c.Context())
	if !e.dropped && file.edited() {
		p.note("your edit is kept in %s", file.copy)
		return err
	}
	return errors.Join(err, file.forget())
}

// run opens the editor and asks what to do, until there is nothing more to do.
func (e *editing) run(ctx context.Context) error {
	for {
		text, err := e.open(ctx)
		switch {
		case err != nil:
			return err
		case e.file.there && bytes.Equal(text, e.file.before), !e.file.there && len(text) == 0:
			return e.print("nothing changed\n")
		}
		again, err := e.decide(ctx, text)
		if err != nil || !again {
			return err
		}
	}
}

// open runs the editor on the copy, and returns the text of it. An interrupt that the person types
// in the editor is the editor's.
func (e *editing) open(ctx context.Context) ([]byte, error) {
	argv, err := editor()
	if err != nil {
		return nil, err
	}
	interrupts := make(chan os.Signal, 1) // they are dropped
	signal.Notify(interrupts, os.Interrupt, syscall.SIGQUIT)
	defer signal.Stop(interrupts)
	if err := runEditor(ctx, append(argv, e.file.copy), e.stdin, e.stdout, e.stderr); err != nil {
		return nil, fmt.Errorf("running the editor %s: %w", argv[0], err)
	}
	text, err := os.ReadFile(e.file.copy)
	if err != nil {
		return nil, fmt.Errorf("reading the edit: %w", err)
	}
	return text, nil
}

// decide shows what the edit does, asks what to do, and does it. Again means that the editor is to
// be opened.
func (e *editing) decide(ctx context.Context, text []byte) (again bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	good, err := e.judge(ctx, text)
	if err != nil {
		return false, err
	}
	e.status = done // that of what was shown
	for {
		choice, err := e.ask(ctx, good)
		switch {
		case err != nil:
			return false, err
		case choice == 'e':
			return true, nil
		case choice == 'd':
			e.dropped = true
			return false, nil
		}
		trial := choice == 't'
		to := e.daemon(ctx)
		if why := to.prevents(trial); why != "" {
			e.note("%s", why)
			continue
		}
		written, err := e.apply(ctx, text, to, trial)
		if err != nil || written {
			return false, err
		}
	}
}

// apply writes the script and makes the daemon load it. Written is false when somebody else had
// changed the script. Once it is written for a trial nothing interrupts this: a daemon that found
// the script before it was asked would keep it.
func (e *editing) apply(ctx context.Context, text []byte, to *editedDaemon, trial bool) (written bool, err error) {
	if trial {
		signals := make(chan os.Signal, 1) // they are dropped
		signal.Notify(signals, os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(signals)
		ctx = context.WithoutCancel(ctx)
	}
	changed, err := e.file.write(text)
	switch {
	case err != nil:
		return false, err
	case changed:
		e.warn("%s was changed by somebody else while you edited: diff %s %s shows how. Applying replaces that", e.file.path, e.file.path, e.file.copy)
		return false, nil
	}
	return true, e.reload(ctx, to, trial)
}

// errUndecided means that nobody chose.
var errUndecided = errors.New("nothing was chosen, so nothing is in force")

// ask asks what to do with the edit. Scripts that do not load, or whose tests fail, can be neither
// applied nor tried: the daemon would not take them.
func (e *editing) ask(ctx context.Context, good bool) (rune, error) {
	question, allowed := "edit again (e) or discard (d)? ", "ed"
	switch {
	case good && source.IsTest(e.file.name): // tests alone change no door, so there is nothing to try
		question, allowed = "apply (a), edit again (e) or discard (d)? ", "aed"
	case good:
		question, allowed = fmt.Sprintf("apply (a), try for %s (t), edit again (e) or discard (d)? ", e.flags.trial), "ated"
	}
	for {
		if err := e.print("\n%s", question); err != nil {
			return 0, err
		}
		line, err := readLine(ctx, e.stdin)
		if err != nil {
			return 0, errUndecided
		}
		if choice, ok := chosen(line, allowed); ok {
			return choice, nil
		}
	}
}

// chosen returns the choice of a line: its first letter, or the whole word.
func chosen(line, allowed string) (rune, bool) {
	for _, r := range allowed {
		word := map[rune]string{'a': "apply", 't': "try", 'e': "edit", 'd': "discard"}[r]
		if line == string(r) || line == word {
			return r, true
		}
	}
	return 0, false
}

// readLine reads a line of a terminal, without buffering what follows: that may be for the editor.
// It returns early when ctx ends.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		var line []byte
		b := make([]byte, 1)
		for {
			n, err := in.Read(b)
			if n > 0 && b[0] != '\n' {
				line = append(line, b[0])
			}
			if err != nil || n > 0 && b[0] == '\n' || len(line) > 100 {
				read <- result{string(bytes.TrimSpace(line)), err}
				return
			}
		}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
