package confine

// allowed are the system calls of a confined process, whatever their arguments: those of Go's
// runtime, of files, of sockets that are there, and of the clock. Some are missing on some
// architectures.
//
// What is not here starts programs, looks into other processes, changes the machine, or is not
// needed.
var allowed = []string{
	// memory and threads
	"brk", "munmap", "mremap", "madvise", "mincore", "futex", "futex_time64", "exit", "exit_group", "sched_yield",
	"sched_getaffinity", "set_robust_list", "set_tid_address", "rseq", "membarrier", "arch_prctl", "restart_syscall", "sigaltstack",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "gettid", "getpid", "getppid", "getrandom",
	"nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday", "time",
	"timer_create", "timer_settime", "timer_settime64", "timer_delete", "setitimer", "adjtimex", "clock_adjtime",
	"uname", "sysinfo", "getrlimit", "ugetrlimit", "getrusage", "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32",
	"getgid32", "getegid32", "getgroups", "capget", "wait4", "waitid", "getcwd", "umask",

	// files: Landlock says which, and seccomp.go with which modes
	"close", "close_range", "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev",
	"lseek", "_llseek", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe", "pipe2", "flock", "fsync", "fdatasync", "sync_file_range",
	"ftruncate", "ftruncate64", "fallocate", "copy_file_range", "sendfile", "sendfile64", "splice",
	"stat", "fstat", "lstat", "stat64", "fstat64", "lstat64", "fstatat64", "newfstatat", "statx", "statfs", "fstatfs", "statfs64", "fstatfs64",
	"access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
	"unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll", "ppoll_time64", "select", "pselect6",

	// sockets: seccomp.go says which are made, and what is sent
	"bind", "accept", "accept4", "connect", "shutdown", "recvfrom", "recvmsg", "recvmmsg",
	"recvmmsg_time64", "getsockname", "getpeername", "getsockopt", "setsockopt",
}
