package engine

import (
	"net/netip"
	"strconv"
	"time"

	"sesame/daemon/packet"
)

// A Grant is access given, or a command run that is owed its undo.
type Grant struct {
	ID      uint64
	Door    string // empty: a person's grant
	Source  netip.Prefix
	Port    packet.Port // zero for a command
	Argv    []string    // nil for a port
	Undo    []string
	Timeout time.Duration // of Undo
	TTL     time.Duration
	End     time.Time // engine time, absolute
}

func place(script string, line int) string {
	if script == "" {
		return ""
	}
	if line == 0 {
		return script + ": "
	}
	return script + ":" + strconv.Itoa(line) + ": "
}
