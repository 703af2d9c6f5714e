package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sesame/scripting"
)

// scriptFlags say which scripts a command reads.
type scriptFlags struct {
	path   string
	values []string
}

func (f *scriptFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.path, "scripts", "s", "", "directory of scripts, or one script (default ./scripts, else /etc/sesame/scripts)")
	c.Flags().StringArrayVar(&f.values, "set", nil, "give an option of the scripts a value, as name=value")
	_ = c.MarkFlagDirname("scripts")
}

// load reads the script set. Its error is [scripting.Problems] when scripts are
// wrong.
func (p *program) load(c *cobra.Command, f *scriptFlags) (*scripting.Set, error) {
	values, err := f.parseValues(c)
	if err != nil {
		return nil, err
	}
	path := f.path
	if path == "" {
		if path = defaultScripts(); path == "" {
			return nil, fmt.Errorf("neither %s nor %s is there: name a directory of scripts, or one script, with -s", scriptsHere, scriptsOfSystem)
		}
		p.note("scripts: %s", path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("scripts: %s does not exist: name a directory of scripts, or one script, with -s", path)
	case err != nil:
		return nil, fmt.Errorf("scripts: %w", err)
	}
	options := scripting.Options{Dir: path, Values: values, Print: func(at scripting.Place, line string) {
		p.note("%s: %s", at, line)
	}}
	if info.IsDir() {
		return scripting.Load(os.DirFS(path), options)
	}
	if filepath.Ext(path) != ".lua" {
		return nil, fmt.Errorf("scripts: %s is no Lua script: expected a directory, or a file whose name ends in .lua", path)
	}
	return scripting.LoadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path), options)
}

func (f *scriptFlags) parseValues(c *cobra.Command) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range f.values {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, &usageError{c, fmt.Sprintf("--set %q: expected name=value", pair)}
		}
		if _, twice := values[name]; twice {
			return nil, &usageError{c, fmt.Sprintf("--set %s: given twice", name)}
		}
		values[name] = value
	}
	return values, nil
}

// Where scripts are when nothing is said.
const (
	scriptsHere     = "./scripts"
	scriptsOfSystem = "/etc/sesame/scripts"
)

// defaultScripts returns the first of them that is there, or nothing.
func defaultScripts() string {
	for _, path := range []string{scriptsHere, scriptsOfSystem} {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
	}
	return ""
}
