package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// settle is how long changes are let come together: they come in bursts, and
	// an interface that somebody makes again and again must not keep us busy.
	settle = 50 * time.Millisecond
	// retry is how long to wait after the kernel did not answer, and failures how
	// often it may do so in a row.
	retry    = time.Second
	failures = 10
)

// MonitorLinks calls changed with the interfaces and addresses of this host: at
// once, and then about 50 ms after they changed in any way that Links tell. It
// returns nil when ctx ends, and otherwise the error for which it cannot go on.
func MonitorLinks(ctx context.Context, changed func(*Links)) error {
	// First subscribe, then list: no change is missed in between.
	news, err := subscribe()
	if err != nil {
		return err
	}
	defer news.file.Close()
	stop := context.AfterFunc(ctx, news.interrupt)
	defer stop()
	kernel, err := newLister()
	if err != nil {
		return err
	}
	defer func() { kernel.close() }()

	var last *Links
	for failed := 0; ctx.Err() == nil; {
		links, err := kernel.list()
		if err != nil {
			if failed++; last == nil || failed == failures {
				return err
			}
			pause(ctx, retry)
			if again, err := newLister(); err == nil {
				kernel.close()
				kernel = again
			}
			continue
		}
		failed = 0
		if last == nil || !links.equal(last) {
			last = links
			changed(links)
		}
		if err := news.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// news is a socket on which the kernel tells that something changed. What it
// tells is not looked at: a list afterwards says more, and cannot be incomplete.
type news struct {
	file *os.File
	raw  syscall.RawConn
}

func subscribe() (*news, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("subscribing to links: %w", err)
	}
	err = attach(fd, onlyLocalRoutes())
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK |
			unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribing to links: %w", err)
	}
	n := &news{file: os.NewFile(uintptr(fd), "link socket")}
	if n.raw, err = n.file.SyscallConn(); err != nil {
		n.file.Close()
		return nil, fmt.Errorf("subscribing to links: %w", err)
	}
	return n, nil
}

// onlyLocalRoutes drops messages about routes of other tables than the local one:
// a router may have a million, and they change all the time.
func onlyLocalRoutes() []bpf.Instruction {
	const typeOffset, tableOffset = 4, unix.NLMSG_HDRLEN + 4
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: typeOffset, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(network(unix.RTM_NEWROUTE)), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(network(unix.RTM_DELROUTE)), SkipTrue: 2},
		bpf.LoadAbsolute{Off: tableOffset, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.RT_TABLE_LOCAL, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	}
}

// interrupt ends the present wait and all later ones.
func (n *news) interrupt() {
	// What fails here is a socket that is closed, on which nobody waits.
	_ = n.file.SetReadDeadline(time.Unix(1, 0))
}

// wait returns when something changed and some time has passed in which more
// could, or when ctx has ended.
func (n *news) wait(ctx context.Context) error {
	var failed error
	err := n.raw.Read(func(fd uintptr) bool {
		var some bool
		some, failed = discard(int(fd))
		return some || failed != nil
	})
	if err = errors.Join(err, failed); err == nil {
		pause(ctx, settle)
		err = n.raw.Read(func(fd uintptr) bool {
			_, failed = discard(int(fd))
			return true
		})
		err = errors.Join(err, failed)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("waiting for changes of links: %w", err)
	}
	return nil
}

// discard reads what there is, and reports whether there was anything. That the
// kernel had to leave something out (ENOBUFS) is news, too.
func discard(fd int) (some bool, err error) {
	var message [64]byte // the rest of a message is cut off
	for {
		_, _, err := unix.Recvfrom(fd, message[:], 0)
		switch {
		case err == nil, errors.Is(err, unix.ENOBUFS):
			some = true
		case errors.Is(err, unix.EAGAIN):
			return some, nil
		case !errors.Is(err, unix.EINTR):
			return some, err
		}
	}
}
