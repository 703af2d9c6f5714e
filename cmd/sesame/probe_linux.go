package main

import (
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"sesame/daemon/account"
	"sesame/daemon/state"
)

// probeName is a command that only sesame run uses, as a process of its own.
const probeName = "probe-state"

func (p *program) probeCommand() *cobra.Command {
	var owner account.User
	c := &cobra.Command{
		Use:    probeName + " DIRECTORY",
		Short:  "Read a state directory, and end when its disk has answered",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("uid") {
				taken, err := state.Hand(args[0], owner, now())
				if err := json.NewEncoder(p.stdout).Encode(handed{taken, text(err)}); err != nil {
					return err
				}
			}
			if owner.ID == 0 { // else root would make files in a directory of another user
				state.Probe(args[0])
			}
			return nil
		},
	}
	c.Flags().IntVar(&owner.ID, "uid", 0, "first let it belong to this user")
	c.Flags().IntVar(&owner.Group, "gid", 0, "and to this group")
	c.Flags().StringVar(&owner.Name, "name", "", "which messages call so")
	return c
}

// ownerFlags returns the flags of probeCommand for a user.
func ownerFlags(u account.User) []string {
	return []string{"--uid", strconv.Itoa(u.ID), "--gid", strconv.Itoa(u.Group), "--name", u.Name}
}

// A handed is what probeCommand prints of a directory that it has let belong to a user.
type handed struct {
	state.Taken
	Err string `json:",omitempty"`
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
