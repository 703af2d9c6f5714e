package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

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
				if err := json.NewEncoder(p.stdout).Encode(handState(args[0], owner)); err != nil {
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

// handState lets a state directory belong to a user. When the helper, which that user's daemon may
// need, cannot have a directory, root keeps it.
func handState(dir string, owner account.User) handed {
	if owner.ID != 0 {
		err := account.Make(helperDir(dir), 0o700)
		if err == nil { // one of an earlier helper may be read-only for this unit
			err = os.NewSyscallError("access", unix.Access(helperDir(dir), unix.W_OK))
		}
		if err != nil {
			return handed{Helpless: err.Error()}
		}
	}
	taken, err := state.Hand(dir, owner, now())
	return handed{Taken: taken, Err: text(err)}
}

// helperDir returns the directory of the helper that a daemon of root leaves behind. It is beside
// the state directory, so that each daemon has one of its own.
func helperDir(state string) string { return filepath.Clean(state) + "-helper" }

// ownerFlags returns the flags of probeCommand for a user.
func ownerFlags(u account.User) []string {
	return []string{"--uid", strconv.Itoa(u.ID), "--gid", strconv.Itoa(u.Group), "--name", u.Name}
}

// A handed is what probeCommand prints of a directory that it has let belong to a user.
type handed struct {
	state.Taken
	Helpless string `json:",omitempty"` // why there can be no helper, so nothing was done
	Err      string `json:",omitempty"`
	killed   bool   // instead of printing it: a signal ended the process
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
