//go:build linux

// Package account turns the name of a user into what a process needs to become that user, and gives
// that user the directories which root made and which the process goes on to use.
//
// Root is careful with paths here. A path is followed only if root alone decides where it leads. A
// file is given only from a directory in which nobody else can put one: else a link would make root
// give away a file of its own.
package account

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
)

// ErrUnknown means that the machine has no user of a name.
var ErrUnknown = errors.New("there is no such user")

// A User is who a process may become.
type User struct {
	Name   string
	ID     int
	Group  int   // the primary one, whatever its name
	Groups []int // the others
}

// Root is the user that this package takes things back for.
func Root() User { return User{Name: "root"} }

// Find returns the user of a name. The error is [ErrUnknown] when there is none. Another error
// means that the user must not be used in place of root: it is root by another name, or a member
// of root's group, whose files it could read and often write.
func Find(name string) (User, error) {
	found, err := user.Lookup(name)
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		return User{}, ErrUnknown
	}
	if err != nil {
		return User{}, fmt.Errorf("looking up user %s: %w", name, err)
	}
	groups, err := found.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("looking up the groups of user %s: %w", name, err)
	}
	return userOf(found, groups)
}

// userOf checks what the machine says of a user.
func userOf(found *user.User, groups []string) (u User, err error) {
	u.Name = found.Username
	if u.ID, err = strconv.Atoi(found.Uid); err == nil {
		u.Group, err = strconv.Atoi(found.Gid)
	}
	for _, text := range groups {
		var group int
		if group, err = strconv.Atoi(text); err != nil {
			break
		}
		if group != u.Group && !slices.Contains(u.Groups, group) {
			u.Groups = append(u.Groups, group)
		}
	}
	switch {
	case err != nil:
		return User{}, fmt.Errorf("user %s: %w", u.Name, err)
	case u.ID == 0:
		return User{}, fmt.Errorf("user %s is root, since its number is 0: give it a number of its own, or set user = \"root\"", u.Name)
	case u.Group == 0:
		return User{}, fmt.Errorf("user %s has root's group 0 as its primary group: give it one of its own (groupadd --system %s && usermod -g %s %s)", u.Name, u.Name, u.Name, u.Name)
	case slices.Contains(u.Groups, 0):
		return User{}, fmt.Errorf("user %s is a member of root's group 0: take it out of that group (gpasswd -d %s root)", u.Name, u.Name)
	}
	return u, nil
}
