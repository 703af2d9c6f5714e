package confine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/confine"
)

// inside is set in the process that confines itself; its value is the directory of the test.
// withHelper is set beside it when the process has a helper that it connects to.
const (
	inside     = "SESAME_TEST_CONFINED"
	withHelper = "SESAME_TEST_HELPER"
)

// An attempt is what somebody tries who controls the memory of the process.
type attempt struct {
	name    string
	allowed bool
	try     func(dir string) error
}

// attempts is in two parts: what must be refused, and what the daemon does.
var attempts = []attempt{
	{"read /etc/shadow", false, func(string) error { return read("/etc/shadow") }},
	{"read /etc/shadow through /proc", false, func(string) error { return read("/proc/self/root/etc/shadow") }},
	{"list the directory of root", false, func(string) error { _, err := os.ReadDir("/root"); return err }},
	{"read a file beside", false, func(dir string) error { return read(dir + "/beside/secret") }},
	{"write a script", false, func(dir string) error { return os.WriteFile(dir+"/scripts/door.lua", nil, 0o600) }},
	{"make a script", false, func(dir string) error { return os.WriteFile(dir+"/scripts/new.lua", nil, 0o600) }},
	{"remove a script", false, func(dir string) error { return os.Remove(dir + "/scripts/door.lua") }},
	{"move a script away", false, func(dir string) error { return os.Rename(dir+"/scripts/door.lua", dir+"/state/door.lua") }},
	{"truncate a script", false, func(dir string) error { return os.Truncate(dir+"/scripts/door.lua", 0) }},
	{"a link in the state", false, func(dir string) error { return os.Symlink("/etc", dir+"/state/etc") }},
	{"a mode by a path", false, func(dir string) error { return unix.Fchmodat(unix.AT_FDCWD, dir+"/beside/secret", 0o666, 0) }},
	{"a mode that all may write", false, func(dir string) error { return mode(dir, 0o666) }},
	{"a mode of a program", false, func(dir string) error { return mode(dir, 0o755) }},
	{"a program that runs as its owner", false, func(dir string) error {
		fd, err := unix.Open(dir+"/state/shell", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, unix.S_ISUID|0o755)
		return errors.Join(err, unix.Close(fd))
	}},
	{"a directory that gives its group", false, func(dir string) error { return unix.Mkdir(dir+"/state/dir", unix.S_ISGID|0o755) }},
	{"an open that no filter sees", false, func(dir string) error {
		_, err := unix.Openat2(unix.AT_FDCWD, dir+"/state/shell", &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: unix.S_ISUID | 0o755})
		return err
	}},
	{"events about devices", false, func(string) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT) }},
	{"TCP without connect", false, func(string) error { return fastOpen() }},
	{"TCP by a message without connect", false, func(string) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return fmt.Errorf("without a socket it is no attempt: %v", err)
		}
		defer unix.Close(fd)
		return unix.Sendmsg(fd, []byte("x"), nil, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}, unix.MSG_FASTOPEN)
	}},
	{"DCCP", false, func(string) error { return socket(unix.AF_INET, 6, unix.IPPROTO_DCCP) }},
	{"UDP-Lite", false, func(string) error { return socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE) }},
	{"write a setting of the kernel", false, func(string) error { return os.WriteFile("/proc/sys/kernel/core_pattern", []byte("core"), 0) }},
	{"start a program", false, func(string) error { return exec.Command("/bin/true").Run() }},
	{"become a program", false, func(string) error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
	{"fork", false, func(string) error { return call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) }},
	{"fork anew", false, func(string) error { return call(unix.SYS_CLONE3, 0) }},
	{"ptrace", false, func(string) error { return unix.PtraceAttach(os.Getppid()) }},
	{"read the memory of another", false, func(string) error {
		here := make([]byte, 1)
		_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{{Base: &here[0], Len: 1}}, []unix.RemoteIovec{{Base: 4096, Len: 1}}, 0)
		return err
	}},
	{"open the memory of another", false, func(string) error { return read(fmt.Sprintf("/proc/%d/mem", os.Getppid())) }},
	{"end another", false, func(string) error { return unix.Kill(os.Getppid(), 0) }},
	{"D-Bus", false, func(dir string) error { return dial("unix", dir+"/bus") }},
	{"a stream of Unix", false, func(string) error { return socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) }},
	{helped, false, func(dir string) error { return dial("unixpacket", dir+"/helper") }},
	{"a pair of sockets", false, func(string) error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	{"TCP to a service", false, func(string) error { return dial("tcp", "127.0.0.1:1") }},
	{"a TCP server without an address", false, func(string) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return fmt.Errorf("without a socket it is no attempt: %v", err)
		}
		return errors.Join(unix.Listen(fd, 1), unix.Close(fd))
	}},
	{"a script under a second name", false, func(dir string) error { return unix.Link(dir+"/scripts/door.lua", dir+"/state/door.lua") }},
	{"a second name in the scripts", false, func(dir string) error { return unix.Link(dir+"/scripts/door.lua", dir+"/scripts/other.lua") }},
	{"a second name of what a link leads to", false, func(dir string) error {
		return unix.Linkat(unix.AT_FDCWD, dir+"/run/socket", unix.AT_FDCWD, dir+"/run/other", unix.AT_SYMLINK_FOLLOW)
	}},
	{"D-Bus by packets in order", false, func(dir string) error { return dial("unixpacket", dir+"/bus") }},
	{"a TCP server", false, func(string) error { return listen("127.0.0.1:0") }},
	{"MPTCP", false, func(string) error { return socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP) }},
	{"a raw socket", false, func(string) error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP) }},
	{"a socket of Bluetooth", false, func(string) error { return socket(unix.AF_BLUETOOTH, unix.SOCK_STREAM, 0) }},
	{"memory that is written and executed", false, func(string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}},
	{"execute what was written", false, func(string) error {
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		return errors.Join(err, unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC))
	}},
	{"a namespace", false, func(string) error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"another root", false, func(string) error { return unix.Chroot("/") }},
	{"a mount", false, func(dir string) error { return unix.Mount("none", dir+"/state", "tmpfs", 0, "") }},
	{"a module of the kernel", false, func(string) error { return unix.FinitModule(0, "", 0) }},
	{"BPF", false, func(string) error { return call(unix.SYS_BPF, 0) }},
	{"io_uring", false, func(string) error { return call(unix.SYS_IO_URING_SETUP, 1) }},
	{"another user", false, func(string) error { return call(unix.SYS_SETUID, 65534) }},
	{"dumps of the process", false, func(string) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }},
	{"bytes into a terminal", false, func(string) error { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI) }},
	{"bytes into a terminal, with more bits", false, func(string) error { return call(unix.SYS_IOCTL, 0, 1<<32|unix.TIOCSTI) }},

	{"read a script", true, func(dir string) error { return read(dir + "/scripts/door.lua") }},
	{"read a module", true, func(dir string) error { return read(dir + "/scripts/lib/new/module.lua") }},
	{"read a file that took another's place", true, func(dir string) error { return read(dir + "/list/hosts") }},
	{"replace a file of the state", true, func(dir string) error {
		place := dir + "/state/set"
		return errors.Join(os.WriteFile(place+".new", []byte("x"), 0o600), os.Rename(place+".new", place), os.WriteFile(place, nil, 0o600), os.Remove(place))
	}},
	{"append to a log that was moved away", true, func(dir string) error {
		f, err := os.OpenFile(dir+"/log/knockd.log", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			return err
		}
		return errors.Join(f.Chmod(0o640), f.Close())
	}},
	{"a mode that others may read", true, func(dir string) error { return mode(dir, 0o644) }},
	{"routes, and the firewall", true, func(string) error {
		return errors.Join(socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER))
	}},
	{"the second name of the socket", true, func(dir string) error {
		return errors.Join(unix.Link(dir+"/run/socket", dir+"/run/.socket.kept"), unix.Unlink(dir+"/run/socket"), unix.Link(dir+"/run/.socket.kept", dir+"/run/socket"),
			unix.Unlink(dir+"/run/.socket.kept"))
	}},
	{"the system's log", true, func(dir string) error { return dial("unixgram", dir+"/log/syslog") }},
	{"a question by UDP", true, func(string) error { return dial("udp", "127.0.0.1:53") }},
	{"watch a file", true, func(dir string) error {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err == nil {
			_, err = unix.InotifyAddWatch(fd, "/etc", unix.IN_CREATE)
		}
		return err
	}},
	{"threads", true, func(string) error {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { runtime.LockOSThread() })
		}
		all.Wait()
		return nil
	}},
	{"what the kernel tells", true, func(string) error {
		return errors.Join(read("/proc/self/status"), read("/proc/sys/kernel/random/boot_id"))
	}},
	{"who is in a group", true, func(string) error { return errors.Join(read("/etc/passwd"), read("/etc/group")) }},
	{"zones of time", true, func(string) error { _, err := os.ReadDir("/usr/share"); return err }},
}

