// Package confine turns a list of what a process needs into limits that the kernel holds it to, in
// all its threads and for good: Landlock for files, for TCP and for programs outside, and seccomp
// for system calls.
//
// Both are a second wall. A process whose memory an attacker controls keeps its user and its
// capabilities: with CAP_NET_ADMIN it can open every port, and with CAP_NET_RAW it can send any
// packet. It cannot start a program, look into another process, speak with the system's services
// (D-Bus, systemd), or read and write other files than those it was given.
//
// files.go finds the places that a list of files takes, landlock.go makes rules of them, and
// seccomp.go and calls.go are the filter of system calls.
package confine

import (
	"errors"
	"fmt"
	"strings"
)

// A Report says what the kernel holds the process to.
type Report struct {
	Held    []string // such as "system calls"; each is a clause for people
	Missing []error  // what could not be limited, and why
}

// String returns text such as "system calls, files (Landlock 7)".
func (r Report) String() string {
	text := strings.Join(r.Held, ", ")
	if text == "" {
		text = "nothing"
	}
	for _, err := range r.Missing {
		text += "; not " + err.Error()
	}
	return text
}

// Apply limits the process to its needs. It does what the kernel and the architecture allow: the
// report names the rest. The error is for a process that is only partly limited, by thread, which
// must not go on.
//
// It waits for every thread. One that hangs in the kernel would make it wait for ever.
func Apply(n Needs) (r Report, err error) {
	version, err := restrictFiles(n)
	if err != nil {
		r.Missing = append(r.Missing, fmt.Errorf("files: %w", err))
	} else {
		r.Held = append(r.Held, fmt.Sprintf("files (Landlock %d)", version))
	}
	tcp := version >= versionOfNetwork
	switch err := filterCalls(sockets{tcp: tcp, helper: n.Helper}); {
	case errors.Is(err, errPartly):
		return r, err
	case err != nil:
		r.Missing = append(r.Missing, fmt.Errorf("system calls: %w", err))
	case tcp:
		r.Held = append(r.Held, "system calls", "TCP to port 53")
	default:
		r.Held = append(r.Held, "system calls", "no TCP")
	}
	return r, nil
}
