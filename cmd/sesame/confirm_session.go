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
func (p proc) session(pid int) (session, error) {
	up, err := p.uptime()
	if err != nil {
		return session{}, err
	}
	found := session{}
	for range maxAncestors {
		s, err := p.stat(pid)
		if err != nil {
			return session{}, err
		}
		if pid == 1 || s.name == "systemd" || s.name == "login" {
			break
		}
		found = session{fmt.Sprintf("%s, process %d", s.name, pid), max(0, up-s.start)}
		if s.name == "sshd" || s.name == "sshd-session" || s.parent == 0 {
			break
		}
		pid = s.parent
	}
	if found.name == "" {
		return found, errors.New("finding the session: no process is above this one")
	}
	return found, nil
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
