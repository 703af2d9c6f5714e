package confine

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// refused are the system calls of [OnlyNetlink] beside those of sockets: they look into other
// processes, bring their memory or files here, make sockets without a filter that sees them, or
// change what this process sees of the machine.
var refused = []string{
	"socket", "socketpair", "socketcall", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "perf_event_open", "bpf", "userfaultfd",
	"add_key", "request_key", "keyctl", "open_by_handle_at",
	"unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsmount", "fspick",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
}

// OnlyNetlink limits the process, and programs that it starts, to sockets that speak with the
// kernel about the firewall and about routes, for good: none reaches another process. All other
// system calls stay, but for a few. Its threads must have no filter yet, or all the same.
func OnlyNetlink() error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(machine.SyscallNames)), func(name string) bool { return slices.Contains(refused, name) })
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno, // also for the calls of another architecture
		Syscalls: []seccomp.SyscallGroup{
			{Names: names, Action: seccomp.ActionAllow},
			{NamesWithCondtions: []seccomp.NameWithConditions{
				when("socket", equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_ROUTE)),
				when("socket", equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_NETFILTER)),
			}, Action: seccomp.ActionAllow},
		},
	}})
}
