package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
	"sesame/scripting/source"
)

// The exit statuses of all commands.
const (
	done      = 0 // or yes
	answerNo  = 1
	couldNot  = 2
	shortHelp = "\nRun \"%s --help\" for what it takes.\n"
)

// A program is one run of the command: its streams and its exit status.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	status         int // exit status when the command returns no error
}

// A usageError is a mistake on the command line.
type usageError struct {
	command *cobra.Command
	message string
}

func (e *usageError) Error() string { return e.message }

// run runs the command line and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	wasRoot := os.Geteuid() == 0 // run gives that up
	err := root.Execute()
	switch {
	case err == nil:
		return p.status
	case errors.Is(err, syscall.EPIPE): // the reader of a pipe has ended
		return done
	}
	p.complain(err)
	if errors.Is(err, fs.ErrPermission) && !wasRoot {
		p.note("it needs root: try sudo")
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(stderr, shortHelp, usage.command.CommandPath())
	}
	return couldNot
}

// root returns the command with all subcommands. A new subcommand is one line here, or in
// liveCommands when it needs a daemon.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sesame",
		Short: "A port-knocking daemon that is scripted in Lua and tested against captures",
		Long: `Sesame guards ports with doors. A door is a Lua script: a knock sequence, and what
happens when somebody knocks it. The engine that guards a machine also replays
captures offline, so that you can test a script before you use it.`,
		Args:          noCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("sesame {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(p.liveCommands()...)
	root.AddCommand(
		p.simulateCommand(),
		p.perturbCommand(),
		p.attackCommand(),
		p.scrubCommand(),
		p.checkCommand(),
		p.testCommand(),
		p.knockCommand(),
		p.importCommand(),
		p.docCommand(),
		p.initCommand(),
		p.diffCommand(),
		p.versionCommand(),
		p.completionCommand(),
		p.manualCommand(),
	)
	p.describeValues(root)
	root.SetUsageFunc(p.usage)
	return root
}

// noCommand refuses an unknown command and suggests similar ones.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	return &usageError{c, fmt.Sprintf("unknown command %q%s", args[0], didYouMean(c.SuggestionsFor(args[0]), ""))}
}

// flagError adds suggestions to the error about an unknown flag, and says what others expect.
func flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); !c.HasParent() && len(args) > 0 { // the flag is of a command that is misspelt
		return noCommand(c, args)
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return &usageError{c, invalidValue(invalid)}
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return &usageError{c, err.Error()}
	}
	// Cobra suggests similar names for commands only, so flags are given to it as commands.
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return &usageError{c, err.Error() + didYouMean(names.SuggestionsFor(unknown.GetSpecifiedName()), "--")}
}

// invalidValue says what a flag expects, where the error of its value is for programmers.
func invalidValue(err *pflag.InvalidValueError) string {
	f, expected := err.GetFlag(), ""
	switch f.Value.Type() {
	case "int":
		expected = "a whole number"
	case "uint64":
		expected = fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64))
	case "bool":
		expected = "nothing, true or false"
	default:
		return err.Error()
	}
	return fmt.Sprintf("--%s %q: expected %s", f.Name, err.GetValue(), expected)
}

// didYouMean returns a suggestion to append to an error; empty without names.
func didYouMean(names []string, prefix string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + prefix + strings.Join(names, " or "+prefix) + "?"
}

// complain prints an error. It quotes files that others may have written, so control
// characters are replaced.
func (p *program) complain(err error) {
	problems, ok := errors.AsType[source.Problems](err)
	if !ok {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			p.note("%s", line)
		}
		return
	}
	for _, problem := range problems {
		fmt.Fprintln(p.stderr, terminal.Printable(problem.Detail()))
	}
	p.note("%s; nothing was loaded", transcript.Count(len(problems), "problem"))
}

// warn prints a message that a person should act on.
func (p *program) warn(format string, args ...any) {
	p.note("warning: "+format, args...)
}

// print writes a result to standard output. It may quote what others have written, so control
// characters are replaced.
func (p *program) print(format string, args ...any) error {
	_, err := io.WriteString(p.stdout, terminal.Printable(fmt.Sprintf(format, args...)))
	return err
}

// note prints a message to standard error. Programs that read standard output need none of
// them.
func (p *program) note(format string, args ...any) {
	fmt.Fprintln(p.stderr, "sesame: "+terminal.Printable(fmt.Sprintf(format, args...)))
}

// noArguments refuses arguments. cobra.NoArgs would call them unknown commands.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{c, fmt.Sprintf("unexpected argument %q: %s takes none%s", args[0], c.CommandPath(), expanded(c, args[0]))}
	}
	return nil
}

// arguments requires this number of arguments.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return &usageError{c, fmt.Sprintf("%s: expected %s", transcript.Count(len(args), "argument"), what)}
		}
		return nil
	}
}

// expanded returns the end of a message about an argument that is not expected, when the shell may
// have made it of -c with a pattern, such as -c *.toml.
func expanded(c *cobra.Command, argument string) string {
	flag := c.Flags().Lookup("config")
	if flag == nil || !flag.Changed || filepath.Ext(argument) != filepath.Ext(flag.Value.String()) {
		return ""
	}
	return "; when -c was given a name with * or ?, the shell made several names of it: name one file"
}
