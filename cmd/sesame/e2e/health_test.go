//go:build linux

package e2e

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/control"
)

// wrong returns the code of each reason why the daemon is not well.
func (w *world) wrong() (codes []string) {
	w.Helper()
	for _, reason := range w.status().Health.Reasons {
		codes = append(codes, reason.Code)
	}
	return codes
}

// becomes waits until the daemon finds exactly this wrong with itself; nothing: it is well.
func (w *world) becomes(codes ...string) {
	w.Helper()
	want := strings.Join(codes, " ")
	w.eventually("wrong is: "+want, func() bool { return strings.Join(w.wrong(), " ") == want })
}

// strict checks the first line and the exit status of sesame status --strict.
func (w *world) strict(status int, first string) {
	w.Helper()
	e := w.sesame("status", "--strict")
	if line, _, _ := strings.Cut(e.stdout, "\n"); e.status != status || line != first {
		w.Errorf("exit status %d, %q; want %d, %q\n%s", e.status, line, status, first, e.stderr)
	}
}

// TestRealDeletedSocket deletes the control socket, and then its lock as well.
func TestRealDeletedSocket(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.strict(done, "health: ok")
	for _, names := range [][]string{{""}, {"", ".lock"}} {
		for _, name := range names {
			if err := os.Remove(w.socket + name); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("the socket is there again", func() bool {
			_, err := w.client().Status(w.Context())
			return err == nil
		})
		if info, err := os.Lstat(w.socket); err != nil || info.Mode() != 0o600|os.ModeSocket {
			t.Errorf("the socket is %v, %v", info, err)
		}
	}
	if n := strings.Count(w.log(), "the control socket was deleted by somebody else, and is made again"); n != 2 {
		t.Errorf("it is logged %d times, want 2", n)
	}
	w.nothingWrong()
	w.knock(sshKnocks...)
	w.opens(ssh4)

	t.Log("# something else stands there")
	if err := errors.Join(os.Remove(w.socket), os.Mkdir(w.socket, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.logged("the control socket was deleted and cannot be made again")
	if err := os.Remove(w.socket); err != nil {
		t.Fatal(err)
	}
	w.eventually("the socket is there again", func() bool {
		_, err := w.client().Status(w.Context())
		return err == nil
	})
	w.becomes()
}

// descriptors returns the numbers of the daemon's open files.
func (w *world) descriptors() map[int]bool {
	w.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(w.daemon.cmd.Process.Pid) + "/fd")
	if err != nil {
		w.Fatal(err)
	}
	all := map[int]bool{}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			w.Fatal(err)
		}
		all[number] = true
	}
	return all
}

// TestRealNoDescriptors takes all file descriptors from the daemon. It opens doors, answers, and
// does not fill the log.
func TestRealNoDescriptors(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.becomes()
	most := 0 // the first number that is free
	for open := w.descriptors(); open[most]; most++ {
	}
	isFree := func() bool {
		open := w.descriptors()
		for number := range most {
			if !open[number] {
				return true
			}
		}
		return false
	}
	pid, limit := w.daemon.cmd.Process.Pid, unix.Rlimit{}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(most), Max: limit.Max}, nil); err != nil {
		t.Fatal(err)
	}
	// Numbers below the limit may be free: connections that say nothing take them, for a while.
	var idle []net.Conn
	w.eventually("it is noticed", func() bool {
		if isFree() {
			conn, err := net.Dial("unix", w.socket)
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, conn)
		}
		return strings.Contains(w.log(), "no file can be opened: grants work")
	})
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if _, err := w.client().Status(w.Context()); err != nil {
		t.Errorf("without a descriptor: %v", err)
	}
	for _, conn := range idle {
		conn.Close()
	}
	if n := strings.Count(w.log(), "too many open files"); n > 10 {
		t.Errorf("%d lines of the log say that there is none:\n%s", n, w.log())
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	w.logged("files can be opened again")
	w.becomes()
}

// TestRealStatusNeverWaitsSilently asks a daemon that is stopped.
func TestRealStatusNeverWaitsSilently(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	if err := w.daemon.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e := w.sesame("status")
	if err := w.daemon.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if e.status != couldNot {
		t.Errorf("exit status %d", e.status)
	}
	contains(t, e.stderr, "does not answer yet; it is waited for, at most 10s", "did not answer within 10s: is it stopped?")
	w.becomes()
}

