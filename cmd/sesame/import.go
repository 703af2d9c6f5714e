package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/openfile"
	"sesame/daemon/transcript"
	"sesame/scripting/knockd"
	"sesame/scripting/lint"
	"sesame/scripting/source"
)

// importFlags are the flags of sesame import knockd.
type importFlags struct {
	dir      string
	check    bool
	native   bool
	defaults []string
}

func (p *program) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Short: "Turn another daemon's configuration into scripts",
		Args:  noCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.importKnockdCommand())
	return c
}

func (p *program) importKnockdCommand() *cobra.Command {
	f := &importFlags{}
	c := &cobra.Command{
		Use:   "knockd [flags] FILE",
		Short: "Turn a knockd.conf into a script",
		Long: `Knockd reads a knockd.conf as knockd does, and writes a script with the same
doors, matched by knockd's rules. FILE may be - for standard input, or the file
/etc/config/knockd of OpenWrt. When knockd accepts something that was hardly meant
so, a warning says so, and the script has it as a comment.

With -o five files are written: the script, a capture in which each door is
knocked once, the transcript of replaying it, a test that sends the same knocks,
and a sesame.toml with the interface and the log of knockd. No file that exists is
overwritten. With --check the sesame.toml is printed instead.

How knockd is started is read from the files of --defaults: shell assignments such
as KNOCKD_OPTS="-i eth0", or a unit of systemd. Without it, and when FILE is
/etc/knockd.conf, these are read if they exist: default/knockd, sysconfig/knockd,
conf.d/knock and conf.d/knockd of /etc, and systemd/system/knockd.service with its
drop-ins.

Dashes, quotes and blanks that a web page put in the place of plain ones are
warnings. knockd takes them for letters, so that "–dport" is no option.

The exit status is 0 when the file was read, and 2 when knockd would refuse it
or something cannot be written.`,
		Example: `  sesame import knockd /etc/knockd.conf -o scripts
  sesame import knockd --check /etc/knockd.conf
  sesame import knockd --native /etc/knockd.conf > doors.lua
  systemctl cat knockd | sesame import knockd my.conf --defaults - -o scripts`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{c, fmt.Sprintf("%s named: expected one knockd.conf, or - for standard input", transcript.Count(len(args), "file"))}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return p.importKnockd(c, f, args[0]) },
	}
	c.Flags().StringVarP(&f.dir, "output", "o", "", "write the script, a capture, its transcript, a test and a sesame.toml into this directory; create it if missing (default: the script to standard output)")
	c.Flags().BoolVar(&f.check, "check", false, "only print the warnings, and the sesame.toml that -o writes")
	c.Flags().BoolVar(&f.native, "native", false, "turn well-known commands of iptables, ufw, nft and firewall-cmd into guards")
	c.Flags().StringArrayVar(&f.defaults, "defaults", nil, "read from this file how knockd is started, - for standard input; may be given again (default: those of /etc, with /etc/knockd.conf)")
	return c
}

// standardInput names the file - in messages and scripts.
const standardInput = "standard input"

// maxConf bounds a knockd.conf, and maxDefaults a file that says how knockd is started, in KiB.
const (
	maxConf     = 4 << 10
	maxDefaults = 64
)

// importKnockd parses a knockd.conf, prints its warnings, and writes the script to standard
// output or, with -o, it and the files beside it.
func (p *program) importKnockd(c *cobra.Command, f *importFlags, path string) error {
	if f.check && f.dir != "" {
		return &usageError{c, "--check writes nothing: leave out -o, or --check"}
	}
	if err := f.checkDefaults(c, path); err != nil {
		return err
	}
	text, err := p.readConf(path, maxConf, "a knockd.conf")
	if err != nil {
		return err
	}
	launch, err := p.launch(f, path)
	if err != nil {
		return err
	}
	if path == "-" {
		path = standardInput
	}
	conf, err := parseConf(path, text)
	if err != nil {
		return err
	}
	if err := absolutePaths(conf); err != nil {
		return err
	}
	conf.Add(inOrder(conf)...)
	conf.CheckSequences(source.ReadReferenced)
	for _, t := range conf.Warnings {
		p.warn("%s", placed(conf, t))
	}
	if f.native {
		for _, t := range conf.EndingGuards() {
			p.note("%s", placed(conf, t))
		}
	}
	switch {
	case f.check:
		p.note("%s: %s, %s", path, transcript.Count(len(conf.Doors), "door"), transcript.Count(len(conf.Warnings)+len(launch.Warnings), "warning"))
		return p.print("%s", conf.Settings(launch))
	case f.dir == "":
		_, err := io.WriteString(p.stdout, conf.Script(knockd.ScriptOptions{Native: f.native}))
		return err
	}
	return p.writeImport(c.Context(), conf, launch, f)
}

// parseConf reads a knockd.conf, or the file from which OpenWrt makes one.
func parseConf(path string, text []byte) (*knockd.File, error) {
	var left []knockd.Warning
	if knockd.IsUCI(text) {
		text, left = knockd.FromUCI(text)
	}
	conf, err := knockd.Parse(path, text)
	if err != nil {
		return nil, err
	}
	conf.Add(left...)
	return conf, nil
}

