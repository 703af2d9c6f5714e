// Package spec turns what a *_test.lua file declares into data: tests, their steps, and what each
// step must bring about.
//
// Package scripting reads the files, and simulate/suite runs the tests. A Test is data: it names no
// Lua value, so that many goroutines may run tests of one file.
package spec

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/scripting/source"
)

// A Test is one sesame.test. It has a fresh engine in virtual time.
type Test struct {
	Name  string
	File  string       // of tests, by its path below the directory of the scripts
	Place source.Place // of the call; a function of a module may have made it

	At   time.Time  // when it begins; zero: [Begin]
	From netip.Addr // who knocks where a step does not say; invalid: [Knocker]
	// Host has the addresses of the host. Packets to others do not count. nil: every destination
	// counts.
	Host []netip.Addr
	// Options are the values of sesame.option, as [sesame/scripting.Options] takes them.
	Options map[string]string
	Lists   map[string]bool // those that were written as lists
	Facts   []Fact
	// Unsynchronised means that the clock is not to be trusted, as after a start without the time
	// of day.
	Unsynchronised bool
	// Exits are the exit statuses of commands, by the name of the command. The others exit with 0.
	Exits map[string]int

	Steps []Step // at least one
}

// Begin is when a test begins that does not say it: a Monday in winter, at noon.
var Begin = time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC)

// Knocker is who knocks where nothing says it, an address for documentation (RFC 5737).
var Knocker = netip.AddrFrom4([4]byte{203, 0, 113, 9})

// A Fact is what is known of the addresses of a network, or of the name of a host.
type Fact struct {
	Place   source.Place
	Network netip.Prefix // invalid: Host is set
	Host    string

	Country string // "": the database has none
	ASN     uint32 // 0: the database has none
	ASName  string
	// Addresses are those of Host; none: it has no address.
	Addresses []netip.Addr
}

// An Action is what a step does, beside letting time pass.
type Action uint8

// The actions. A step has one.
const (
	NoAction Action = iota // it only waits
	Knock
	Scan
	Replay
)

// A Step is one table of a test.
type Step struct {
	Place  source.Place
	Action Action

	At    time.Time     // when the step begins; zero: when the one before it ended
	Wait  time.Duration // time that passes before what it expects is compared; 0: none
	Facts []Fact        // that hold from the begin of the step on; they replace those of the same subject

	From  netip.Addr    // who knocks or scans; invalid: that of the test
	Delay time.Duration // between two packets; 0: [Delay]

	Door   string   // of Knock: the door whose knocks are sent; "": Knocks has them
	Knocks []Packet // of Knock

	Ports []PortRange // of Scan
	Order Order       // of Scan; of Knock with a Door it is Up or Down
	Times int         // of Scan: how often; at least 1

	Capture string // of Replay: a path; a relative one begins at the directory of the scripts
	// MinKnocks is how many packets of a Replay must be knocks, and how many of a Scan or of Knocks
	// must go to a port of a door. It is 1 where the test does not say it: a step that knocks at no
	// door would prove nothing. One is not asked for when something came of a Scan or of Knocks.
	MinKnocks int
	Golden    string // a file with the transcript of the step; "": none

	// Strict are all openings, refusals, misses, failures and closes of the step. Any other one
	// fails the test.
	Strict []Expectation
	// Allows, Runs and Logs are compared only when they are written; nil: they are not. An empty
	// list, written false, means none.
	Allows []Allow
	Runs   []Run
	Logs   []Log
}

// Delay is the time between two packets where a step does not say it.
const Delay = 100 * time.Millisecond

// A Packet is a TCP segment or UDP datagram that a step sends.
type Packet struct {
	Place   source.Place
	Port    packet.Port
	Flags   string // of TCP, as a door writes them, such as "syn,ack"; "": syn alone
	Payload []byte
	Delay   time.Duration // after it; 0: that of the step
}

// A PortRange is written "tcp/1-65535". First is at most Last.
type PortRange struct {
	Proto       packet.Proto
	First, Last uint16
}

// An Order is that in which a scan sends to its ports. The knocks of a door are Up as the door has
// them.
type Order uint8

// The orders of a scan. Random is the same each time that the test runs.
const (
	Up Order = iota
	Down
	Random
)

// An Event is a kind of event that a step names whenever it happens.
type Event uint8

// The kinds, in the order in which messages name them.
const (
	Opens Event = iota
	Refuses
	Misses
	Fails
	Closes
)

// An Expectation is one entry of opens, refuses, misses, fails or closes. Empty fields match
// anything.
type Expectation struct {
	Place source.Place
	Event Event
	Times int // at least 1

	Door      string
	Source    netip.Prefix
	Reason    string
	Condition string
	Detail    string
	Command   string // of Fails
}

// An Allow is access that a step gives. Empty fields match anything.
type Allow struct {
	Place  source.Place
	Port   packet.Port
	Source netip.Prefix
	TTL    time.Duration
}

// A Run is a command that a step runs, or that undoes what it ran.
type Run struct {
	Place   source.Place
	Command string
	Undo    bool
	Argv    []string // nil: any
}

// A Log is a line that a function logs: Text is the line, or a part of it.
type Log struct {
	Place source.Place
	Text  string
}
