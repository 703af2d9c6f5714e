package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/packet"
	"sesame/scripting/starter"
)

// initFlags are the flags of sesame init.
type initFlags struct {
	guards string
	editor bool
}

func (p *program) initCommand() *cobra.Command {
	f := &initFlags{}
	c := &cobra.Command{
		Use:   "init [flags] DIR",
		Short: "Begin a directory of scripts: a door, its tests, and settings for editors",
		Long: `Init writes a first door with ports that are drawn at random, its tests, and a
capture that opens it. For editors it writes what scripts can name, with types,
documentation and examples, for the Lua language server and for luacheck.

It overwrites nothing: when one of the files or another script is there, it
writes none.

With --editor it writes only the settings for editors, beside scripts that exist.
It keeps those that are there, but makes .luals/sesame.lua and .luacheckrc anew
when Sesame made them. Do that after an update.`,
		Example: `  sesame init my-scripts
  sesame init --editor /etc/sesame/scripts`,
		Args: arguments(1, 1, "a directory"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.editor {
				return p.initEditor(args[0])
			}
			return p.initDirectory(c, args[0], f.guards)
		},
	}
	c.Flags().StringVar(&f.guards, "guards", "tcp/22", "the port that the first door guards")
	c.Flags().BoolVar(&f.editor, "editor", false, "write only the settings for editors")
	return c
}

// initDirectory writes a first door and the settings for editors, or nothing.
func (p *program) initDirectory(c *cobra.Command, dir, guards string) error {
	port, err := packet.ParsePort(guards)
	if err != nil {
		return &usageError{c, fmt.Sprintf("--guards: %v", err)}
	}
	door, err := starter.Door(port, nil)
	if err != nil {
		return err
	}
	editor, err := starter.Editor()
	if err != nil {
		return err
	}
	files := slices.Concat(door, editor)
	if path := inTheWay(dir, files); path != "" {
		return fmt.Errorf("%s is there already, so nothing was written: name another directory; for the settings of editors alone, add --editor", path)
	}
	for i, file := range files {
		if err := create(inDir(dir, file), file.Text); err != nil {
			for _, written := range files[:i] {
				_ = os.Remove(inDir(dir, written))
			}
			return err
		}
	}
	then := begun(dir, guards, "")
	return p.print("%s\n%s", wrote(dir, files), then.next())
}

// inTheWay returns a file of the directory that an init would overwrite, or a script whose doors
// could have the name or the port of the first door; "" when there is none.
func inTheWay(dir string, files []starter.File) string {
	for _, file := range files {
		if path := inDir(dir, file); exists(path) {
			return path
		}
	}
	others, err := os.ReadDir(dir)
	if err != nil {
		return "" // it is to be made; what else is wrong with it, writing will tell
	}
	for _, other := range others {
		if filepath.Ext(other.Name()) == ".lua" {
			return filepath.Join(dir, other.Name())
		}
	}
	return ""
}

// word returns a path as a shell takes it.
func word(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+:,@%", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// initEditor writes the settings for editors that are missing, and those that the program made.
func (p *program) initEditor(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory of scripts: without --editor, sesame init begins one", dir)
	}
	files, err := starter.Editor()
	if err != nil {
		return err
	}
	var written []starter.File
	for _, file := range files {
		path := inDir(dir, file)
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = create(path, file.Text)
		case err == nil && file.Anew && starter.Made(old):
			err = replace(path, file.Text)
		case err == nil:
			p.note("%s is there already, and was kept", path)
			continue
		}
		if err != nil {
			return err
		}
		written = append(written, file)
	}
	return p.print("%s", wrote(dir, written))
}

// wrote lists files.
func wrote(dir string, files []starter.File) string {
	var b strings.Builder
	width := 0
	for _, file := range files {
		width = max(width, len(inDir(dir, file)))
	}
	for _, file := range files {
		fmt.Fprintf(&b, "wrote %-*s  %s\n", width, inDir(dir, file), file.What)
	}
	return b.String()
}

// inDir returns the path of a file.
func inDir(dir string, file starter.File) string {
	return filepath.Join(dir, filepath.FromSlash(file.Path))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// create writes a file that is not there. Ports are a secret, so others cannot read it.
func create(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// replace writes a file anew, by way of a file beside it: an editor never reads a half of it.
func replace(path string, text []byte) error {
	aside := path + ".new"
	if err := create(aside, text); err != nil {
		return err
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(fmt.Errorf("writing a file: %w", err), os.Remove(aside))
	}
	return nil
}
