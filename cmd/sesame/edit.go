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
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/spelling"
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
		Use:   "edit [flags] NAME...",
		Short: "Edit a script, and see what the edit does before it is in force",
		Long: `Edit opens a copy of a script in your editor: $VISUAL, $EDITOR, or one that is
installed. NAME is a script, a module or a file of tests below the scripts, such
as ssh, ssh_test or lib/team. One that is not there is new. Several are opened
together, such as a script and its tests.

When the editor ends, edit does what sesame check, test and diff do, with the copy
in place of the script: who would no longer get in, compared with what the daemon
runs. Nothing is in force until you choose:

  apply    write the script, and make the daemon load it
  try      the same, but the scripts before return after --trial, unless you run
           sesame confirm
  edit     open the editor again
  discard  forget the edit

What the daemon rejects or holds is put back, and asked again. When it holds the
scripts since they give up a guard, you can say that this is meant.

The script is replaced as a whole, with its owner and mode. When somebody else
changed it meanwhile, edit says so first. When something fails, the copy is kept,
and a message names it.

Edit asks questions, so it needs a terminal. The exit status is 0 when the edit was
applied or discarded or when nothing changed, 1 when the daemon rejected or held
the scripts at last, and 2 when something failed.`,
		Example: `  sudo sesame edit ssh
  sudo sesame edit ssh ssh_test
  EDITOR="code --wait" sesame edit -s my-scripts ssh_test`,
		Args: arguments(1, 20, "NAME, a script"),
		RunE: func(c *cobra.Command, args []string) error { return p.edit(c, f, args) },
	}
	f.diff.scripts.add(c)
	f.diff.geo.add(c)
	f.diff.geo.addFacts(c)
	c.Flags().StringVar(&f.diff.socket, "socket", "", socketUsage)
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
	set     *editedSet
	failing []string // files of tests that failed last and are not edited
	dropped bool     // the person does not want the edit
}

// edit edits scripts, until a person applies or discards the edit.
func (p *program) edit(c *cobra.Command, f *editFlags, names []string) error {
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
	set, err := openEdits(side.files, names)
	if err != nil {
		return err
	}
	p.noteNew(side.files, set)
	e := &editing{program: p, command: c, flags: f, config: side.settings, set: set}
	err = e.run(c.Context())
	if kept := set.kept(); !e.dropped && kept != nil {
		p.note("your edit is kept in %s", strings.Join(kept, " and "))
		return err
	}
	return errors.Join(err, set.forget())
}

// noteNew names scripts that are not there yet: a name may be mistyped.
func (p *program) noteNew(files *source.Files, set *editedSet) {
	names, _ := files.Names() // without any, nothing is near
	for _, f := range set.files {
		meant := ""
		if near := spelling.Nearest(f.name, names); near != "" {
			meant = fmt.Sprintf(": did you mean %s?", near)
		}
		if !f.there {
			p.note("%s is new%s", f.name, meant)
		}
	}
}

// run opens the editor and asks what to do, until there is nothing more to do.
func (e *editing) run(ctx context.Context) error {
	for {
		if err := e.open(ctx); err != nil {
			return err
		}
		if e.set.changed() == nil {
			return e.print("nothing changed\n")
		}
		again, err := e.decide(ctx)
		if err != nil || !again {
			return err
		}
	}
}

// open runs the editor on the copies, and reads them. An interrupt that the person types in the
// editor is the editor's.
func (e *editing) open(ctx context.Context) error {
	argv, err := editor()
	if err != nil {
		return err
	}
	interrupts := make(chan os.Signal, 1) // they are dropped
	signal.Notify(interrupts, os.Interrupt, syscall.SIGQUIT)
	defer signal.Stop(interrupts)
	copies, _ := e.set.copies()
	if err := runEditor(ctx, append(argv, copies...), e.stdin, e.stdout, e.stderr); err != nil {
		return fmt.Errorf("running the editor %s: %w", argv[0], err)
	}
	return e.set.read()
}