// TestRealWritableFilesAreReported lets others write a script of a daemon that runs.
func TestRealWritableFilesAreReported(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	script := filepath.Join(w.scripts, "ssh.lua")
	if err := os.Chmod(script, 0o666); err != nil {
		t.Fatal(err)
	}
	w.becomes("writable-files")
	contains(t, w.sesame("status").stdout, script+" (owner 0, mode 0666); run: chmod o-w "+script)
	if err := os.Chmod(script, 0o644); err != nil {
		t.Fatal(err)
	}
	w.becomes()
}

// TestRealScriptFailsIsReported has a function that fails until it is corrected.
func TestRealScriptFailsIsReported(t *testing.T) {
	door := func(does string) string {
		return `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = "10s", guards = "tcp/22",
  on_open = function(a) ` + does + ` a:allow { port = "tcp/22", ttl = "10m" } end }`
	}
	w := newWorld(t, map[string]string{"ssh.lua": door(`error("no user");`)})
	w.start()
	w.knock(sshKnocks...)
	w.becomes("script-fails")
	w.strict(answerNo, "health: degraded: script-fails")
	contains(t, w.sesame("status").stdout, "wrong: on_open of door ssh failed once, last at ", "no user", "correct the script")
	w.write("ssh.lua", door(""))
	w.becomes()
}

// TestRealSetNotSaved lets the scripts be applied while they cannot be saved for the next start.
func TestRealSetNotSaved(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	inTheWay := filepath.Join(w.state, "set.new")
	if err := os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("web.lua", webDoor)
	w.logged("scripts applied: generation=2")
	w.becomes("set-not-saved")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if err := os.RemoveAll(inTheWay); err != nil {
		t.Fatal(err)
	}
	w.becomes() // it is tried again
	w.kill()
	w.write("web.lua", "broken")
	w.start()
	if s := w.status(); s.Scripts.Doors != 2 || !s.Scripts.LastGood {
		t.Errorf("after a start with broken files %d doors run, want the 2 that were saved late", s.Scripts.Doors)
	}
}

// TestRealFirewallBroken puts a table in place of the daemon's that it cannot repair: the kernel
// keeps it for a socket of ours.
func TestRealFirewallBroken(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	var owner *netlink.Conn
	err := w.net.Server.Do(func() (err error) {
		owner, err = netlink.Dial(unix.NETLINK_NETFILTER, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	name := netlink.Attribute{Type: unix.NFTA_TABLE_NAME, Data: []byte("sesame\x00")}
	owned := netlink.Attribute{Type: unix.NFTA_TABLE_FLAGS, Data: []byte{0, 0, 0, 2}} // NFT_TABLE_F_OWNER
	message := func(kind uint16, family byte, flags netlink.HeaderFlags, attributes ...netlink.Attribute) netlink.Message {
		body, err := netlink.MarshalAttributes(attributes)
		if err != nil {
			t.Fatal(err)
		}
		resource := byte(0)
		if len(attributes) == 0 {
			resource = unix.NFNL_SUBSYS_NFTABLES
		}
		return netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags}, Data: append([]byte{family, 0, 0, resource}, body...)}
	}
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	if _, err := owner.SendMessages([]netlink.Message{
		message(unix.NFNL_MSG_BATCH_BEGIN, 0, 0),
		message(subsystem|unix.NFT_MSG_DELTABLE, unix.NFPROTO_INET, 0, name),
		message(subsystem|unix.NFT_MSG_NEWTABLE, unix.NFPROTO_INET, netlink.Create, name, owned),
		message(unix.NFNL_MSG_BATCH_END, 0, 0),
	}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the verdict is broken", func() bool { return w.status().Health.Verdict == control.Broken })
	e := w.sesame("status", "--strict")
	if e.status != answerNo || !strings.HasPrefix(e.stdout, "health: broken: firewall-broken") {
		t.Errorf("exit status %d\n%s", e.status, e.stdout)
	}
	if err := owner.Close(); err != nil { // the kernel removes the table with it
		t.Fatal(err)
	}
	w.becomes()
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
}
