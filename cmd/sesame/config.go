package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/packet"
)

// configFlags are the flags of commands that read the configuration of the daemon. Those that
// are given override the file.
type configFlags struct {
	file string

	scripts       string
	values        []string
	interfaces    []string
	local         []string
	state, socket string
	observe       bool
}

// add adds all flags to a command.
func (f *configFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.scripts, "scripts", "s", "", "directory of scripts, or one script (default scripts, beside the configuration file)")
	flags.StringArrayVar(&f.values, "set", nil, "set an option of the scripts, as name=value; a list has commas")
	flags.StringSliceVarP(&f.interfaces, "interface", "i", nil, "capture knocks on this interface; may be given again (default: all)")
	flags.StringSliceVar(&f.local, "local", nil, "further addresses or networks that count as this host's")
	flags.StringVar(&f.state, "state", "", "directory for what must survive a restart (default /var/lib/sesame)")
	flags.BoolVar(&f.observe, "observe", false, "decide everything, but open, close and run nothing")
	f.addSocket(c)
}

// addSocket adds only the flags that find the daemon.
func (f *configFlags) addSocket(c *cobra.Command) {
	addConfigFile(c, &f.file)
	c.Flags().StringVar(&f.socket, "socket", "", socketUsage)
}

// addConfigFile adds -c. It is a function of its own, because some commands read the
// configuration only to find the daemon.
func addConfigFile(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "configuration file (default $"+configVariable+", or "+config.Path+" if it is there)")
}

// load reads the configuration and applies the flags: a list replaces a list, and --set adds
// to the options. Errors are of type [config.Problems] when the file is wrong.
func (f *configFlags) load(c *cobra.Command) (config.Config, error) {
	settings, err := readConfig(c, f.file)
	if err != nil {
		return config.Config{}, err
	}
	err = f.apply(c, &settings)
	return settings, err
}

// loadAnyway is load for commands that must work when the configuration is wrong or missing. Then
// they complain of it and have the defaults and the flags, and known is false. All errors are of
// type [usageError].
func (p *program) loadAnyway(c *cobra.Command, f *configFlags) (settings config.Config, known bool, err error) {
	settings, err = f.load(c)
	if _, usage := errors.AsType[*usageError](err); err == nil || usage {
		return settings, err == nil, err
	}
	p.complain(err)
	settings = config.Default()
	err = f.apply(c, &settings)
	return settings, false, err
}

// apply lets the flags that were given override settings. Its errors are of type [usageError].
func (f *configFlags) apply(c *cobra.Command, settings *config.Config) error {
	values, err := parseValues(c, f.values)
	if err != nil {
		return err
	}
	maps.Copy(settings.Options, values)
	given := func(flag string) bool { return c.Flags().Changed(flag) }
	for flag, to := range map[string]*string{"scripts": &settings.Scripts, "state": &settings.State, "socket": &settings.Socket} {
		if !given(flag) {
			continue
		}
		if *to, _ = c.Flags().GetString(flag); *to == "" {
			return &usageError{c, fmt.Sprintf("--%s: it is empty: expected a path, or leave it out", flag)}
		}
	}
	if !given("socket") {
		settings.Socket = cmp.Or(os.Getenv(socketVariable), settings.Socket)
	}
	if given("observe") {
		settings.Observe = f.observe
	}
	if given("interface") {
		settings.Interfaces = config.Selection(f.interfaces)
		for _, name := range f.interfaces {
			if err := config.CheckInterface(name); err != nil {
				return &usageError{c, "-i: " + err.Error()}
			}
		}
	}
	if given("local") {
		settings.Local, err = parseLocal(c, f.local)
	}
	return err
}

// readConfig reads the file that -c names, or else the one of the environment or of the system.
func readConfig(c *cobra.Command, file string) (config.Config, error) {
	if file == "" && c.Flags().Changed("config") {
		return config.Config{}, &usageError{c, "-c: it is empty: expected a configuration file, or leave it out"}
	}
	stateDir := ""
	if flag := c.Flags().Lookup("state"); flag != nil {
		stateDir = flag.Value.String()
	}
	return loadConfigFor(file, stateDir)
}

// warnOf prints the warnings about a configuration.
func (p *program) warnOf(settings *config.Config) {
	for _, warning := range settings.Warnings {
		p.warn("%v", warning)
	}
	for _, key := range settings.Newer {
		p.warn("%s", key)
	}
}

// parseValues parses the values of --set.
func parseValues(c *cobra.Command, pairs []string) (map[string]config.Value, error) {
	values := map[string]config.Value{}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, &usageError{c, fmt.Sprintf("--set %q: expected name=value", pair)}
		}
		if _, twice := values[name]; twice {
			return nil, &usageError{c, fmt.Sprintf("--set %s: given twice", name)}
		}
		values[name] = config.Value{Text: value}
	}
	return values, nil
}

// parseLocal parses the values of --local. It refuses an empty one: an unset shell variable
// must not come to mean every destination.
func parseLocal(c *cobra.Command, texts []string) ([]netip.Prefix, error) {
	if len(texts) == 0 {
		texts = []string{""}
	}
	var local []netip.Prefix
	for _, text := range texts {
		prefix, err := packet.ParseNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, &usageError{c, fmt.Sprintf("--local %q: expected an address such as 192.0.2.1, or a network such as 192.0.2.0/24", text)}
		}
		local = append(local, prefix)
	}
	return local, nil
}

// scriptsHere is the default when neither flags nor a configuration name scripts.
const scriptsHere = "./scripts"

// whichScripts says how to name scripts. Whoever stands in their directory needs one more word.
func whichScripts() string {
	if here, _ := filepath.Glob("*.lua"); len(here) > 0 {
		return "for the scripts of this directory, add -s ."
	}
	return "name a directory of scripts, or one script, with -s"
}

// offlineConfig returns the settings of commands that only read scripts. It reads the daemon's
// configuration of this machine when -c names it, or when neither -s nor ./scripts gives other
// scripts. Those are checked as on any other machine.
func (p *program) offlineConfig(c *cobra.Command, f *scriptFlags) (config.Config, error) {
	values, err := parseValues(c, f.values)
	if err != nil {
		return config.Config{}, err
	}
	settings := config.Default()
	info, err := os.Stat(scriptsHere)
	switch {
	case c.Flags().Changed("config"):
		settings, err = readConfig(c, f.config)
	case f.path != "":
		err = nil
	case err == nil && info.IsDir():
		settings.Scripts = scriptsHere
	default:
		settings, err = loadConfig("")
	}
	if err != nil {
		return config.Config{}, err
	}
	p.warnOf(&settings)
	maps.Copy(settings.Options, values)
	if _, missing := os.Stat(settings.Scripts); f.path == "" && settings.File == "" && missing != nil {
		return settings, fmt.Errorf("neither %s nor %s is there: %s", scriptsHere, settings.Scripts, whichScripts())
	}
	if f.path != "" {
		settings.Scripts = f.path
	} else {
		p.note("scripts: %s", settings.Scripts)
	}
	return settings, nil
}
