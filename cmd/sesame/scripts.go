package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/scripting"
	"sesame/scripting/source"
)

// scriptFlags choose the scripts that a command reads.
type scriptFlags struct {
	config string
	path   string
	values []string
}

// add adds the flags to a command.
func (f *scriptFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.config, "config", "c", "", "use scripts, options and local addresses of this configuration file")
	c.Flags().StringVarP(&f.path, "scripts", "s", "", "directory of scripts, or one script (default ./scripts, else those of this machine's daemon)")
	c.Flags().StringArrayVar(&f.values, "set", nil, "set an option of the scripts, as name=value; a list has commas")
}

// changes names the flags that were given beside -s, for people.
func (f *scriptFlags) changes() string {
	var given []string
	if f.config != "" {
		given = append(given, "-c")
	}
	if len(f.values) > 0 {
		given = append(given, "--set")
	}
	return strings.Join(given, " and ")
}

// loadOffline reads the configuration that the flags choose, and its script set.
func (p *program) loadOffline(c *cobra.Command, f *scriptFlags) (*scripting.Set, config.Config, error) {
	settings, err := p.offlineConfig(c, f)
	if err != nil {
		return nil, settings, err
	}
	set, err := p.load(&settings)
	return set, settings, err
}

// load reads the configured script set. Its error is [source.Problems] when scripts are wrong.
func (p *program) load(settings *config.Config) (*scripting.Set, error) {
	files, err := readScripts(settings)
	if err != nil {
		return nil, err
	}
	options := scriptOptions(settings)
	options.Print = func(at source.Place, line string) { p.note("%s: %s", at, line) }
	return scripting.Load(files, options)
}

// readScripts reads the files of the configured scripts.
func readScripts(settings *config.Config) (*source.Files, error) {
	files, err := source.Read(settings.Scripts)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("scripts: %s does not exist: name a directory of scripts, or one script, with -s", settings.Scripts)
	case err != nil:
		return nil, fmt.Errorf("scripts: %w", err)
	}
	return files, nil
}

// scriptOptions returns the script options of a configuration.
func scriptOptions(settings *config.Config) scripting.Options {
	options := scripting.Options{Values: map[string]string{}, Given: map[string]string{}, Lists: map[string]bool{}}
	for name, value := range settings.Options {
		options.Values[name], options.Lists[name] = value.Text, value.List
		if value.From != "" {
			options.Given[name] = value.From
		}
	}
	return options
}