// decide shows what the edit does, asks what to do, and does it. Again means that the editor is to
// be opened.
func (e *editing) decide(ctx context.Context) (again bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	good, err := e.judge(ctx)
	if err != nil {
		return false, err
	}
	e.status = done // that of what was shown
	try := attempt{files: e.set.changed()}
	for {
		to := e.daemon(ctx)
		choice, err := e.ask(ctx, e.choices(good, to, &try))
		switch {
		case err != nil:
			return false, err
		case choice == 'e':
			return true, nil
		case choice == 'w':
			return true, e.addTests()
		case choice == 'd':
			e.dropped = true
			return false, nil
		case choice != 'u':
			try.trial = choice == 't'
		}
		settled, err := e.apply(ctx, to, &try)
		if err != nil || settled {
			return false, err
		}
	}
}

// An attempt is one to put an edit in force.
type attempt struct {
	files   []*editedFile
	trial   bool
	refused bool     // by the daemon
	held    []string // the guards for which it was
}

// apply writes the script and makes the daemon load it. Settled is false when that was for nothing:
// the script is as it was, or somebody else had changed it. Once it is written for a trial nothing
// interrupts this: a daemon that found the script before it was asked would keep it.
func (e *editing) apply(ctx context.Context, to *editedDaemon, try *attempt) (settled bool, err error) {
	if try.trial {
		signals := make(chan os.Signal, 1) // they are dropped
		signal.Notify(signals, os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(signals)
		ctx = context.WithoutCancel(ctx)
	}
	meanwhile, err := e.set.write()
	if err != nil {
		return false, err
	}
	for _, f := range meanwhile {
		e.warn("%s was changed by somebody else while you edited: diff %s %s shows how. Applying replaces that", f.path, f.path, f.copy)
	}
	if meanwhile != nil {
		try.files = e.set.changed()
		return false, nil
	}
	return e.reload(ctx, to, try)
}

// errUndecided means that nobody chose.
var errUndecided = errors.New("nothing was chosen, so nothing is in force")

// addTests edits the tests that failed, too.
func (e *editing) addTests() error {
	side, err := readSide(e.config)
	if err != nil {
		return err
	}
	for _, name := range e.failing {
		if err := e.set.add(side.files, name); err != nil {
			return err
		}
	}
	return nil
}

// A choice is one of what can be done with an edit.
type choice struct {
	letter rune
	word   string
	text   string // in the question; it has the letter in parentheses
}

// choices returns what can be done. Scripts that do not load, or whose tests fail, can be neither
// applied nor tried: the daemon would not take them. What it refused can be edited.
func (e *editing) choices(good bool, to *editedDaemon, try *attempt) []choice {
	var list []choice
	switch {
	case try.held != nil:
		list = append(list, choice{'u', "unguard", "give up the guard of " + strings.Join(try.held, ", ") + " (u)"})
	case good && !try.refused:
		if to.none != "" {
			e.note("%s", to.none)
		}
		if to.status.Trial == nil {
			list = append(list, choice{'a', "apply", "apply (a)"})
		} else {
			e.note("a trial runs until %s: to apply, first keep its scripts with sesame confirm, or return to those before with sesame reload --return", formatTime(to.status.Trial.Ends))
		}
		if to.none == "" && !e.set.testsAlone() {
			list = append(list, choice{'t', "try", "try for " + e.flags.trial + " (t)"})
		}
	}
	list = append(list, choice{'e', "edit", "edit again (e)"})
	if n := len(e.failing); n > 0 && !good {
		list = append(list, choice{'w', "with", "edit with " + strings.Join(e.failing[:min(n, 5)], ", ") + " (w)"})
	}
	return append(list, choice{'d', "discard", "discard (d)"})
}

// ask asks which of the choices to take.
func (e *editing) ask(ctx context.Context, list []choice) (rune, error) {
	var texts, letters []string
	for _, c := range list {
		texts, letters = append(texts, c.text), append(letters, string(c.letter))
	}
	last := len(texts) - 1
	question := strings.Join(texts[:last], ", ") + " or " + texts[last]
	for {
		if err := e.print("\n%s? ", question); err != nil {
			return 0, err
		}
		line, err := readLine(ctx, e.stdin)
		if err != nil {
			return 0, errUndecided
		}
		for _, c := range list {
			if line = strings.ToLower(line); line == string(c.letter) || line == c.word {
				return c.letter, nil
			}
		}
		e.note("%q is no answer: type one of %s, and Enter", line, strings.Join(letters, ", "))
	}
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
