// Package knockd turns a knockd.conf into doors.
//
// [Parse] reads the file as knockd 0.8 does, also where knockd surely means something else. So the
// same file opens the same doors in both programs. Where a line hardly means what its author meant,
// the file gets a [Warning].
//
// A [File] then becomes one of two things. [File.EngineDoors] returns doors as the engine matches
// them, for a script that reads the file itself. [File.Script] returns a Lua script with the same
// doors, for sesame import knockd.
//
// # Sources
//
// The grammar is that of knockd(1), section CONFIGURATION, and of parseconfig in knockd.c, version
// 0.8 with Debian's patches. What the manual leaves open was found by running Debian's knockd. The
// tests named TestRealKnockd (real_test.go) give it the same files, also random ones, and compare
// what both read. Package knockdtest compares how both match packets.
package knockd

import (
	"fmt"
	"net/netip"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A File is a knockd.conf as knockd understands it.
type File struct {
	Path    string // as it was named, for messages
	Options Options
	Doors   []Door // in the order of the file, which decides what acts first
	// Warnings are ordered by line, those of other files last and by path. There are at most 1,000.
	Warnings []Warning
}

// Options are those of the section [options]. They describe how knockd runs, so Sesame does not use
// them: its own settings are in sesame.toml.
type Options struct {
	Syslog    bool
	LogFile   string
	PIDFile   string
	Interface string
}

// A Door is a section other than [options].
type Door struct {
	// Name is unique in the file: that of the section, or with a number behind it when an earlier
	// door has the name. It is plain text: 1 to 127 bytes of UTF-8 without control characters.
	Name    string
	Section string // as the file has it, any bytes
	Line    int    // of the section; all lines are counted as knockd counts them

	// Sequence has 1 to 32 knocks. With OneTime it may be empty; else it comes before the sequences
	// of that file. Port 0 is possible.
	Sequence     []packet.Port
	SequenceLine int    // the line of Sequence
	OneTime      string // path of a file of one-time sequences, as the file has it; "": none
	OneTimeLine  int    // the line that names that file
	Timeout      int    // seconds for the whole sequence; zero or below: no second knock is ever in time
	// Flags is what a TCP packet must carry to concern the door. Zero accepts any packet.
	Flags engine.FlagTest
	// Target is the only destination that counts. Without one it is the zero Addr, and every
	// address of the host counts.
	Target netip.Addr
	// Unreachable reports that the target is no plain address, such as a host name. knockd compares
	// targets as text, so no packet ever has it: the door never opens.
	Unreachable bool

	Start Command // for all, or for IPv4 when there are commands of IPv6
	Stop  Command
	// Start6 and Stop6 are nil when the file has none: then Start and Stop are for IPv6 too. An
	// empty text means that nothing is run.
	Start6, Stop6  *Command
	CommandTimeout int // seconds from the start command to the stop command; below zero counts as zero
}

// A Command is what knockd passes to /bin/sh -c, with the source in the place of %IP%.
type Command struct {
	Text string // "": none
	Line int
}

// A Warning is about something that knockd accepts silently and that hardly means what its author
// meant.
type Warning struct {
	File string // "": the knockd.conf; else the file of one-time sequences that has the line
	Line int
	Door string // its name; "" for what belongs to no door
	Text string // how knockd reads it, and what to write instead
	// Order reports that the warning is about a door that is opened on the way to another. sesame
	// check has a finding of its own for that.
	Order bool
	// Pasted reports that the warning is about a character that a web page or a word processor put
	// into the file.
	Pasted bool
}

// A SyntaxError is the reason for which knockd refuses a file.
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
