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

// processes writes a proc file system with these processes: the pid, the name, the parent, and when
// it started, in seconds. The machine is up for 1000 s.
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
		{"the server of tmux", "7,sesame,6,990\n6,bash,5,980\n5,tmux: server,1,100\n1,systemd,0,0", "tmux: server, process 5, 900.25s"},
		{"a console", "7,sesame,6,990\n6,bash,5,980\n5,login,1,3\n1,systemd,0,0", "bash, process 6, 20.25s"},
		{"a unit of systemd", "7,sesame,1,990\n1,systemd,0,0", "sesame, process 7, 10.25s"},
		{"a terminal of a desktop", "7,sesame,6,990\n6,bash,5,980\n5,terminal,4,70\n4,systemd,1,60\n1,systemd,0,0", "terminal, process 5, 930.25s"},
		{"a container", "7,sesame,6,990\n6,bash,0,980", "bash, process 6, 20.25s"},
		{"a name with parentheses", "7,sesame,6,990\n6,a) S (b,1,980\n1,init,0,0", "a) S (b, process 6, 20.25s"},
		{"the machine's first process", "7,sesame,1,990\n1,sesame,0,0", "sesame, process 7, 10.25s"},
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
	none := processes(t, "1,systemd,0,0\n7,sesame,6,990\n9,sesame,9,1")
	for _, pid := range []int{1, 7, 8} {
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
	own, err := (&program{}).session()
	if err != nil || own.name == "" || own.age <= 0 {
		t.Errorf("of this process: %+v, %v", own, err)
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
