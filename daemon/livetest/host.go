//go:build linux

package livetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// A Host is one end of a network. Its methods may be called from any goroutine, except Exec, Start
// and Echo: they end the test on an error, and so belong to the goroutine of the test.
type Host struct {
	Interface  string // the end of the link: "server0" or "client0"
	IPv4, IPv6 netip.Prefix

	t         testing.TB
	namespace netns.NsHandle
	index     int
	mac       net.HardwareAddr
	other     *Host
}

// Do runs f in the host's network. Sockets that f opens stay in that network. Goroutines that f
// starts are outside it.
func (h *Host) Do(f func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(h.namespace); err != nil {
			return fmt.Errorf("entering the network of %s: %w", h.Interface, err)
		}
		return f()
	})
}

// Exec runs a command in the host's network, waits for its end and returns its output. The test
// fails if the command fails.
func (h *Host) Exec(argv ...string) string {
	h.t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(h.t.Context(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := h.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		h.t.Fatalf("running %s: %v\n%s", strings.Join(argv, " "), err, out.Bytes())
	}
	return out.String()
}

// Start starts a command in the host's network. The test may wait for it. A command that still runs
// after the test is killed.
func (h *Host) Start(cmd *exec.Cmd) {
	h.t.Helper()
	if err := h.Do(cmd.Start); err != nil {
		h.t.Fatalf("starting %s: %v", cmd, err)
	}
	h.t.Cleanup(func() {
		// Both return errors if the test has waited for the command already.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// Dial connects from the host, within the limit. The address is an IP address with a port.
func (h *Host) Dial(network, address string, limit time.Duration) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = h.Do(func() error {
		dialer := net.Dialer{KeepAlive: -1}
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Connects reports whether a TCP connection from the host is accepted within the limit.
func (h *Host) Connects(address string, limit time.Duration) bool {
	conn, err := h.Dial("tcp", address, limit)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Listen listens for TCP connections on the host.
func (h *Host) Listen(network, address string) (listener net.Listener, err error) {
	err = h.Do(func() error {
		var config net.ListenConfig
		listener, err = config.Listen(context.Background(), network, address)
		return err
	})
	return listener, err
}

// ListenPacket listens for UDP datagrams on the host.
func (h *Host) ListenPacket(network, address string) (conn net.PacketConn, err error) {
	err = h.Do(func() error {
		var config net.ListenConfig
		conn, err = config.ListenPacket(context.Background(), network, address)
		return err
	})
	return conn, err
}

// Echo starts a TCP server on the host that sends back what it receives. The returned function
// stops it, and so does the end of the test.
func (h *Host) Echo(address string) (stop func()) {
	h.t.Helper()
	listener, err := h.Listen("tcp", address)
	if err != nil {
		h.t.Fatalf("listening on %s: %v", address, err)
	}
	e := &echo{open: make(map[net.Conn]bool)}
	e.running.Go(func() { e.accept(listener) })
	stop = sync.OnceFunc(func() {
		listener.Close()
		e.closeAll()
		e.running.Wait()
	})
	h.t.Cleanup(stop)
	return stop
}

// An echo is an echo server with its connections.
type echo struct {
	running sync.WaitGroup
	mu      sync.Mutex
	open    map[net.Conn]bool // nil after closeAll
}

func (e *echo) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, syscall.ECONNABORTED) {
			continue
		}
		if err != nil {
			return
		}
		if !e.add(conn) {
			conn.Close()
			return
		}
		e.running.Go(func() {
			_, _ = io.Copy(conn, conn) // the client sees an error too
			e.remove(conn)
			conn.Close()
		})
	}
}

func (e *echo) add(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		return false
	}
	e.open[conn] = true
	return true
}

func (e *echo) remove(conn net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open, conn)
}

func (e *echo) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for conn := range e.open {
		conn.Close()
	}
	e.open = nil
}
