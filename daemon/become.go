package daemon

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"sesame/daemon/account"
)

// MayBecome returns why this process of root cannot become another user; nil: it can. A unit or a
// container may have taken that from root, and then root has little left to give up.
func MayBecome() error {
	have := cap.GetProc()
	for _, value := range []cap.Value{cap.SETUID, cap.SETGID, cap.CHOWN} {
		if has, err := have.GetFlag(cap.Effective, value); err != nil || !has {
			return errors.Join(err, fmt.Errorf("root has no %s here", naming([]cap.Value{value})))
		}
	}
	// A filter of system calls refuses these whatever their arguments are, and they change nothing.
	groups, err := os.Getgroups()
	if err == nil {
		err = errors.Join(syscall.Setgroups(groups), syscall.Setresuid(-1, -1, -1))
	}
	if err != nil {
		return fmt.Errorf("this unit or container lets root become nobody else: %w", err)
	}
	return nil
}

// Become makes the whole process one of another user, for good, with no other capabilities than
// those that it needs, also in programs that it starts. It must come before anything that may hang
// in the kernel, since all threads take part.
//
// The process stays the same one, and is not executed anew: its configuration was read as root, and
// the user may not be allowed to read it. By the change alone the kernel would take /proc/self from
// the process, as if a program with more privileges ran. It does not: who can trace this process
// has its capabilities already.
func Become(u account.User) error {
	if err := dropBounds(cap.GetProc()); err != nil {
		return fmt.Errorf("becoming user %s: dropping capabilities: %w", u.Name, err)
	}
	if err := errors.Join(cap.SetGroups(u.Group, u.Groups...), cap.SetUID(u.ID)); err != nil {
		return fmt.Errorf("becoming user %s (%d, group %d): %w: give this container that user, or set user = \"root\"", u.Name, u.ID, u.Group, err)
	}
	err := limitTo(needed, nil)
	if err == nil {
		_, err = cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if err == nil {
		err = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	}
	if err != nil {
		return fmt.Errorf("becoming user %s: %w", u.Name, err)
	}
	return nil
}

// asRoot adds why this process is root still to what is said of its privileges.
func (d *daemon) asRoot(privileges string) string {
	if d.config.Root == "" {
		return privileges
	}
	return privileges + "; it runs as root, since " + d.config.Root
}
