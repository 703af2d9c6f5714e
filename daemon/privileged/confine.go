//go:build linux

package privileged

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"sesame/daemon/confine"
)

// nobody is the user and the group that a loader becomes (the overflow ID of user_namespaces(7)).
const nobody = 65534

const (
	loaderSeconds = 10      // of processor: five times what the budget of steps takes
	loaderMemory  = 1 << 30 // bytes, beside what the program has mapped at its start
)

// confineLoader gives up, for this process and for good, what no loader needs: the user root, all
// capabilities, any new descriptor, and system calls about other processes. Without a descriptor
// there is no file and no socket. What is open stays open.
//
// A process that changes its user cannot be traced by others of the new user, until it executes
// another program (prctl(2), PR_SET_DUMPABLE). So the user is changed here, and not by who started
// this process: another process of nobody could write a manifest else.
func confineLoader() error {
	if err := openPoller(); err != nil {
		return err
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(nobody, nobody, nobody), syscall.Setresuid(nobody, nobody, nobody)); err != nil {
			return fmt.Errorf("becoming user %d: %w", nobody, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	size, err := mapped()
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CPU, loaderSeconds}, {unix.RLIMIT_AS, size + loaderMemory},
		{unix.RLIMIT_NOFILE, 0},
	} {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return fmt.Errorf("setting the limit %d to %d: %w", limit.resource, limit.most, err)
		}
	}
	return limitCalls()
}

// limitCalls takes away what needs no descriptor: to start processes and programs, to trace others
// of nobody, and to signal them.
func limitCalls() error {
	err := confine.Calls()
	if errors.Is(err, confine.ErrUnsupported) {
		return nil // the kernel or the architecture has no filter of system calls
	}
	return err
}

// openPoller lets the Go runtime open the descriptors that it needs for timers: it ends the process
// when it cannot.
func openPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
}

// mapped returns how many bytes of addresses the process has (proc_pid_statm(5)).
func mapped() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.ParseUint(string(pages), 10, 40)
	return n * uint64(os.Getpagesize()), err
}
