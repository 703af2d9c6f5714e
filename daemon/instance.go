package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// instanceName is the abstract Unix socket that is the instance lock. The kernel keeps such
// names per network namespace and frees them when the process ends.
const instanceName = "@sesame-guard"

// lockInstance makes this daemon the only one that guards this network namespace, until the
// listener is closed. Two daemons would undo each other's tables again and again, and ports
// would be open in between.
//
// Any user may bind the name. When a user other than root holds it, lockInstance returns a nil
// listener and the start continues: an unprivileged user must not be able to prevent it.
func lockInstance() (net.Listener, error) {
	listener, err := net.Listen("unix", instanceName)
	if err == nil {
		return listener, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("looking for another daemon: %w", err)
	}
	holder := lockHolder(instanceName)
	if holder == nil || holder.Uid != 0 || errors.Is(unix.Kill(int(holder.Pid), 0), unix.ESRCH) {
		return nil, nil
	}
	return nil, fmt.Errorf("another sesame, process %d, guards this network: stop that one first; scripts can be tried beside it: sesame record FILE and sesame simulate -s SCRIPTS FILE",
		holder.Pid)
}

// RunningInstance returns the process ID of the daemon that guards this network namespace, and
// 0 when there is none. Without root the answer may be 0 even when one runs.
func RunningInstance() int {
	if holder := lockHolder(instanceName); holder != nil && holder.Uid == 0 {
		return int(holder.Pid)
	}
	return 0
}

// lockHolder returns the credentials of the process that listens at a name, and nil when there
// is none.
func lockHolder(name string) (holder *unix.Ucred) {
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

// serveInstanceLock accepts and closes connections at the instance lock until ctx ends.
// Another process that connects reads the process ID of this one from the credentials of the
// socket.
func (d *daemon) serveInstanceLock(ctx context.Context) error {
	if d.instance == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = d.instance.Close() })
	defer stop()
	for {
		conn, err := d.instance.Accept()
		if err != nil {
			return nil
		}
		_ = conn.Close()
	}
}
