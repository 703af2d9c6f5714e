package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// errPartly means that the filter holds for some threads alone.
var errPartly = errors.New("some threads of this process are not limited")

// unknown answers a system call as a kernel does that does not have it.
const unknown = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)

// filterCalls limits the system calls of the process. All others fail with EPERM. None kills the
// process: one that a newer Go or a rare path needs must not take the guard away.
//
// Without tcp no TCP socket can be made.
func filterCalls(tcp bool) error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	// The flag is for all threads. When one could not follow, the kernel returns its number,
	// which this library does not take for an error.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy(machine, tcp)}); err != nil {
		return err
	}
	return allFiltered()
}

// ErrUnsupported means that the kernel or the architecture has no filter of system calls.
var ErrUnsupported = errors.New("system calls cannot be limited here")

// Calls limits the system calls of the process to those that [Apply] leaves without TCP, and
// nothing else. It is for a process that can open no file any more. Its threads must have no filter
// yet: then the kernel limits all of them or none.
func Calls() error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy(machine, false)})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

// policy returns what the process may call on an architecture.
func policy(machine *arch.Info, tcp bool) seccomp.Policy {
	var names []string
	for _, name := range allowed {
		if has(machine, name) {
			names = append(names, name)
		}
	}
	var conditions []seccomp.NameWithConditions
	for _, c := range append(processCalls(), socketCalls(tcp)...) {
		if has(machine, c.Name) {
			conditions = append(conditions, c)
		}
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{
		{Names: names, Action: seccomp.ActionAllow},
		{NamesWithCondtions: conditions, Action: seccomp.ActionAllow},
	}}
	// The C library starts a thread with clone when there is no clone3, whose flags no filter sees.
	if has(machine, "clone3") {
		policy.Syscalls = append(policy.Syscalls, seccomp.SyscallGroup{Names: []string{"clone3"}, Action: unknown})
	}
	return policy
}

func has(machine *arch.Info, name string) bool {
	_, found := machine.SyscallNames[name]
	return found
}

// namespaces are the flags of clone(2) that make a namespace.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID |
	unix.CLONE_NEWNET

// processCalls are calls about memory and threads that depend on their arguments: no memory is
// written and executed, a clone is a thread, and signals go to the process itself.
func processCalls() []seccomp.NameWithConditions {
	self := uint64(os.Getpid())
	return []seccomp.NameWithConditions{
		when("mmap", clear(2, unix.PROT_EXEC)),
		when("mmap2", clear(2, unix.PROT_EXEC)),
		when("mprotect", clear(2, unix.PROT_EXEC)),
		when("clone", set(0, unix.CLONE_THREAD), clear(0, namespaces)),
		when("tgkill", equal(0, self)),
		when("kill", equal(0, self)),
		// Go names its memory, and a name may be read.
		when("prctl", equal(0, unix.PR_SET_VMA)),
		when("prctl", equal(0, unix.PR_GET_NAME)),
		when("prlimit64", equal(2, 0)), // which only reads a limit
		// The rest of ioctl can push bytes into a terminal.
		when("ioctl", equal(1, unix.TCGETS)),
		when("ioctl", equal(1, unix.TIOCGWINSZ)),
	}
}

// socketCalls are the kinds of sockets that can be made.
//
// D-Bus, systemd and containers listen at stream sockets. A filter cannot see the address of a
// connection, so there are no Unix sockets but those of datagrams. Sockets of packets and of
// netlink are what CAP_NET_RAW and CAP_NET_ADMIN are for.
func socketCalls(tcp bool) []seccomp.NameWithConditions {
	const stream, datagram = unix.SOCK_STREAM, unix.SOCK_DGRAM
	calls := []seccomp.NameWithConditions{
		when("socket", equal(0, unix.AF_UNIX), set(1, datagram), clear(1, stream)),
		when("socket", equal(0, unix.AF_NETLINK)),
		when("socket", equal(0, unix.AF_PACKET)),
	}
	for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
		calls = append(calls, when("socket", equal(0, family), set(1, datagram), clear(1, stream)))
		if tcp { // without a protocol it is neither MPTCP, which Landlock does not know, nor SCTP
			calls = append(calls, when("socket", equal(0, family), set(1, stream), clear(1, datagram|0x4), equal(2, 0)))
		}
	}
	return calls
}

func when(name string, conditions ...seccomp.Condition) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: conditions}
}

func equal(argument uint32, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.Equal, Value: value}
}

// set is for one bit: of several, any would do.
func set(argument uint32, bit uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.BitsSet, Value: bit}
}

func clear(argument uint32, bits uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: seccomp.BitsNotSet, Value: bits}
}

// allFiltered returns an error when a thread has no filter (proc_pid_status(5): Seccomp is 2).
func allFiltered() error {
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(paths) == 0 {
		return fmt.Errorf("%w, as far as /proc tells", errPartly)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), "\nSeccomp:\t2\n") { // else it has ended
			return fmt.Errorf("%w: %s", errPartly, filepath.Dir(path))
		}
	}
	return nil
}
