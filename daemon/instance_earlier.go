package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// This file is about earlier versions, whose lock is a listener at earlierName. It goes when nobody
// runs them any more.

// earlierName is the abstract Unix socket at which earlier versions listen while they guard a
// network. The kernel keeps such names per network namespace.
const earlierName = "@sesame-guard"

// holdEarlierName listens at the name, so that an earlier version does not start beside this one.
// Nothing depends on it: any user may take the name first, and then it returns nil.
func holdEarlierName(log hclog.Logger) *net.UnixListener {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: earlierName, Net: "unix"})
	if err != nil {
		log.Debug("an earlier version that starts would not notice this one", "error", err)
		return nil
	}
	return listener
}

// serveEarlier lets others connect until ctx ends: an earlier version that starts reads from the
// connection who listens. The name stays held until [instance.close].
func (d *daemon) serveEarlier(ctx context.Context) error {
	if d.instance == nil || d.instance.earlier == nil {
		return nil
	}
	listener := d.instance.earlier
	defer context.AfterFunc(ctx, func() { _ = listener.SetDeadline(time.Unix(1, 0)) })()
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			_ = conn.Close()
		case ctx.Err() != nil:
			return nil
		default: // no descriptor is free
			select {
			case <-after(time.Second):
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// earlierInstance returns the process that listens at the name and guards this network; 0: there is
// none. Any user can listen there. One who could not guard a network is not believed: that must not
// prevent a start.
func earlierInstance(log hclog.Logger) int {
	holder := listenerAt(earlierName)
	switch {
	case holder == nil || !alive(int(holder.Pid)):
		return 0
	case holder.Uid != 0 && int(holder.Uid) != os.Geteuid() && !canGuard(int(holder.Pid), holder.Uid):
		log.Warn("a user listens at the name of an earlier sesame, and is ignored", "name", earlierName, "user", holder.Uid, "process", holder.Pid)
		return 0
	}
	return int(holder.Pid)
}

// canGuard reports whether a process of a user other than root has the capabilities that guarding
// a network takes, as systemd's AmbientCapabilities gives them.
//
// Two things look alike and are not: a program that became root, such as sudo, in a process that
// listened before; and the capabilities that everybody has in a user namespace of their own.
func canGuard(pid int, user uint32) bool {
	process := fmt.Sprintf("/proc/%d", pid)
	ours, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false
	}
	if theirs, err := os.Readlink(process + "/ns/user"); err != nil || theirs != ours {
		return false
	}
	status, err := os.ReadFile(process + "/status")
	if err != nil {
		return false
	}
	same, able := false, false
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch fields := strings.Fields(value); {
		case name == "Uid":
			same = len(fields) == 4 // real, effective, saved, of the file system
			for _, id := range fields {
				same = same && id == strconv.FormatUint(uint64(user), 10)
			}
		case name == "CapEff" && len(fields) == 1:
			bits, err := strconv.ParseUint(fields[0], 16, 64)
			able = err == nil
			for _, c := range []cap.Value{cap.NET_ADMIN, cap.NET_RAW} {
				able = able && bits>>c&1 == 1
			}
		}
	}
	return same && able
}

// listenerAt returns the credentials of the process that listens at a name, and nil when there is
// none.
func listenerAt(name string) (holder *unix.Ucred) {
	conn, err := net.DialTimeout("unix", name, time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { holder, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	}
	if err != nil {
		return nil
	}
	return holder
}
