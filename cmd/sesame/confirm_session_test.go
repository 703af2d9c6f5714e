//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// processes writes a proc file system with these processes: the pid, the name, the parent, when it
// started, in seconds, and perhaps the id of its session and its cgroup. The machine is up for
// 1000 s.
func processes(t *testing.T, lines string) proc {
	t.Helper()
	p := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(p, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("uptime", "1000.25 7000.00\n")
	for line := range strings.Lines(lines) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		start, err := strconv.Atoi(fields[3])
		if err != nil {
			t.Fatal(err)
		}
		if len(fields) > 4 {
			write(fields[0]+"/sessionid", fields[4])
		}
		if len(fields) > 5 {
			write(fields[0]+"/cgroup", "0::"+fields[5]+"\n")
		}
		write(fields[0]+"/stat", fmt.Sprintf("%s (%s) S %s 5 5 34816 5 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 9 9\n", fields[0], fields[1], fields[2], start*ticks))
	}
	return proc(p)
}

func TestSessionsOfAProcess(t *testing.T) {
	for _, c := range []struct{ name, processes, want string }{
		{"the nearest sshd, and not the one that listens", `7,sesame,6,990
6,sudo,5,989
5,bash,4,500
4,sshd-session,3,499
3,sshd-session,2,498
2,sshd,1,5
1,systemd,0,0`, "sshd-session, process 4, 501.25s"},
		{"an earlier sshd", "7,sesame,4,990\n4,sshd,1,499\n1,init,0,0", "sshd, process 4, 501.25s"},
		{"an old server of tmux, in a new session", "7,sesame,6,990,3\n6,bash,5,980,3\n5,tmux: server,1,100,3\n1,systemd,0,0", "tmux: server, process 5, 900.25s"},
		{"a new server of tmux, in an old session", "7,sesame,6,990,3\n6,bash,5,980,3\n5,tmux: server,1,970,3\n4,sshd,1,40,3\n3,sshd,1,4,2\n1,systemd,0,0," + noSessionID, "sshd, process 4, 960.25s"},
		{"setsid in an old session", "7,sesame,1,990,3\n4,sshd,1,40,3\n1,systemd,0,0," + noSessionID, "sshd, process 4, 960.25s"},
		{"another session is older", "7,sesame,1,990,3\n4,sshd,1,40,2\n1,systemd,0,0," + noSessionID, "sesame, process 7, 10.25s"},
		{"a console", "7,sesame,6,990\n6,bash,5,980\n5,login,1,3\n1,systemd,0,0", "bash, process 6, 20.25s"},
		{"a unit of systemd", "7,sesame,1,990," + noSessionID + ",/system.slice/confirm.service\n1,systemd,0,0", "sesame, process 7, 10.25s"},
		{"a job of cron", "7,sesame,6,990," + noSessionID + ",/system.slice/cron.service\n6,cron,1,5," + noSessionID + ",/system.slice/cron.service\n1,systemd,0,0", "cron, process 6, 995.25s"},
		{"a terminal of a desktop", "7,sesame,6,990,4\n6,bash,5,980,4\n5,terminal,4,70,4\n4,systemd,1,60,4\n1,systemd,0,0", "systemd, process 4, 940.25s"},
		{"a container", "7,sesame,6,990\n6,bash,0,980", "bash, process 6, 20.25s"},
		{"a name with parentheses", "7,sesame,6,990\n6,a) S (b,0,980\n1,init,0,0", "a) S (b, process 6, 20.25s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := processes(t, c.processes).session(7)
			if got := fmt.Sprintf("%s, %vs", s.name, s.age.Seconds()); err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestSessionsThatAreNotKnown(t *testing.T) {
	none := processes(t, `1,systemd,0,0
7,sesame,6,990
9,sesame,9,1,3
10,sesame,1,990
11,sesame,1,990,`+noSessionID+`
12,sesame,1,990,`+noSessionID+`,/user.slice/user-0.slice/session-3.scope
13,sesame,1,990,`+noSessionID+`,/user.slice/user@0.service/app.service`)
	for _, pid := range []int{1, 7, 8, 10, 11, 12, 13} {
		if s, err := none.session(pid); err == nil {
			t.Errorf("process %d: %+v", pid, s)
		}
	}
	if s, err := none.session(9); err != nil || s.age != 999250*time.Millisecond { // a parent of itself ends the search
		t.Errorf("a loop: %+v, %v", s, err)
	}
	if _, err := proc(t.TempDir()).session(7); err == nil {
		t.Error("without a time since the start")
	}
	if own, err := (&program{}).session(); err == nil && (own.name == "" || own.age <= 0) {
		t.Errorf("of this process: %+v", own)
	}
}

// Whatever stands in the file of a process, nothing panics.
func FuzzProcStat(f *testing.F) {
	f.Add("7 (sesame) S 6 5 5 34816 5 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99000 9 9\n")
	f.Add("7 )(")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "7"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "7", "stat"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = proc(dir).stat(7)
	})
}
