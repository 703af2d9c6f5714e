//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"sesame/daemon/control"
)

// recordFlags are the flags of sesame record.
type recordFlags struct {
	daemon  configFlags
	force   bool
	secrets bool
}

func (p *program) recordCommand() *cobra.Command {
	f := &recordFlags{}
	c := &cobra.Command{
		Use:   "record [flags] FILE",
		Short: "Save the latest packets and decisions of the daemon, for a replay",
		Long: `Record saves the daemon's flight recorder as a pcapng file: the latest packets to
ports of doors, all other inputs of the decisions, and the scripts. FILE appears
only when it is complete; - is standard output. A FILE that ends in .zst or .gz is
compressed. Each packet has a comment that says what it did, which Wireshark and
tshark show.

The files of one-time sequences are left out. A replay is exact where these files are
as they were when the recording began: when no sequence was used since. Elsewhere
their doors open nothing. To replay how a sequence was used, record with
--with-secrets. sesame explain always has them.

The file has other secrets: sequences that are used again and again, and what
packets carried. To replay it with its own scripts:

  sesame simulate FILE`,
		Example: `  sesame record monday.pcapng.zst
  sesame record - | sesame simulate -`,
		Args: arguments(1, 1, "FILE, or - for standard output"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				return p.record(ctx, daemon, args[0], f)
			})
		},
	}
	f.daemon.addSocket(c)
	c.Flags().BoolVar(&f.secrets, "with-secrets", false, "record the files of one-time sequences too")
	c.Flags().BoolVar(&f.force, "force", false, "replace FILE if it exists")
	return c
}

// record writes a recording to a file or to standard output. A terminal is refused, since a
// recording is binary.
func (p *program) record(ctx context.Context, daemon *control.Client, name string, f *recordFlags) error {
	if name == "-" {
		if isTerminal(p.stdout) {
			return errors.New("a recording is no text for a terminal: name a file")
		}
		return p.fetchRecording(ctx, daemon, f.secrets, os.TempDir(), p.stdout)
	}
	if err := mayBeMade(name, f.force); err != nil {
		return err
	}
	saved, err := p.saveRecording(ctx, daemon, name, f)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return p.print("%s: %s\n", name, size(saved))
}

// mayBeMade checks whether the file can be created, before the daemon is asked for the
// recording.
func mayBeMade(name string, force bool) error {
	file, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hasDirectory(name)
	case err != nil:
		return fmt.Errorf("recording: %w", err)
	case !file.Mode().IsRegular():
		return fmt.Errorf("%s is there, and no ordinary file: name another", name)
	case !force:
		return there(name)
	}
	return nil
}

// hasDirectory checks that the directory of a file exists. Without it the error would name the
// temporary file, which nobody knows.
func hasDirectory(name string) error {
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return fmt.Errorf("recording to %s: %w: make the directory first", name, err)
	}
	return nil
}

// there returns the error about a file that exists.
func there(name string) error {
	return fmt.Errorf("%s is there already: name another file, or replace it with --force", name)
}

// saveRecording writes to a temporary file and renames it when it is complete, so that no part
// of a recording can be taken for the whole. It returns the size.
func (p *program) saveRecording(ctx context.Context, daemon *control.Client, name string, f *recordFlags) (saved int, err error) {
	aside, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(aside.Name()))
		}
	}()
	fetch := func(to io.Writer) error { return p.fetchRecording(ctx, daemon, f.secrets, filepath.Dir(name), to) }
	if err := compressed(name, aside, fetch); err != nil {
		return 0, errors.Join(err, aside.Close())
	}
	end, err := aside.Seek(0, 1)
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return 0, err
	}
	return int(end), rename(aside.Name(), name, f.force)
}

// rename gives a file its final name. Without force the kernel refuses to replace a file that
// appeared in the meantime.
func rename(from, to string, force bool) error {
	if force {
		return os.Rename(from, to)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return there(to)
	case errors.Is(err, unix.EINVAL): // the file system does not support it; the name was free a moment ago
		return os.Rename(from, to)
	case err != nil:
		return fmt.Errorf("renaming %s: %w", from, err)
	}
	return nil
}
