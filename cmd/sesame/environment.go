package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
)

// Variables of the environment that take the place of defaults. A flag wins. An empty one counts as
// not there.
const (
	configVariable = "SESAME_CONFIG" // of config.Path
	socketVariable = "SESAME_SOCKET" // of the socket of the configuration
)

// socketUsage describes a flag for the daemon's socket.
const socketUsage = "path of the daemon's socket (default $" + socketVariable + ", or /run/sesame/sesame.sock)"

// loadConfig reads the configuration file of this name; for "", the one of the environment or of
// the system.
func loadConfig(file string) (config.Config, error) { return loadConfigFor(file, "") }

// loadConfigFor is loadConfig for a state directory that a flag names; "": that of the file.
func loadConfigFor(file, stateDir string) (config.Config, error) {
	form := func(dir string) int { return savedForm(cmp.Or(stateDir, dir)) }
	if file != "" {
		return config.LoadFor(file, form)
	}
	file = os.Getenv(configVariable)
	settings, err := config.LoadFor(file, form)
	if _, wrong := errors.AsType[config.Problems](err); file != "" && err != nil && !wrong {
		err = fmt.Errorf("%w; it is named by %s in the environment", err, configVariable)
	}
	return settings, err
}

// namesConfig and namesSocket report whether the person who called named a configuration, or the
// daemon's socket.
func namesConfig(c *cobra.Command) bool {
	return c.Flags().Changed("config") || os.Getenv(configVariable) != ""
}

func namesSocket(c *cobra.Command) bool {
	return c.Flags().Changed("socket") || os.Getenv(socketVariable) != ""
}

// givenSocket returns the socket that a flag, or else the environment, names; "" when neither does.
func givenSocket(flag string) string { return cmp.Or(flag, os.Getenv(socketVariable)) }
