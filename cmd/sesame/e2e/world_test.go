//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// The tests called TestReal run the program as it is run: a daemon that is a
// process of its own, in a network of its own, with the kernel's own nftables, and
// a client on the other side of a link.

const (
	server4 = "198.51.100.1"
	server6 = "2001:db8:1::1"

	// shutLimit is how long a connection to a port that must be shut is given.
	shutLimit = 150 * time.Millisecond
)

// sshDoor is a door without functions, with a ttl that a test can wait for.
const sshDoor = `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = "10s", guards = "tcp/22", ttl = "2s" }`

// longDoor is the same with a ttl that no test waits for.
const longDoor = `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = "10s", guards = "tcp/22", ttl = "10m" }`

var sshKnocks = []string{"tcp/7421", "udp/9133", "tcp/2904"}

// A world is a network of two hosts, and what a daemon on one of them needs.
type world struct {
	*testing.T
	net     *livetest.Network
	dir     string
	scripts string
	state   string
	socket  string
	flags   []string // of sesame run, beside the usual
	within  []string // a program and its arguments that sesame run is run by; nil: none
	sender  *livetest.Sender
	daemon  *process // that was started last
	starts  int

	beforeKill func() // what a daemon needs to be able to end; nil: nothing
}

// newWorld returns a world whose script files are these, with a server behind
// the port that doors here guard. Tests with worlds run side by side.
func newWorld(t *testing.T, files map[string]string) *world {
	t.Helper()
	t.Parallel()
	w := &world{T: t, net: livetest.New(t), dir: t.TempDir()}
	w.scripts, w.state, w.socket = w.path("scripts"), w.path("state"), w.path("run/socket")
	if err := os.Mkdir(w.scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		w.write(name, text)
	}
	var err error
	if w.sender, err = w.net.Client.OpenSender(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sender.Close() })
	if _, err := user.Lookup("sesame"); err == nil { // most daemons of these tests are root
		w.withAccounts("", "")
	}
	w.net.Server.Echo(server4 + ":22")
	w.net.Server.Echo("[" + server6 + "]:22")
	return w
}

// path returns a place of the world's own.
func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write gives a script file its text, as most editors do: the old file is there
// until the new one is.
func (w *world) write(name, text string) {
	w.Helper()
	aside := w.path("scripts." + filepath.Base(name))
	if err := errors.Join(os.WriteFile(aside, []byte(text), 0o644), os.Rename(aside, filepath.Join(w.scripts, name))); err != nil {
		w.Fatal(err)
	}
}

// A process is a run of the daemon.
type process struct {
	cmd    *exec.Cmd
	log    string // file
	exited chan struct{}
	err    error // of Wait, when it has exited
}

// running reports whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// launch starts a daemon, and does not wait for anything.
func (w *world) launch() *process {
	w.Helper()
	out, err := os.Create(w.path(fmt.Sprintf("log%d", w.starts+1)))
	if err != nil {
		w.Fatal(err)
	}
	return w.launchInto(out)
}

// launchInto starts a daemon that writes all it says to out, and closes that here.
func (w *world) launchInto(out *os.File) *process {
	w.Helper()
	defer out.Close()
	w.starts++
	p := &process{log: out.Name(), exited: make(chan struct{})}
	argv := slices.Concat(w.within, []string{daemonProgram, "run", "-s", w.scripts, "--state", w.state, "--socket", w.socket}, w.flags)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = out, out, environment()
	w.net.Server.Start(p.cmd)
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	w.daemon = p
	number := w.starts
	w.Cleanup(func() {
		if w.beforeKill != nil {
			w.beforeKill()
		}
		_ = p.cmd.Process.Kill() // most often it has ended
		<-p.exited
		text, _ := os.ReadFile(p.log) // a pipe has none
		if bytes.Contains(text, []byte("DATA RACE")) || bytes.Contains(text, []byte("panic: ")) {
			w.Errorf("run %d has a fault", number)
		}
		if w.Failed() && number > w.starts-3 {
			w.Logf("log of run %d:\n%s", number, text)
		}
	})
	return p
}

// start starts a daemon, and waits until it guards.
func (w *world) start() {
	w.Helper()
	p := w.launch()
	w.eventually("the daemon is ready", func() bool {
		if !p.running() {
			w.Fatalf("the daemon has ended: %v", p.err)
		}
		return strings.Contains(w.log(), "[INFO]  ready: ")
	})
	w.eventually("the daemon answers", func() bool {
		_, err := w.client().Status(w.Context())
		return err == nil
	})
}

// kill ends the daemon as a crash does.
func (w *world) kill() {
	_ = w.daemon.cmd.Process.Kill() // it may have ended
	<-w.daemon.exited
}

// stop ends the daemon as a person does, and returns its exit status.
func (w *world) stop() int { w.Helper(); return w.endBy(syscall.SIGTERM) }

// makeWay ends the daemon as a restart by systemd does, and returns its exit status.
func (w *world) makeWay() int { w.Helper(); return w.endBy(syscall.SIGUSR2) }

func (w *world) endBy(by os.Signal) int {
	w.Helper()
	if err := w.daemon.cmd.Process.Signal(by); err != nil {
		w.Fatal(err)
	}
	return w.exit()
}

// exit returns the exit status of a daemon that ends.
func (w *world) exit() int {
	w.Helper()
	w.eventually("the daemon has ended", func() bool { return !w.daemon.running() })
	return w.daemon.cmd.ProcessState.ExitCode()
}