// inOrder returns warnings about doors that a scan of all ports in their order opens. What sesame
// check finds counts, since a port of another door between two knocks ends the attempt.
func inOrder(conf *knockd.File) (warnings []knockd.Warning) {
	read := func(path string) ([]byte, error) {
		text, _ := source.ReadReferenced(path) // a file that cannot be read has a warning of its own
		return text, nil
	}
	doors, err := conf.EngineDoors(conf.Path, read)
	if err != nil {
		return nil // a list in a file is wrong, which the import says, too
	}
	lines := map[string]int{}
	for _, d := range conf.Doors {
		lines[d.Name] = cmp.Or(d.SequenceLine, d.OneTimeLine)
	}
	for _, f := range lint.InOrder(doors) {
		warnings = append(warnings, knockd.Warning{Line: lines[f.Door], Door: f.Door, Text: f.Message + ": " + f.Hint})
	}
	return warnings
}

// absolutePaths makes the paths in a file absolute, because a relative path in a script is
// relative to the script.
func absolutePaths(conf *knockd.File) (err error) {
	for i := range conf.Doors {
		if d := &conf.Doors[i]; d.OneTime != "" {
			if d.OneTime, err = filepath.Abs(conf.OneTimePath(d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// placed returns a warning with its place, as a message.
func placed(conf *knockd.File, t knockd.Warning) string {
	door := ""
	if t.Door != "" {
		door = t.Door + ": "
	}
	return fmt.Sprintf("%s:%d: %s%s", cmp.Or(t.File, conf.Path), t.Line, door, t.Text)
}

// readConf reads at most so many KiB: standard input may be anything.
func (p *program) readConf(path string, most int, expected string) ([]byte, error) {
	in := p.stdin
	if path != "-" {
		file, err := openfile.Input(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, int64(most)<<10+1))
	if err == nil && len(text) > most<<10 {
		err = fmt.Errorf("it has more than %d KiB: expected %s", most, expected)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return text, nil
}

// writeImport writes the script, and the capture, the transcript, the test and the settings beside
// it.
func (p *program) writeImport(ctx context.Context, conf *knockd.File, launch *knockd.Launch, f *importFlags) error {
	name := scriptName(conf.Path)
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	path := func(extension string) string { return filepath.Join(f.dir, name+extension) }
	files := []importedFile{{path: path(".lua"), data: []byte(conf.Script(knockd.ScriptOptions{Native: f.native}))}}
	if err := unwritten(path(".lua"), path(".pcap"), path(".jsonl"), path("_test.lua")); err != nil {
		return err
	}
	proof, err := rehearse(ctx, f.dir, name+".lua", files[0].data)
	if err != nil {
		p.warn("no capture, no transcript and no test are written: %v", err)
	} else {
		for _, why := range proof.doubts {
			p.warn("%s", why)
		}
		files = append(files, importedFile{path(".pcap"), proof.capture}, importedFile{path(".jsonl"), proof.transcript})
		if proof.test != nil {
			files = append(files, importedFile{path("_test.lua"), proof.test})
		}
	}
	settings := filepath.Join(f.dir, "sesame.toml")
	if _, there := os.Lstat(settings); errors.Is(there, os.ErrNotExist) {
		files = append(files, importedFile{settings, []byte(conf.Settings(launch))})
	} else {
		p.note("%s is there already, and stays as it is: --check prints the new one", settings)
	}
	if err := writeAll(files); err != nil {
		return err
	}
	next := fmt.Sprintf("next: sesame check -s %s", path(".lua"))
	if err == nil && proof.test != nil {
		next += fmt.Sprintf(", sesame test -s %s", path(".lua"))
	}
	if err == nil {
		next += fmt.Sprintf(", and sesame simulate -s %s %s", path(".lua"), path(".pcap"))
	}
	p.note("%s written; %s; docs/from-knockd.md says how to go on", listed(files), next)
	return nil
}

// scriptName returns the file name of an imported script. The daemon does not load names that
// begin with a dot or end like those of tests.
func scriptName(path string) string {
	name := strings.TrimLeft(strings.TrimSuffix(filepath.Base(path), ".conf"), ".")
	if rest, isTest := strings.CutSuffix(name, "_test"); isTest {
		name = rest + "-test"
	}
	if name == "" || path == standardInput {
		return "knockd"
	}
	return name
}

// An importedFile is a file to write.
type importedFile struct {
	path string
	data []byte
}

// listed returns the names of files as a list.
func listed(files []importedFile) string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.path)
	}
	return strings.Join(paths, ", ")
}

// unwritten returns an error if a file exists: none is overwritten.
func unwritten(paths ...string) error {
	var there []error
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			there = append(there, fmt.Errorf("%s is there already: nothing was written; move it away, or name another directory", path))
		}
	}
	return errors.Join(there...)
}

// writeAll writes all files or none, readable by the user alone, since they hold knock
// sequences.
func writeAll(files []importedFile) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, path := range written {
				_ = os.Remove(path) // the first error is returned
			}
		}
	}()
	for _, f := range files {
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		written = append(written, f.path)
		_, err = out.Write(f.data)
		if err := errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", f.path, err)
		}
	}
	return nil
}
