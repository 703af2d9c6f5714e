package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sesame/cmd/sesame/manual"
	"sesame/daemon/build"
)

func (p *program) manualCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manual PREFIX",
		Short: "Install the manual pages, and the completions for shells",
		Long: `Manual writes the manual pages and the completions for bash, zsh and fish below
PREFIX/share, where man and the shells look for them when PREFIX is /usr/local.
Files that exist are written anew. The client has its two names, knock and
sesame-knock. A package has these files already.

The pages have the date of the commit that the program was built from, or that of
SOURCE_DATE_EPOCH in the environment.`,
		Example: `  sudo sesame manual /usr/local
  sesame manual out && man -l out/share/man/man8/sesame.8`,
		Args: arguments(1, 1, "PREFIX, such as /usr/local"),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := manualDate(os.Getenv("SOURCE_DATE_EPOCH"), build.Read().Date)
			if err != nil {
				return err
			}
			return p.writeManual(c.Root(), args[0], date)
		},
	}
}

// manualDate returns the date of the pages, so that a build has the same bytes whenever it is made.
func manualDate(epoch, commit string) (string, error) {
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 {
			return "", fmt.Errorf("SOURCE_DATE_EPOCH is %q: expected seconds since 1970", epoch)
		}
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
	}
	at, err := time.Parse(time.RFC3339, commit)
	if err != nil {
		return "", errors.New("no date for the pages: this program does not know its commit; set SOURCE_DATE_EPOCH to seconds since 1970")
	}
	return at.UTC().Format(time.DateOnly), nil
}

// writeManual writes all pages and completions below a prefix.
func (p *program) writeManual(root *cobra.Command, prefix, date string) error {
	files := completionFiles()
	for _, page := range p.manualPages(root, date) {
		files["share/man/"+page.Path()] = page.String()
	}
	for name, text := range files {
		if err := writeBelow(prefix, filepath.FromSlash(name), text); err != nil {
			return err
		}
	}
	return nil
}

// writeBelow writes a file below a directory, which is made.
func writeBelow(directory, name, text string) error {
	path := filepath.Join(directory, name)
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644)); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	return nil
}

// makeDirectory makes a directory, and those above it, which all can read: whatever the umask of
// root is, the manual is for all.
func makeDirectory(path string) error {
	if exists(path) {
		return nil
	}
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return err
	}
	return errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o755))
}

// manualPages returns all pages.
func (p *program) manualPages(root *cobra.Command, date string) []*manual.Page {
	w := &manualWriter{program: p, date: date, source: "sesame " + root.Version}
	pages := []*manual.Page{w.overview(root), w.settings(), w.scripts(), w.client(packagedKnock), w.client(builtKnock)}
	for _, c := range root.Commands() {
		if hasPage(c) {
			pages = append(pages, w.command(c))
		}
	}
	return pages
}

// pageless are the commands without a page of their own, and why. All others have one, also those
// that --help does not list.
func pageless() map[string]string {
	return map[string]string{
		"help":        "it prints what --help prints",
		"knock":       "sesame-knock(1) is its page",
		"probe-state": "nobody types it: sesame run starts it",
		"list-rules":  "nobody types it: sesame run starts it",
		"load-set":    "nobody types it: sesame helper starts it",
	}
}

// hasPage reports whether a command has a page of its own.
func hasPage(c *cobra.Command) bool {
	_, without := pageless()[c.Name()]
	return !without
}
