package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// addressAbove returns the address of the login that a process belongs to.
func addressAbove(pid int) netip.Addr { return proc("/proc").connection(pid) }

// connection returns the address of the client in the environment of the nearest process above one
// that has it.
func (p proc) connection(pid int) netip.Addr {
	for range maxAncestors {
		s, err := p.stat(pid)
		if err != nil || s.parent <= 1 {
			break
		}
		pid = s.parent
		environment, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "environ"))
		if err != nil {
			continue // it belongs to somebody else
		}
		for one := range strings.SplitSeq(string(environment), "\x00") {
			if value, found := strings.CutPrefix(one, sshConnection+"="); found {
				return parseConnection(value)
			}
		}
	}
	return netip.Addr{}
}
