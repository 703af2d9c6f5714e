//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sesame/daemon/control"
)

// daemonUser is a user of this number alone, whom the daemon of these tests runs as.
const daemonUser = 12345

// A helped world has a daemon of a user who is not root, and a helper that is.
type helped struct {
	*world
	helper *exec.Cmd // nil: it does not run
	by     []string  // a program and its arguments that the helper is run by; nil: none
}

// commandDoor has a command that root alone can run, and its undo.
const commandDoor = `local let = sesame.command { "PROGRAM", "in", "{source}", undo = { "PROGRAM", "out", "{source}" } }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = "10s", guards = "tcp/22", ttl = "TTL",
  on_open = function(attempt) attempt:exec(let) attempt:allow() end }`

// newHelped returns a world whose scripts, programs and one-time sequences root alone can read.
func newHelped(t *testing.T, ttl string) *helped {
	t.Helper()
	h := &helped{world: newWorld(t, nil)}
	h.write("ssh.lua", strings.NewReplacer("PROGRAM", h.program(), "TTL", ttl).Replace(commandDoor))
	root, state := filepath.Dir(h.program()), h.path("run")
	err := errors.Join(
		os.Chmod(filepath.Dir(h.dir), 0o755), os.Chmod(h.scripts, 0o700), os.Mkdir(root, 0o700),
		os.WriteFile(h.program(), []byte("#!/bin/sh\necho \"$@\" \"$(id -u)\" >> "+h.path("root/ran")+"\n"), 0o700),
		os.Mkdir(state, 0o700), os.Chown(state, daemonUser, daemonUser), os.Mkdir(h.state, 0o700), os.Chown(h.state, daemonUser, daemonUser),
		os.WriteFile(h.path("sesame.toml"), []byte(fmt.Sprintf("helper = %q\n", h.path("helper.sock"))), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	user := strconv.Itoa(daemonUser)
	h.within = []string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps", "+net_raw,+net_admin", "--ambient-caps", "+net_raw,+net_admin"}
	h.flags = []string{"-c", h.path("sesame.toml")}
	return h
}

func (h *helped) program() string { return h.path("root/program") }

// ran returns what the program was called with, and by which user.
func (h *helped) ran() []string {
	return strings.Fields(strings.ReplaceAll(h.content("root/ran"), " ", "_"))
}

// startHelper starts a helper, and waits until it listens.
func (h *helped) startHelper() {
	h.Helper()
	_ = os.Remove(h.path("helper.sock"))
	out, err := os.OpenFile(h.path("helper.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		h.Fatal(err)
	}
	defer out.Close()
	argv := slices.Concat(h.by, []string{"setpriv", "--groups", "4,27", "sesame", "helper", "--listen", h.path("helper.sock"), "--owner", strconv.Itoa(daemonUser),
		"--directory", h.path("helper"), "--idle", "0", "-s", h.scripts, "-c", h.path("sesame.toml")})
	h.helper = exec.Command(argv[0], argv[1:]...)
	h.helper.Stdout, h.helper.Stderr, h.helper.Env = out, out, environment()
	h.net.Server.Start(h.helper)
	h.eventually("the helper listens", func() bool {
		_, err := os.Stat(h.path("helper.sock"))
		return err == nil
	})
	h.Cleanup(func() {
		if h.Failed() {
			h.Logf("log of the helper:\n%s", h.content("helper.log"))
		}
	})
}

func (h *helped) killHelper() {
	h.Helper()
	_ = h.helper.Process.Kill()
	_ = h.helper.Wait() // it was killed
}

// wants waits until the program ran so often, and compares how.
func (h *helped) wants(lines ...string) {
	h.Helper()
	h.eventually(fmt.Sprintf("%q ran", lines), func() bool { return len(h.ran()) >= len(lines) })
	if got := h.ran(); !slices.Equal(got, lines) {
		h.Errorf("ran %q: want %q", got, lines)
	}
}

// health waits until the status has this code, or nothing wrong when it is empty.
func (h *helped) health(code string) control.Status {
	h.Helper()
	var s control.Status
	h.eventually("the health is "+code, func() bool {
		s = h.status()
		if code == "" {
			return s.Health.Verdict == control.OK
		}
		return slices.ContainsFunc(s.Health.Reasons, func(r control.Reason) bool { return r.Code == code })
	})
	return s
}

// TestRealHelper lets a daemon that is not root use scripts that root alone can read, with
// commands and one-time sequences.
func TestRealHelper(t *testing.T) {
	h := newHelped(t, "2s")
	h.outside("root/once", "1001,1002:udp\n")
	h.write("once.lua", `sesame.door "once" { one_time_sequences = "`+h.path("root/once")+`", within = "10s", guards = "tcp/80" }`)
	h.startHelper()
	h.start()
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.daemon.cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	} else if !bytes.Contains(status, []byte("Uid:\t12345\t12345\t12345")) || !bytes.Contains(status, []byte("CapPrm:\t0000000000003000")) {
		t.Errorf("%s", status)
	}
	contains(t, h.answer("status"), "commands are run by the helper as root")
	if s := h.status(); !s.Helper.Used {
		t.Errorf("%+v", s.Helper)
	}
	h.nothingWrong()
	client := h.net.Client.IPv4.Addr().String()

	t.Log("# a command and its undo")
	h.knock(sshKnocks...)
	h.opens(ssh4)
	h.wants("in_"+client+"_0", "out_"+client+"_0")

	t.Log("# which have no groups of who started the helper")
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.helper.Process.Pid)); err != nil || !regexp.MustCompile(`\nGroups:\s*\n`).Match(status) {
		t.Errorf("%v: %s", err, status)
	}

	t.Log("# a one-time sequence")
	h.knock("tcp/1001", "udp/1002")
	h.eventually("the sequence is commented out", func() bool { return h.content("root/once") == "#001,1002:udp\n" })

	t.Log("# an edit")
	h.write("web.lua", strings.NewReplacer(`"ssh"`, `"web"`, "7421", "7521", "9133", "9233", "tcp/22", "tcp/8080").Replace(longDoor))
	h.logged("generation=2")
	h.write("web.lua", "sesame.dor {}")
	h.health("scripts-rejected")
	if err := os.Remove(filepath.Join(h.scripts, "web.lua")); err != nil {
		t.Fatal(err)
	}
	h.reload("tcp/8080")
	h.nothingWrong()
	if got := h.stop(); got != done {
		t.Errorf("exit status %d", got)
	}
}

