//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A session is what this process runs in, as far as its age matters to a trial.
type session struct {
	name string // "sshd, process 812"
	age  time.Duration
}

// A proc is a proc(5) file system.
type proc string

// A procStat is what /proc/PID/stat tells of a process.
type procStat struct {
	name   string
	parent int
	start  time.Duration // since the machine started
}

// session returns the session of this process.
func (*program) session() (session, error) { return proc("/proc").session(os.Getpid()) }

// maxAncestors is more processes than any shell has above it.
const maxAncestors = 1000

// session finds the session of a process: see the long help of confirm. The first process of a
// connection is the nearest sshd; the one above it waits for connections since the machine started.
// A login that agetty became is as old as that, and so are a service manager and what it started
// long ago.
//
// What was started with setsid, or as the server of tmux, is below the first process of the
// machine, and younger than the session that it is from. The kernel's session id (proc(5)), which
// nobody leaves, tells that session. Without one it is not known, unless it is a service.
func (p proc) session(pid int) (session, error) {
	up, err := p.uptime()
	if err != nil {
		return session{}, err
	}
	found, first, whole := session{}, pid, false
	for range maxAncestors {
		s, err := p.stat(pid)
		if err != nil {
			return session{}, err
		}
		if pid == 1 || s.name == "systemd" || s.name == "login" {
			whole = s.name == "login"
			break
		}
		found = session{fmt.Sprintf("%s, process %d", s.name, pid), max(0, up-s.start)}
		if s.name == "sshd" || s.name == "sshd-session" || s.parent == 0 {
			whole = true
			break
		}
		first, pid = pid, s.parent
	}
	if found.name == "" {
		return found, errors.New("finding the session: no process is above this one")
	}
	if whole {
		return found, nil
	}
	return p.left(found, first, up)
}

// left returns the session of a process that has no other above it than the first one.
func (p proc) left(found session, pid int, up time.Duration) (session, error) {
	oldest, name, err := p.oldest(pid)
	switch {
	case err == nil:
		if age := max(0, up-oldest); age > found.age {
			found = session{name, age}
		}
		return found, nil
	case p.isService(pid):
		return found, nil
	}
	return session{}, err
}

// noSessionID is the session id of a process that nobody logged in for.
const noSessionID = "4294967295"

// oldest returns when the oldest process with the session id of a process started.
func (p proc) oldest(pid int) (start time.Duration, name string, err error) {
	id, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "sessionid"))
	if err != nil || string(bytes.TrimSpace(id)) == noSessionID {
		return 0, "", fmt.Errorf("finding the session: process %d has left it, or has none", pid)
	}
	all, err := filepath.Glob(filepath.Join(string(p), "[0-9]*", "sessionid"))
	if err != nil {
		return 0, "", fmt.Errorf("finding the session: %w", err)
	}
	for _, path := range all {
		other, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(other, id) { // it may have ended
			continue
		}
		number, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // it is one
		s, err := p.stat(number)
		if err == nil && (name == "" || s.start < start) {
			start, name = s.start, fmt.Sprintf("%s, process %d", s.name, number)
		}
	}
	return start, name, nil
}

// isService reports whether a process is one of a service of the machine.
func (p proc) isService(pid int) bool {
	text, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "cgroup"))
	return err == nil && bytes.Contains(text, []byte("/system.slice/")) && bytes.Contains(text, []byte(".service"))
}

// ticks is how many of the kernel's ticks a second has: USER_HZ, which is the same on all machines
// that Go runs on.
const ticks = 100

// stat reads the state of a process. Its name is in parentheses, and may have some itself.
func (p proc) stat(pid int) (s procStat, err error) {
	text, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "stat"))
	if err != nil {
		return s, fmt.Errorf("finding the session: %w", err)
	}
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return s, fmt.Errorf("finding the session: process %d has no name", pid)
	}
	s.name = string(text[begin+1 : end])
	fields := strings.Fields(string(text[end+1:])) // from the third field on
	if len(fields) < 20 {
		return s, fmt.Errorf("finding the session: process %d has %d fields", pid, len(fields))
	}
	start, err := strconv.ParseInt(fields[19], 10, 64)
	if err == nil {
		s.parent, err = strconv.Atoi(fields[1])
	}
	if err != nil {
		return s, fmt.Errorf("finding the session: process %d: %w", pid, err)
	}
	s.start = time.Duration(start) * (time.Second / ticks)
	return s, nil
}

// uptime returns the time since the machine started. Suspends count, as in the start of a process.
func (p proc) uptime() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(string(p), "uptime"))
	if err != nil {
		return 0, fmt.Errorf("finding the session: %w", err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	up, err := time.ParseDuration(first + "s")
	if err != nil {
		return 0, fmt.Errorf("finding the session: /proc/uptime: %w", err)
	}
	return up, nil
}
