package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// instanceName is bound by whoever guards a network. A name that begins so is in no
// file system: each network has its own, and the kernel forgets it with the
// process.
const instanceName = "@sesame-guard"

// lockInstance makes this daemon the only one that guards this network, until the
// listener is closed. Two would undo each other's guards without end, and so leave
// ports open.
//
// Anybody may bind a name. One that another user than root has bound says nothing,
// and the listener is nil: nobody shall keep the guard from starting.
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

// RunningInstance returns the process of the daemon that guards this network; 0: there
// is none. Without root it cannot always be known, and is 0 then too.
func RunningInstance() int {
	if holder := lockHolder(instanceName); holder != nil && holder.Uid == 0 {
		return int(holder.Pid)
	}
	return 0
}

// lockHolder returns who listens at a name; nil: nobody answers.
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

// serveInstanceLock lets other daemons see that this one is there: who connects learns who
// listens, and that is all.
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
