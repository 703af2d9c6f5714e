package lint

import "fmt"

// The ids of findings. They are stable: scripts name them.
const (
	Ascending      = "ascending"       // the ports go up, as a scan does
	Descending     = "descending"      // the ports go down, as a scan does
	SideBySide     = "side-by-side"    // no tripwire lies between two knocks
	NoTripwires    = "no-tripwires"    // tripwires = 0
	Short          = "short"           // knocks on fewer than four ports
	Prefix         = "prefix"          // the sequence of another door opens this one too
	Unguarded      = "unguarded"       // a port is allowed that no door guards
	NoWayIn        = "no-way-in"       // no door opens a port that is guarded
	NoWayBack      = "no-way-back"     // every door to a port has a condition
	WindowNever    = "window-never"    // the conditions never hold together
	WindowOver     = "window-over"     // all dates of a window are in the past
	ZoneFile       = "zone-file"       // a zone file of the machine cannot be used
	EndsOutside    = "ends-outside"    // ends_with a window that when does not ask for
	Deadlock       = "deadlock"        // a door waits for one that waits for it, or that gives nothing
	AnyPort        = "any-port"        // the port of an allow is computed
	NoLimit        = "no-limit"        // one knock, without a limit
	SharedLimit    = "shared-limit"    // a listener with a limit for all sources and without a test of the payload
	NoEffect       = "no-effect"       // a door that does nothing when it opens
	Listening      = "listening"       // a service of this machine listens on a port of a sequence
	TripwireInUse  = "tripwire-in-use" // a service of this machine listens on a tripwire
	Ephemeral      = "ephemeral"       // a port of a sequence is one of this machine's ephemeral ports
	SYNCookies     = "syn-cookies"     // this machine sends SYN cookies always, and they outlive a grant
	GuardsNothing  = "guards-nothing"  // a guarded port is only a container's, behind another port
	NoCut          = "no-cut"          // a door cuts sessions, which the firewall of this machine cannot do
	NoSet          = "no-set"          // set mode names no set for sources of one family
	CommandMissing = "command-missing" // this machine cannot run a command
	NotShared      = "not-shared"      // the undo of a command is the same for all sources, and runs for each
	Knockd         = "knockd"          // a line of a knockd.conf that probably means something else to its author
	UsedUp         = "used-up"         // a door whose one-time sequences were all consumed
	Mistake        = "mistake"         // a use of what functions are given that probably fails
	NoDatabase     = "no-database"     // a fact is asked for that no database has
	GeoOld         = "geo-old"         // a database is old
	UnknownPasses  = "unknown-passes"  // a function lets sources pass of which nothing is known
	PrivateNever   = "private-never"   // a door asks for private addresses, and for what a database knows of others
	NoTTL          = "no-ttl"          // a value of each source is stored for ever
	EmptyList      = "empty-list"      // a list of networks has none
	Everybody      = "everybody"       // a list of networks has all addresses
	Character      = "character"       // a web page put a character in the place of a plain one
	NoReason       = "no-reason"       // a comment that allows a finding without saying why
	UnknownID      = "unknown-id"      // a comment that allows an unknown id
	UnusedAllow    = "unused-allow"    // a comment that allows a finding that is not there
)

var allowed = []string{Ascending, Descending, SideBySide, NoTripwires, Short, Prefix, Unguarded, NoWayIn, NoWayBack, WindowNever, WindowOver, EndsOutside, Deadlock, AnyPort, NoLimit, SharedLimit, NoEffect, Listening, TripwireInUse, Ephemeral, SYNCookies, GuardsNothing, NoCut, NoSet, CommandMissing, NotShared, Knockd, UsedUp, Mistake, NoDatabase, UnknownPasses, PrivateNever, NoTTL, EmptyList, Everybody, Character}

// A Finding is one rule to look at, with what may be wrong and how to change
// it.
type Finding struct {
	ID      string `json:"id"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Door    string `json:"door,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// String returns "ssh.lua:3: ascending: ...", without the hint. A file of data has no lines.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.File, f.ID, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.ID, f.Message)
}
