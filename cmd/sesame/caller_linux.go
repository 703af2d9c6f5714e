package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
)

// claims are what this process says of itself in its requests, for the audit log. The daemon may
// not be able to see it: the unit hides other users' processes from it.
func claims(c *cobra.Command) control.Claims {
	said := control.Claims{Command: strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "), SudoUser: os.Getenv("SUDO_USER")}
	if text, err := os.ReadFile("/proc/self/loginuid"); err == nil {
		if uid, known := control.LoginOf(string(text)); known {
			said.Login = strconv.FormatUint(uint64(uid), 10)
		}
	}
	if address := callersAddress(); address.IsValid() {
		said.Address = address.String()
	}
	return said
}