// helped is what a process may do that has a helper, and no other.
const helped = "connect to the helper"

// TestRealAttempts confines a process, and lets it try everything.
func TestRealAttempts(t *testing.T) {
	if dir := os.Getenv(inside); dir != "" {
		confineHere(t, dir)
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"scripts/lib/new", "state", "log", "list", "run", "beside"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"scripts/door.lua", "scripts/lib/new/module.lua", "list/hosts", "beside/secret", "run/socket.lock"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, network := range map[string]string{"bus": "unix", "run/socket": "unix", "helper": "unixpacket"} {
		listener, err := net.Listen(network, filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	syslog, err := net.ListenPacket("unixgram", dir+"/log/syslog")
	if err != nil {
		t.Fatal(err)
	}
	defer syslog.Close()
	for _, helper := range []string{"", "1"} {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealAttempts$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"="+dir, withHelper+"="+helper)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, a := range attempts {
			allowed := a.allowed || a.name == helped && helper != ""
			refused := strings.Contains(string(out), "refused: "+a.name+"\n")
			if done := strings.Contains(string(out), "done: "+a.name+"\n"); refused == allowed || done != allowed {
				t.Errorf("%s: allowed %v, refused %v, done %v", a.name, allowed, refused, done)
			}
		}
		if t.Failed() || !strings.Contains(string(out), "held: files (Landlock ") {
			t.Errorf("it says\n%s", out)
		}
	}
}

// confineHere confines this process, and prints what became of each attempt.
func confineHere(t *testing.T, dir string) {
	report, err := confine.Apply(confine.Needs{
		Read: append(confine.Around(dir+"/list/hosts"), dir+"/scripts"), Write: []string{dir + "/state"},
		Logs: []string{dir + "/log/knockd.log"}, Socket: dir + "/run/socket", Helper: os.Getenv(withHelper) != "",
	})
	if err != nil || len(report.Missing) > 0 {
		t.Fatal(report, err)
	}
	fmt.Println("held:", report)
	for _, a := range attempts {
		switch err := a.try(dir); {
		case err == nil:
			fmt.Println("done:", a.name)
		// Landlock calls a file that may not change its directory one of another file system, and
		// the kernel a socket of another type one of another protocol.
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EPROTOTYPE):
			fmt.Println("refused:", a.name)
		default:
			fmt.Println("other:", a.name, err)
		}
	}
}

func read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = file.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	return nil
}

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// mode gives an open file of the state a mode.
func mode(dir string, bits uint32) error {
	file, err := os.OpenFile(dir+"/state/moded", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Fchmod(int(file.Fd()), bits)
}

func fastOpen() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%v, not refused", err)
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}})
}

func dial(network, address string) error {
	conn, err := net.Dial(network, address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		_ = listener.Close()
	}
	return err
}

func call(number uintptr, arguments ...uintptr) error {
	arguments = append(arguments, 0, 0, 0)
	if _, _, errno := syscall.Syscall(number, arguments[0], arguments[1], arguments[2]); errno != 0 {
		return errno
	}
	return nil
}
