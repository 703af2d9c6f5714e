package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
func filterCalls(s sockets) error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	// The flag is for all threads. When one could not follow, the kernel returns its number,
	// which this library does not take for an error.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy(machine, s)}); err != nil {
		return err
	}
	return allFiltered()
}

// ErrUnsupported means that the kernel or the architecture has no such limit.
var ErrUnsupported = errors.New("this cannot be limited here")

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
	err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy(machine, sockets{})})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

// policy returns what the process may call on an architecture.
func policy(machine *arch.Info, s sockets) seccomp.Policy {
	var names []string
	for _, name := range allowed {
		if has(machine, name) {
			names = append(names, name)
		}
	}
	var conditions []seccomp.NameWithConditions
	for _, c := range slices.Concat(processCalls(), modeCalls(), socketCalls(s)) {
		if has(machine, c.Name) {
			conditions = append(conditions, c)
		}
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{
		{Names: names, Action: seccomp.ActionAllow},
		{NamesWithCondtions: conditions, Action: seccomp.ActionAllow},
	}}
	// What these ask for is in memory, where no filter sees it. Who gets the answer of a kernel
	// that does not have them takes clone and openat.
	for _, name := range []string{"clone3", "openat2"} {
		if has(machine, name) {
			policy.Syscalls = append(policy.Syscalls, seccomp.SyscallGroup{Names: []string{name}, Action: unknown})
		}
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

// special are the bits of a mode that let a program run as the owner of its file.
const special = unix.S_ISUID | unix.S_ISGID

// modeCalls are the calls that give a file its mode. Landlock does not know modes. Root could make
// a program that others run as root, or let others read what only root may: so a file that is open
// gets no more than 0644, and no file gets a mode by its path.
func modeCalls() []seccomp.NameWithConditions {
	return []seccomp.NameWithConditions{
		when("open", clear(2, special)),
		when("openat", clear(3, special)),
		when("mkdir", clear(1, special)),
		when("mkdirat", clear(2, special)),
		when("fchmod", clear(1, 0o7777&^0o644)),
		// The control socket has two names. Landlock refuses a link into another directory.
		when("linkat", equal(4, 0)),
	}
}

// sockets are kinds of sockets that not every process needs.
type sockets struct {
	tcp    bool
	helper bool // see [Needs.Helper]
}

// socketCalls are the kinds of sockets that can be made.
//
// D-Bus, systemd and containers listen at stream sockets. A filter cannot see the address of a
// connection, so there are no Unix sockets but those of datagrams, and for a helper those of
// packets in order: at those udev and systemd-coredump listen, and ask for root, and no root has a
// helper that it connects to. Sockets of packets and of netlink are what CAP_NET_RAW and
// CAP_NET_ADMIN are for.
//
// Nobody may call listen: without bind the kernel chooses a port, which Landlock does not see.
func socketCalls(s sockets) []seccomp.NameWithConditions {
	const stream, datagram, others = unix.SOCK_STREAM, unix.SOCK_DGRAM, 0xc // the rest of SOCK_TYPE_MASK
	calls := []seccomp.NameWithConditions{
		when("socket", equal(0, unix.AF_UNIX), set(1, datagram), clear(1, stream|others)),
		// Others carry what systemd believes root, such as the kernel's events about devices.
		when("socket", equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_ROUTE)),
		when("socket", equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_NETFILTER)),
		when("socket", equal(0, unix.AF_PACKET)),
		// This flag connects without connect, which alone Landlock sees.
		when("sendto", clear(3, unix.MSG_FASTOPEN)),
		when("sendmsg", clear(2, unix.MSG_FASTOPEN)),
		when("sendmmsg", clear(3, unix.MSG_FASTOPEN)),
	}
	if s.helper { // its number has two bits, and "set" is for one
		calls = append(calls, when("socket", equal(0, unix.AF_UNIX), set(1, unix.SOCK_SEQPACKET&stream), set(1, unix.SOCK_SEQPACKET&^stream), clear(1, 0xf&^unix.SOCK_SEQPACKET)))
	}
	for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
		calls = append(calls, when("socket", equal(0, family), set(1, datagram), clear(1, stream|others), equal(2, 0)))
		if s.tcp { // without a protocol it is neither MPTCP, which Landlock does not know, nor SCTP
			calls = append(calls, when("socket", equal(0, family), set(1, stream), clear(1, datagram|others), equal(2, 0)))
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
