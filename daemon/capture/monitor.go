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
	// settle is how long to wait after a change for further ones. Changes come in bursts, and an
	// interface that is made again and again must not cost a list for each time.
	settle = 50 * time.Millisecond
	// retry is how long to wait after a failed list. After failures in a row the monitor ends.
	retry    = time.Second
	failures = 10
)

// MonitorLinks calls changed with the interfaces and addresses of this host: at once, and then
// about 50 ms after each change that a [Links] shows. It returns nil when ctx ends, and otherwise
// the error that made it end.
func MonitorLinks(ctx context.Context, changed func(*Links)) error {
	// It subscribes before it lists, so no change between the two is missed.
	changes, err := subscribe()
	if err != nil {
		return err
	}
	defer changes.file.Close()
	stop := context.AfterFunc(ctx, changes.interrupt)
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
		if err := changes.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A subscription is a netlink socket on which the kernel reports changes. Its messages are not
// read, since messages can be lost. A list after the change is complete.
type subscription struct {
	file *os.File
	raw  syscall.RawConn
}

func subscribe() (*subscription, error) {
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
	s := &subscription{file: os.NewFile(uintptr(fd), "link socket")}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, fmt.Errorf("subscribing to links: %w", err)
	}
	return s, nil
}

// onlyLocalRoutes drops messages about routes of other tables than the local one. A router may have
// a million routes, and they change all the time.
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

// interrupt ends the current wait and all later ones.
func (s *subscription) interrupt() {
	// It fails only on a closed socket, and then there is no wait.
	_ = s.file.SetReadDeadline(time.Unix(1, 0))
}

// wait returns when something has changed and the settle time is over, or when ctx ends.
func (s *subscription) wait(ctx context.Context) error {
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		var some bool
		some, failed = discard(int(fd))
		return some || failed != nil
	})
	if err = errors.Join(err, failed); err == nil {
		pause(ctx, settle)
		err = s.raw.Read(func(fd uintptr) bool {
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

// discard reads all messages, and reports whether there were any. ENOBUFS, which means that the
// kernel lost messages, is a change too.
func discard(fd int) (some bool, err error) {
	var message [64]byte // the kernel drops the rest of a message
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