// log returns what the daemon has logged.
func (w *world) log() string {
	w.Helper()
	text, err := os.ReadFile(w.daemon.log)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// runOn runs a program on a host to its end.
func (w *world) runOn(h *livetest.Host, argv ...string) ended {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, environment()
	err := h.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		w.Fatalf("running %s: %v", strings.Join(argv, " "), err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// sesame asks the daemon with the program.
func (w *world) sesame(args ...string) ended {
	w.Helper()
	return w.runOn(w.net.Server, append([]string{"sesame"}, append(args, "--socket", w.socket)...)...)
}

// answer asks the daemon with the program, and returns what it says when all is
// well.
func (w *world) answer(args ...string) string {
	w.Helper()
	e := w.sesame(args...)
	if e.status != 0 {
		w.Fatalf("sesame %s: exit status %d\n%s%s", strings.Join(args, " "), e.status, e.stdout, e.stderr)
	}
	return e.stdout
}

// answerOffline runs a part of the program that needs no daemon.
func (w *world) answerOffline(args ...string) string {
	w.Helper()
	e := runHere(w, args...)
	if e.status == couldNot {
		w.Fatalf("sesame %s: exit status %d\n%s", strings.Join(args, " "), e.status, e.stderr)
	}
	return e.stdout
}

func (w *world) client() *control.Client { return control.Dial(w.socket) }

func (w *world) status() control.Status {
	w.Helper()
	s, err := w.client().Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) grants() []control.Grant {
	w.Helper()
	g, err := w.client().Grants(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) reload(unguard ...string) ended {
	w.Helper()
	args := []string{"reload"}
	for _, port := range unguard {
		args = append(args, "--unguard", port)
	}
	return w.sesame(args...)
}

// knock knocks from the client's address, with bare packets. Most tests are about what comes of
// knocks, and need no program that sends them. The link must be the one that was there first.
func (w *world) knock(knocks ...string) {
	w.Helper()
	w.send(w.net.Client.IPv4.Addr(), knocks...)
}

// knockAt knocks from the client, with the real client.
func (w *world) knockAt(address string, knocks ...string) {
	w.Helper()
	e := w.runOn(w.net.Client, append([]string{"sesame", "knock", "-d", "5", address}, knocks...)...)
	if e.status != 0 {
		w.Fatalf("sesame knock: exit status %d\n%s%s", e.status, e.stdout, e.stderr)
	}
}

// send sends knocks of any source as bare packets, at once.
func (w *world) send(source netip.Addr, knocks ...string) {
	w.Helper()
	if _, _, err := w.sender.Send(context.Background(), livetest.Knocks(source, knocks...), 0); err != nil {
		w.Fatal(err)
	}
}

// sendAt sends them to another address than the server's first.
func (w *world) sendAt(to string, source netip.Addr, knocks ...string) {
	w.Helper()
	address := netip.MustParseAddr(to)
	there := func(yield func(livetest.Knock) bool) {
		for k := range livetest.Knocks(source, knocks...) {
			if k.To = address; !yield(k) {
				return
			}
		}
	}
	if _, _, err := w.sender.Send(context.Background(), there, 0); err != nil {
		w.Fatal(err)
	}
}

// connects reports whether a client gets in. A dropped client gets no answer, so
// that takes a while. It asks the kernel for the answer and not a timer of ours:
// on a machine with much else to do the two may be reported in the wrong order.
func (w *world) connects(address string) bool {
	w.Helper()
	to := netip.MustParseAddrPort(address)
	family, socket := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, socket = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	open := false
	err := w.net.Client.Do(func() error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, socket); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		for end := time.Now().Add(shutLimit); ready[0].Revents == 0 && time.Now().Before(end); {
			if _, err := unix.Poll(ready, int(time.Until(end).Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		const established = 1
		open = err == nil && info.State == established
		return err
	})
	if err != nil {
		w.Fatalf("connecting to %s: %v", address, err)
	}
	return open
}

// opens waits until a client gets in.
func (w *world) opens(address string) {
	w.Helper()
	w.eventually(address+" is open", func() bool { return w.connects(address) })
}

// shut checks that a client does not get in now.
func (w *world) shut(address string) {
	w.Helper()
	if w.connects(address) {
		w.Errorf("%s is open", address)
	}
}

// shuts waits until no client gets in any more.
func (w *world) shuts(address string) {
	w.Helper()
	w.eventually(address+" is shut", func() bool { return !w.connects(address) })
}

// nothingWrong checks that the daemon finds nothing wrong with itself.
func (w *world) nothingWrong() {
	w.Helper()
	if health := w.status().Health; health.Verdict != control.OK {
		w.Errorf("wrong: %+v", health)
	}
}

// transcript returns the lines of all events, as sesame events --json prints them. Many tests wait
// for a line, so it starts no program.
func (w *world) transcript() string {
	w.Helper()
	var lines bytes.Buffer
	if err := w.client().Events(w.Context(), control.EventsRequest{JSON: true}, &lines); err != nil {
		w.Fatal(err)
	}
	return lines.String()
}

const (
	ssh4 = server4 + ":22"
	ssh6 = "[" + server6 + "]:22"
)

// contains checks that a text has parts.
func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("expected %q in:\n%s", part, text)
		}
	}
}
