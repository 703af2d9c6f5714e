//go:build linux

package system

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// The addresses of the machine and of the client.
const (
	machine4, client4 = "192.0.2.1", "192.0.2.9"

	guarded = machine4 + ":22"
	other   = machine4 + ":23" // of the same, if a script guards it
	free    = machine4 + ":80"
)

// configure lets systemd-networkd bring the network up, and a server listen at each port. The
// servers are there before the network, as some of a distribution are.
func (m *machine) configure() {
	m.Helper()
	m.write("/etc/systemd/network/10-eth0.network", `[Match]
Name=eth0
[Network]
Address=`+machine4+`/24
DHCP=no
`)
	m.enable("systemd-networkd.service")
	m.write("/etc/systemd/system/echo.socket", `[Unit]
DefaultDependencies=no
Before=sysinit.target network-pre.target
[Socket]
ListenStream=0.0.0.0:22
ListenStream=0.0.0.0:23
ListenStream=0.0.0.0:80
Accept=yes
TriggerLimitIntervalSec=0
[Install]
WantedBy=sysinit.target
`)
	m.write("/etc/systemd/system/echo@.service", `[Service]
ExecStart=/usr/bin/cat
StandardInput=socket
`)
	m.enable("echo.socket")
}

// linked gives the client's end of the link its address, and reports whether it could.
func (m *machine) linked() bool {
	link := "ve-" + m.name
	for _, argv := range [][]string{
		{"ip", "link", "show", link},
		{"ip", "address", "replace", client4 + "/24", "dev", link},
		{"ip", "link", "set", link, "up"},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		if m.client.Do(cmd.Start) != nil || cmd.Wait() != nil {
			return false
		}
	}
	// The client asks for the machine's hardware address again and again until it is there, and so
	// meets its network as soon as it is up.
	return m.client.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/neigh/"+link+"/retrans_time_ms", []byte("50"), 0)
	}) == nil
}

// connects reports whether the client gets in.
func (m *machine) connects(address string) bool { return m.client.Connects(address, time.Second) }

// opens waits until the client gets in.
func (m *machine) opens(address string) {
	m.Helper()
	m.eventually(address+" is open", func() bool { return m.connects(address) })
}

// shut checks that the client does not get in now.
func (m *machine) shut(address string) {
	m.Helper()
	if m.connects(address) {
		m.Errorf("%s is open", address)
	}
}

// sshDoor is a door whose grants no test outlives.
const sshDoor = `sesame.door "ssh" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "30s",
  guards = "tcp/22", ttl = "30m",
}
`

// otherDoor is one that nobody opens.
const otherDoor = `sesame.door "other" {
  sequence = { "tcp/5115", "udp/3771", "tcp/8264", "tcp/4093" }, within = "30s",
  guards = "tcp/23", ttl = "30m",
}
`

var sshKnocks = []string{"tcp/7421", "udp/9133", "tcp/2904", "tcp/6117"}

// session connects from the client, for as long as the test lasts.
func (m *machine) session(address string) net.Conn {
	m.Helper()
	conn, err := m.client.Dial("tcp", address, patience)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { conn.Close() })
	m.echoes(conn)
	return conn
}

// echoes checks that a session goes on.
func (m *machine) echoes(conn net.Conn) {
	m.Helper()
	answer := make([]byte, 1)
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err := conn.Write([]byte{'x'})
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil {
		m.Errorf("the session has ended: %v", err)
	}
}

// knock knocks from the client, with the real program.
func (m *machine) knock(knocks ...string) {
	m.Helper()
	var out strings.Builder
	cmd := exec.Command(program, append([]string{"knock", "-d", "20", machine4}, knocks...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := m.client.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		m.Fatalf("sesame knock: %v\n%s", err, out.String())
	}
}

// A stranger connects to a port again and again.
type stranger struct {
	*testing.T
	accepted int // connections
	refused  int // by the machine: its network was up

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// stranger starts one. A machine that is off does not refuse it.
func (m *machine) stranger(address string) *stranger {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stranger{T: m.T, cancel: cancel}
	m.Cleanup(s.stop)
	s.done.Go(func() {
		for ctx.Err() == nil {
			s.try(m.client, address)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return s
}

func (s *stranger) try(client *livetest.Host, address string) {
	conn, err := client.Dial("tcp", address, 100*time.Millisecond)
	switch {
	case err == nil:
		conn.Close()
		s.accepted++
	case errors.Is(err, syscall.ECONNREFUSED):
		s.refused++
	}
}

func (s *stranger) stop() {
	s.cancel()
	s.done.Wait()
}

// keptOut checks that the stranger has met a machine whose network was up, and never got in.
func (s *stranger) keptOut() {
	s.Helper()
	if s.stop(); s.accepted > 0 || s.refused == 0 {
		s.Errorf("the stranger got in %d times, and was refused %d times: expected 0 and more", s.accepted, s.refused)
	}
}
