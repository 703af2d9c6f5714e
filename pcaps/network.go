package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// The two machines are network namespaces, joined by one virtual cable. All addresses are reserved
// for documentation (RFC 5737, RFC 3849). The server also has the address of a neighbour, for
// knocks that are not for this host.
const (
	clientSpace = "sesame-pcaps-client"
	serverSpace = "sesame-pcaps-server"

	setUp = `
ip netns add sesame-pcaps-client
ip netns add sesame-pcaps-server
ip link add eth0 netns sesame-pcaps-client address 02:00:00:00:00:09 type veth \
	peer name eth0 netns sesame-pcaps-server address 02:00:00:00:00:01

client() { ip -n sesame-pcaps-client "$@"; }
client link set lo up
client link set eth0 addrgenmode none up
client addr add 203.0.113.9/24 dev eth0
client addr add 192.0.2.44/24 dev eth0
client addr add 2001:db8:9::9/64 dev eth0 nodad
client route add 198.51.100.0/24 dev eth0 src 203.0.113.9
client route add 2001:db8:1::/64 dev eth0

server() { ip -n sesame-pcaps-server "$@"; }
server link set lo up
server link set eth0 addrgenmode none up
server addr add 198.51.100.1/24 dev eth0
server addr add 198.51.100.2/24 dev eth0
server addr add 2001:db8:1::1/64 dev eth0 nodad
server route add 203.0.113.0/24 dev eth0
server route add 192.0.2.0/24 dev eth0
server route add 2001:db8:9::/64 dev eth0
`

	// prelude comes before the client's lines, which use its variables and functions.
	prelude = `
server=198.51.100.1 neighbour=198.51.100.2 server6=2001:db8:1::1
on_server() { ip netns exec sesame-pcaps-server "$@"; }
`
	// linger comes after the client's lines: tcpdump gets packets a moment after they were sent.
	linger = "sleep 0.3\n"
)

// recording is the command that records. In immediate mode each packet takes a slot of the snap
// length in the buffer, so the default snap length would leave few slots, and packets would be
// lost.
var recording = []string{"netns", "exec", serverSpace, "tcpdump", "-n", "-U", "--immediate-mode", "-s", "2048", "-B", "16384", "-w", "-"}

// record runs the client's lines, and returns the capture that tcpdump wrote on the server with the
// given arguments.
func record(ctx context.Context, tcpdump []string, client string) (_ []byte, err error) {
	tearDown()
	defer tearDown()
	if err := shell(ctx, setUp); err != nil {
		return nil, fmt.Errorf("setting up two network namespaces (are you root?): %w", err)
	}
	recorder := exec.CommandContext(ctx, "ip", slices.Concat(recording, tcpdump)...)
	recorder.Cancel = func() error { return recorder.Process.Signal(os.Interrupt) }
	recorder.WaitDelay = 5 * time.Second
	var recorded bytes.Buffer
	recorder.Stdout = &recorded
	stderr, err := recorder.StderrPipe()
	if err != nil {
		return nil, err
	}
	messages := bufio.NewScanner(stderr)
	if err := recorder.Start(); err != nil {
		return nil, err
	}
	err = expect(messages, "tcpdump: listening on")
	if err == nil {
		err = shell(ctx, "exec ip netns exec "+clientSpace+" bash -euc \"$0\"", prelude+client+linger)
	}
	err = errors.Join(err, recorder.Process.Signal(os.Interrupt),
		expect(messages, "0 packets dropped by kernel"), recorder.Wait())
	return recorded.Bytes(), err
}

// tearDown removes the namespaces. It ignores errors, since they may not exist.
func tearDown() {
	for _, space := range []string{clientSpace, serverSpace} {
		exec.Command("ip", "netns", "delete", space).Run()
	}
}

func shell(ctx context.Context, script string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-euc", script}, arguments...)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// expect reads the messages of tcpdump until one has the expected beginning.
func expect(lines *bufio.Scanner, beginning string) error {
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if strings.HasPrefix(lines.Text(), beginning) {
			return nil
		}
	}
	return fmt.Errorf("expected the message %q of tcpdump, got: %s", beginning, strings.Join(seen, "; "))
}
