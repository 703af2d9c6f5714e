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

// syn sends one SYN: it has left when syn returns, so knocks cannot overtake
// each other even without a delay. That is why it calls the kernel itself; a
// [net.Dialer] does not say when it has begun.
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
	case errors.Is(err, syscall.ECONNREFUSED): // the answer of a port of this very machine
	default:
		syscall.Close(fd)
		return os.NewSyscallError("connect", err)
	}
	s.kept.Go(func() {
		// Either way the socket has stayed as long as it may.
		_ = wait(ctx, keep)
		syscall.Close(fd)
	})
	return nil
}

// socket returns a socket that does not block and is bound to a fresh source
// port.
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

// prepare binds a socket, and returns the source port that it got.
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

// zoneIndex returns the number of the interface with that name or number.
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
