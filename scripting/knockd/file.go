// Package knockd turns a knockd.conf into doors.
//
// It reads the file as knockd 0.8 does, whatever it makes of it: see parse.go.
// What knockd takes without a word, and yet hardly as it was meant, becomes a
// [Warning]. Doors (door.go) are what the engine matches, command.go is what they
// run, and Script (script.go) is the same as a Lua script, so that somebody who
// reads it sees all of it.
package knockd

import (
	"fmt"
	"net/netip"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A File is a knockd.conf as knockd understands it.
type File struct {
	Path     string // as it was named, for messages
	Options  Options
	Doors    []Door    // in the order of the file, which decides what acts first
	Warnings []Warning // by line, 1,000 at most, and then those of other files
}

// Options are those of the section [options]. They say how knockd runs, which
// Sesame is told in its own configuration.
type Options struct {
	Syslog    bool
	LogFile   string
	PIDFile   string
	Interface string
}

// A Door is a section other than [options].
type Door struct {
	// Name is the section's, with a number behind it when an earlier door has that,
	// and of plain text: 1 to 127 bytes of UTF-8 without control characters.
	Name    string
	Section string // as the file has it, any bytes
	Line    int    // of the section; all lines are counted as knockd counts them

	// Sequence is empty when OneTime has all of them; with OneTime it is the first.
	// Port 0 is possible.
	Sequence []packet.Port
	OneTime  string // path of a file of one-time sequences, as the file has it; "": none
	// OneTimeLine is the line that names that file.
	OneTimeLine int
	Timeout     int // seconds for the whole sequence; zero or below: no second knock is ever in time
	// Flags is what a TCP packet must carry to concern the door; zero: anything.
	Flags  engine.FlagTest
	Target netip.Addr // valid: the one destination that counts
	// Unreachable says that the target is no plain address: nothing is ever sent to it,
	// so the door never opens, and no packet concerns it.
	Unreachable bool

	Start Command // for all, or for IPv4 when there are commands of IPv6
	Stop  Command
	// Start6 and Stop6 are nil when the file has none: then Start and Stop are for
	// IPv6 too. An empty one does nothing.
	Start6, Stop6  *Command
	CommandTimeout int // seconds from the start to the stop; below zero is zero
}

// A Command is what knockd hands to /bin/sh -c, with %IP% for the source.
type Command struct {
	Text string // "": none
	Line int
}

// A Warning is something that knockd accepts without a word, and that hardly means
// what it seems to.
type Warning struct {
	File string // "": the knockd.conf; else the file of one-time sequences that has the line
	Line int
	Door string // its name; "" for what is in no door
	Text string // what knockd makes of it, and what to write instead
	// Order says that it is the order of the ports, or that one door is opened on
	// the way to another: of those `sesame check` has findings of its own.
	Order bool
}

// A SyntaxError says why knockd refuses a file.
type SyntaxError struct {
	Path    string
	Line    int // 0: of no line
	Message string
}

// Error returns "path:line: message".
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Message)
}
