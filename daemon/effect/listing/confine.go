//go:build linux

package listing

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"sesame/daemon/confine"
)

// nobody is the user and the group that a process of root becomes (the overflow ID of
// user_namespaces(7)).
const nobody = 65534

// Confine leaves this process, and the programs that it starts, nothing but reading files and
// CAP_NET_ADMIN, for good. nft and iptables have to read what any program wrote into the kernel:
// one that they misread must not be worth more than that. No socket leads to another process, such
// as the helper, which takes the user of the daemon for the daemon. A kernel without Landlock lets
// a process that is not root write the files of its user.
//
// CAP_NET_ADMIN would also change rules. Nothing less lists them.
func Confine() error {
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		// A root without CAP_SETUID stays root: then the rest must do.
		if err := leaveRoot(); err != nil && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("becoming user %d: %w", nobody, err)
		}
	}
	if err := keepNetAdmin(); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setting a limit: %w", err)
	}
	for _, limit := range []func() error{confine.ReadOnly, confine.OnlyNetlink} {
		if err := limit(); err != nil && !errors.Is(err, confine.ErrUnsupported) {
			return err
		}
	}
	return nil
}

// leaveRoot becomes nobody, and keeps the capabilities that are permitted.
func leaveRoot() error {
	if _, err := cap.Prctlw(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setresgid(nobody, nobody, nobody), syscall.Setresuid(nobody, nobody, nobody))
}

// keepNetAdmin gives up all capabilities but one, which programs inherit.
func keepNetAdmin() error {
	set := cap.NewSet()
	for _, flag := range []cap.Flag{cap.Permitted, cap.Effective, cap.Inheritable} {
		if err := set.SetFlag(flag, true, cap.NET_ADMIN); err != nil {
			return err
		}
	}
	if err := set.SetProc(); err != nil {
		return err
	}
	return errors.Join(cap.ResetAmbient(), cap.SetAmbient(true, cap.NET_ADMIN))
}
