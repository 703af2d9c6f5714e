//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"sesame/daemon/config"
	"sesame/daemon/writable"
	"sesame/scripting/source"
)

// An editedFile is a script that is edited, and the copy of it that the editor has.
type editedFile struct {
	name   string // below the scripts, with slashes
	path   string // on the disk; a link is followed
	there  bool   // it was there before
	before []byte // its text as far as the person knows it
	copy   string // in a directory of its own, which only this user can read
	text   []byte // of the copy, when the editor ended

	previous []byte // its text before the last write
	was      bool   // it was there then
}

// safeToEdit refuses to edit, as root, scripts that others can change: they could make a name lead
// to another file while root writes. The daemon would hold such scripts.
func safeToEdit(settings *config.Config) error {
	if os.Geteuid() != 0 || settings.AllowWritable {
		return nil
	}
	path, err := filepath.Abs(settings.Scripts)
	if err != nil {
		return fmt.Errorf("finding the scripts: %w", err)
	}
	if found := writable.Find([]writable.Target{{Path: path, Listed: true}}); len(found) > 0 {
		return fmt.Errorf("users other than root can change what would be edited as root:\n%s", strings.TrimRight(writable.Lines(found), "\n"))
	}
	return nil
}

// openEdited finds a script by its name, and makes a copy of it below a directory.
func openEdited(files *source.Files, dir, name string) (*editedFile, error) {
	name, err := editedName(files, name)
	if err != nil {
		return nil, err
	}
	f := &editedFile{name: name, path: filepath.Join(files.Dir, filepath.FromSlash(name)), copy: filepath.Join(dir, filepath.FromSlash(name))}
	if path, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = path
	}
	switch f.before, err = os.ReadFile(f.path); {
	case err == nil:
		f.there = true
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	if err = os.MkdirAll(filepath.Dir(f.copy), 0o700); err == nil {
		err = os.WriteFile(f.copy, f.before, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("making a copy: %w", err)
	}
	return f, nil
}

// editedName returns the name below the scripts of what a person calls a script: with or without
// .lua, or a path.
func editedName(files *source.Files, name string) (string, error) {
	if name == "" {
		return "", errors.New("which script? The name is empty")
	}
	if !strings.HasSuffix(name, ".lua") {
		name += ".lua"
	}
	if filepath.IsAbs(name) || strings.HasPrefix(name, ".") {
		path, err := filepath.Abs(name)
		if err == nil {
			name, err = filepath.Rel(files.Base, path)
		}
		if err != nil {
			return "", fmt.Errorf("finding the script: %w", err)
		}
	}
	name = filepath.ToSlash(filepath.Clean(name))
	switch {
	case !filepath.IsLocal(name) || !isScript(name):
		return "", fmt.Errorf("%s is none of the scripts in %s: expected a name such as ssh, ssh_test or lib/team; name another directory with -s", name, files.Dir)
	case files.Single != "" && name != files.Single && !strings.HasPrefix(name, "lib/") && !source.IsTest(name):
		return "", fmt.Errorf("-s names %s alone: name its directory to edit %s", files.Single, name)
	}
	return name, nil
}

// meanwhile reports whether somebody else changed the script. Then their text is the one that is
// replaced by the next write.
func (f *editedFile) meanwhile() (bool, error) {
	now, err := os.ReadFile(f.path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading the script: %w", err)
	}
	changed := there != f.there || !bytes.Equal(now, f.before)
	f.there, f.before = there, now
	return changed, nil
}

// changes reports whether the edit changes the script. A new one without a text is none.
func (f *editedFile) changes() bool { return !bytes.Equal(f.text, f.before) }

// write replaces the script.
func (f *editedFile) write() error {
	if err := f.replace(f.text); err != nil {
		return fmt.Errorf("writing the script: %w", err)
	}
	f.previous, f.was = f.before, f.there
	f.there, f.before = true, f.text
	return nil
}

// undo makes the script what it was before the last write.
func (f *editedFile) undo() error {
	f.there, f.before = f.was, f.previous
	if !f.was {
		return os.Remove(f.path)
	}
	return f.replace(f.previous)
}

// replace writes a file aside, synced, with the owner and the mode of the script, and renames it.
// Nobody sees a half of it.
func (f *editedFile) replace(text []byte) (err error) {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil { // of a module
		return err
	}
	aside, err := os.CreateTemp(dir, "."+filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(aside.Name()))
		}
	}()
	_, err = aside.Write(text)
	if err = errors.Join(err, f.owned(aside), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside.Name(), f.path); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// owned gives a file the owner and the mode of the script. That of a new script is 0600.
func (f *editedFile) owned(aside *os.File) error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was, ok := info.Sys().(*syscall.Stat_t); ok && (int(was.Uid) != os.Geteuid() || int(was.Gid) != os.Getegid()) {
		if err := aside.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	return aside.Chmod(info.Mode().Perm()) // after the owner, whose change clears bits
}

func syncDirectory(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// editor returns the command of the person's editor. It may have arguments, between spaces.
func editor() ([]string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if argv := strings.Fields(os.Getenv(name)); len(argv) > 0 {
			return argv, nil
		}
	}
	for _, name := range []string{"editor", "nano", "vi"} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}, nil
		}
	}
	return nil, errors.New("no editor: neither $VISUAL nor $EDITOR is set, and neither editor, nano nor vi is installed")
}

// runEditor runs the editor on the terminal of the person, until it ends.
func runEditor(ctx context.Context, argv []string, in io.Reader, out, errs io.Writer) error {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stdin, c.Stdout, c.Stderr = in, out, errs
	return c.Run()
}
