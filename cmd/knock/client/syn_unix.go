//go:build unix

package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// syn sends one SYN. The SYN has left when syn returns, so knocks stay in order even without a
// delay. Therefore syn calls the kernel itself: a [net.Dialer] does not report when it has
// sent.
func (s *sender) syn(ctx context.Context, port uint16) error {
	to, family, err := sockaddr(s.to, port)
	if err != nil {
		return err
	}
	fd, err := s.socket(family)
	if err != nil {
		return err
	}
	err = syscall.Connect(fd, to)
	switch {
	case err == nil, errors.Is(err, syscall.EINPROGRESS), errors.Is(err, syscall.EINTR):
	case errors.Is(err, syscall.ECONNREFUSED): // a closed port of this machine
	default:
		syscall.Close(fd)
		return os.NewSyscallError("connect", err)
	}
	s.sockets.Go(func() {
		// The socket has stayed open for as long as it may.
		_ = wait(ctx, openTime)
		syscall.Close(fd)
	})
	return nil
}

// socket returns a non-blocking socket that is bound to an unused source port.
func (s *sender) socket(family int) (int, error) {
	var any syscall.Sockaddr = &syscall.SockaddrInet4{}
	if family == syscall.AF_INET6 {
		any = &syscall.SockaddrInet6{}
	}
	for try := 1; ; try++ {
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
		if err != nil {
			return 0, os.NewSyscallError("socket", err)
		}
		syscall.CloseOnExec(fd)
		port, err := prepare(fd, any)
		switch {
		case err != nil:
			syscall.Close(fd)
			return 0, err
		case s.fresh(port, try):
			return fd, nil
		}
		syscall.Close(fd)
	}
}

// prepare binds a socket and returns its source port.
func prepare(fd int, any syscall.Sockaddr) (uint16, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	if err := syscall.Bind(fd, any); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	local, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	switch local := local.(type) {
	case *syscall.SockaddrInet4:
		return uint16(local.Port), nil
	case *syscall.SockaddrInet6:
		return uint16(local.Port), nil
	}
	return 0, fmt.Errorf("bound to an address of kind %T: expected an IP address", local)
}

// sockaddr returns an address for the kernel. A link-local address needs the index of its
// interface.
func sockaddr(to netip.Addr, port uint16) (address syscall.Sockaddr, family int, err error) {
	if to.Is4() {
		return &syscall.SockaddrInet4{Port: int(port), Addr: to.As4()}, syscall.AF_INET, nil
	}
	address6 := &syscall.SockaddrInet6{Port: int(port), Addr: to.As16()}
	if zone := to.Zone(); zone != "" {
		index, err := zoneIndex(zone)
		if err != nil {
			return nil, 0, err
		}
		address6.ZoneId = index
	}
	return address6, syscall.AF_INET6, nil
}

// zoneIndex returns the number of the interface with this name or number.
func zoneIndex(zone string) (uint32, error) {
	if found, err := net.InterfaceByName(zone); err == nil {
		return uint32(found.Index), nil
	}
	index, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("no interface is called %q", zone)
	}
	return uint32(index), nil
}