// TestRealHelperIsKilled kills the helper, the daemon or both while an undo is owed. It runs once.
func TestRealHelperIsKilled(t *testing.T) {
	for _, tt := range []struct {
		name           string
		helper, daemon bool // is killed
		forgets        bool // the daemon loses its state
	}{
		{"the helper", true, false, false},
		{"the daemon", false, true, false},
		{"both", true, true, false},
		{"the daemon, which loses its state", false, true, true},
		{"both, and the daemon loses its state", true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHelped(t, "4s")
			h.startHelper()
			h.start()
			client := h.net.Client.IPv4.Addr().String()
			h.knock(sshKnocks...)
			in, out := "in_"+client+"_0", "out_"+client+"_0"
			h.wants(in)
			h.logged("commands ran: count=1") // one that is still running would fail
			if tt.daemon {
				h.kill()
			}
			if tt.helper {
				h.killHelper()
			}
			if tt.forgets {
				if err := errors.Join(os.RemoveAll(h.state), os.Mkdir(h.state, 0o700), os.Chown(h.state, daemonUser, daemonUser)); err != nil {
					t.Fatal(err)
				}
			}
			if tt.helper && !tt.daemon {
				h.health("helper-gone")
			}
			if tt.helper {
				h.startHelper()
			}
			if tt.daemon {
				h.start()
			}
			h.health("")
			h.wants(in, out)
			if h.stop(); len(h.ran()) != 2 {
				t.Errorf("ran %q", h.ran())
			}
		})
	}
}

// TestRealHelperIsGone refuses commands while there is no helper, and opens ports.
func TestRealHelperIsGone(t *testing.T) {
	h := newHelped(t, "1s")
	h.write("web.lua", strings.NewReplacer(`"ssh"`, `"web"`, "7421", "7521", "9133", "9233", "tcp/22", "tcp/22").Replace(longDoor))
	h.startHelper()
	h.start()
	h.killHelper()
	h.health("helper-gone")
	h.knock(sshKnocks...)
	h.eventually("the command is refused", func() bool { return strings.Contains(h.transcript(), "the helper that runs commands does not answer") })
	h.knock("tcp/7521", "udp/9233", "tcp/2904")
	h.opens(ssh4)
	h.startHelper()
	h.eventually("the helper is back", func() bool { return h.status().Helper.Gone == "" })
	h.write("web.lua", "-- nothing")
	h.eventually("the edit is seen", func() bool { return h.status().Scripts.Doors == 1 })
	h.knock(sshKnocks...)
	client := h.net.Client.IPv4.Addr().String()
	h.wants("in_"+client+"_0", "out_"+client+"_0")
	h.health("")
}

// TestRealHelperUnused has no commands, so no helper is needed.
func TestRealHelperUnused(t *testing.T) {
	h := newHelped(t, "1s")
	h.write("ssh.lua", longDoor)
	if err := os.Chmod(h.scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	h.start()
	if s := h.status(); s.Helper.Used || s.Helper.Unused != "no script has a command or one-time sequences" {
		t.Errorf("%+v", s.Helper)
	}
	h.nothingWrong()
}
