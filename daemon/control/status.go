package control

import "time"

// A Status says what a daemon is doing, and what keeps it from doing it well.
// Times are wall times in UTC. Lists are bounded by the daemon; those of
// strangers' doing (Stopped, Failures) to a few dozen.
type Status struct {
	Version string `json:"version"`
	Mode    Mode   `json:"mode"`
	// Stopped are those whom the guards would have stopped, in observe mode or
	// at an observed door, the latest first.
	Stopped []Stopped `json:"stopped,omitempty"`
	Now     time.Time `json:"now"` // when this was answered
	// Offset is how far ahead of engine time, which the transcript is in, the
	// wall clock is: it was set since the daemon started.
	Offset     Duration   `json:"offset,omitempty"`
	Since      time.Time  `json:"since"` // when the daemon started
	Privileges string     `json:"privileges,omitempty"`
	Scripts    Scripts    `json:"scripts"`
	Guards     []string   `json:"guards,omitempty"`   // ports that are shut to everyone without a grant
	Observed   []string   `json:"observed,omitempty"` // ports whose packets are only counted
	Live       Live       `json:"live"`
	Counts     Counts     `json:"counts"`
	Capture    Capture    `json:"capture"`
	Firewall   Firewall   `json:"firewall"`
	Effects    Effects    `json:"effects"`
	Recorder   Recorder   `json:"recorder"`
	LastReload LastReload `json:"last_reload,omitzero"` // left out: none since the start
}

// A Mode says whether decisions are carried out.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // everything is decided, and nothing is done
)

// Scripts are those that run.
type Scripts struct {
	Path       string    `json:"path"`
	Generation int       `json:"generation"` // 1 at the start, one more at each applied reload
	SHA256     string    `json:"sha256"`     // of the set, in hexadecimal
	Loaded     time.Time `json:"loaded"`
	Doors      int       `json:"doors"`
	Observed   []string  `json:"observed,omitempty"` // doors that are only observed
	// Drift says that the files are not those that run.
	Drift bool `json:"drift"`
	// Unreadable says why the files are not those that run, if they cannot be read.
	Unreadable string `json:"unreadable,omitempty"`
	// UsedUp are the doors that cannot be opened, since none of their one-time
	// sequences is left.
	UsedUp []UsedUp `json:"used_up,omitempty"`
	// LastGood says that the files failed at the start, so that the set which
	// was applied last runs instead of them.
	LastGood bool `json:"last_good"`
}

// UsedUp is a door without a sequence.
type UsedUp struct {
	Door string `json:"door"`
	File string `json:"file,omitempty"` // that new ones are written into
}

// LastReload is the last reload that changed something, or would have. It is
// unchanged when files that were rejected or held are again those that run.
type LastReload struct {
	At time.Time `json:"at"`
	Outcome
}

// Live counts what is in progress.
type Live struct {
	Attempts int `json:"attempts"`
	Grants   int `json:"grants"`
}

// Capture says what the daemon hears.
type Capture struct {
	Heard   []string `json:"heard"`             // interfaces
	Missing []string `json:"missing,omitempty"` // interfaces that were asked for, each with why not: "wg0 is down"
	Lost    uint64   `json:"lost"`              // packets that the kernel had no room for
}

// Firewall says what stands in the kernel.
type Firewall struct {
	State    string    `json:"state"`          // "ok", or what is wrong
	Mode     string    `json:"mode"`           // "guard" or "set"
	Mark     string    `json:"mark,omitempty"` // that a granted packet carries, "0x5e5a"
	Repairs  int       `json:"repairs"`        // how often somebody else's change was undone
	Repaired time.Time `json:"repaired,omitzero"`
	// Conflicts are other chains that drop what a grant lets in.
	Conflicts []Conflict `json:"obstacles,omitempty"`
}

// An Conflict is a chain of somebody else's that drops by default.
type Conflict struct {
	Table string `json:"table"` // "inet filter"
	Chain string `json:"chain"`
	// Lines let granted packets through when they are run as they stand.
	Lines []string `json:"lines"`
}

// Stopped is a source that a guard would have stopped.
type Stopped struct {
	Source  Source    `json:"source"`
	Port    Port      `json:"port"`
	Packets uint64    `json:"packets"`
	Last    time.Time `json:"last"`
}

// Effects says how the changes of the machine get on.
type Effects struct {
	Queued   int       `json:"queued"` // decided, and not yet done
	Failures []Failure `json:"failures,omitempty"`
}

// A Failure is an effect that did not succeed. The latest are kept, oldest
// first.
type Failure struct {
	At     time.Time `json:"at"`
	Door   string    `json:"door,omitempty"`
	Source Source    `json:"source,omitzero"`
	Effect string    `json:"effect"`
	Detail string    `json:"detail"`
}

// Recorder says what a recording would hold.
type Recorder struct {
	From  time.Time `json:"from"` // its first input
	Bytes int       `json:"bytes"`
	// Blind says that more came than could be kept: a recording ends where that
	// began.
	Blind bool `json:"blind"`
}
