package control

import (
	"net/netip"
	"time"

	"sesame/daemon/writable"
)

// A Status is the state of a daemon and what is wrong with it. Times are wall-clock times in
// UTC. The daemon bounds all lists; those that strangers can fill (Stopped, Failures) have a
// few dozen entries at most.
type Status struct {
	Version string `json:"version"`
	Mode    Mode   `json:"mode"`
	// Health is the verdict on all that stands below, as [HealthOf] gives it.
	Health Health `json:"health,omitzero"`
	// Stopped are the sources that the guards would have dropped, in observe mode or for an
	// observed door, the latest first.
	Stopped []Stopped `json:"stopped,omitempty"`
	// Refused are the sources that the guards refused in the last minutes, the latest first.
	Refused []Stopped `json:"refused,omitempty"`
	// RefusedUnlisted counts packets that were refused and that Refused does not count, since more
	// came at a time than the kernel lists.
	RefusedUnlisted uint64 `json:"refused_unlisted,omitempty"`
	// Reached are the latest results of what was granted, the latest first. Those of grants that
	// have ended stay for a while.
	Reached []Measured `json:"reached,omitempty"`
	// TurnedAway are refused sources that probably opened the port from another address.
	TurnedAway  []TurnedAway `json:"turned_away,omitempty"`
	SplitKnocks []SplitKnock `json:"split_knocks,omitempty"` // the latest first
	Now         time.Time    `json:"now"`                    // time of the answer
	// Offset is the wall clock minus engine time, the time in the transcript. It is not zero
	// when the wall clock was set since the daemon started.
	Offset     Duration  `json:"offset,omitempty"`
	Since      time.Time `json:"since"` // when the daemon started
	Privileges string    `json:"privileges,omitempty"`
	// User is the name of the user that the daemon runs as, or the number of one without.
	User string `json:"user,omitempty"`
	// NamesUnread is why the files that say where names are asked for cannot be read.
	NamesUnread string `json:"names_unread,omitempty"`
	// Confinement is what the kernel holds the daemon to by itself, or why it does not.
	Confinement string   `json:"confinement,omitempty"`
	Helper      Helper   `json:"helper,omitzero"`
	Scripts     Scripts  `json:"scripts"`
	Guards      []string `json:"guards,omitempty"`   // ports that are closed without a grant
	Observed    []string `json:"observed,omitempty"` // ports whose packets are only counted
	Live        Live     `json:"live"`
	Counts      Counts   `json:"counts"`
	Capture     Capture  `json:"capture"`
	// ClockDoubt means that the wall clock is not synchronised, so that the windows of time of the
	// scripts refuse.
	ClockDoubt bool       `json:"clock_doubt,omitempty"`
	Firewall   Firewall   `json:"firewall"`
	Effects    Effects    `json:"effects"`
	Recorder   Recorder   `json:"recorder"`
	LastReload LastReload `json:"last_reload,omitzero"` // left out: none since the start
	Trial      *Trial     `json:"trial,omitempty"`      // that runs; left out: none does
	Geo        Geo        `json:"geo,omitzero"`
	Hosts      []Host     `json:"hosts,omitempty"` // names whose addresses scripts ask for, 100 at most
	State      State      `json:"state,omitzero"`
	// SocketGone is why the control socket, which was deleted, could not be made again.
	SocketGone string `json:"socket_gone,omitempty"`
	// KnockdLog is why the last line of knockd's log could not be written.
	KnockdLog string `json:"knockd_log,omitempty"`
	// AuditLog is why the last entry is not in the file of the audit log.
	AuditLog string `json:"audit_log,omitempty"`
	// ServiceManager is why the last notification of the service manager failed.
	ServiceManager string `json:"service_manager,omitempty"`
	// MetricsUnserved is why the address for metrics is not served.
	MetricsUnserved string `json:"metrics_unserved,omitempty"`
	// NoDescriptors is why no file can be opened.
	NoDescriptors string `json:"no_descriptors,omitempty"`
	// LookSlow is what did not answer. Then a part of the status is of an earlier moment.
	LookSlow string `json:"look_slow,omitempty"`
}

// Geo is the state of the databases that tell the country and the AS of a source.
type Geo struct {
	Databases []Database `json:"databases,omitempty"` // in the order in which they are asked
	// Searched means that none is configured, so they are looked for when a script asks.
	Searched bool `json:"searched,omitempty"`
	// Missing are facts that scripts ask for and no database has: "country", "asn".
	Missing []string `json:"missing,omitempty"`
}

// A Database is a file about addresses. Without a Name nothing that was read from it is in force.
type Database struct {
	Path   string    `json:"path"`
	Name   string    `json:"name,omitempty"`  // "GeoLite2-Country, 2026-11-20"
	Built  time.Time `json:"built,omitzero"`  // left out: it does not say
	SHA256 string    `json:"sha256,omitzero"` // in hexadecimal
	Has    string    `json:"has,omitempty"`   // "countries, IPv4 and IPv6"
	// Wrong is why the file on the disk cannot be used. What was read before stays in force.
	Wrong string `json:"wrong,omitempty"`
}

// A Host is the name of a host, and what is known of it.
type Host struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Known     bool         `json:"known"`
	Why       string       `json:"why,omitempty"`     // when it is not known
	Age       *Duration    `json:"age,omitempty"`     // of the answer that counts; left out: there was none
	Failure   string       `json:"failure,omitempty"` // of the last question
	Ignored   int          `json:"ignored,omitempty"` // addresses that are not used: too many, or never a source
}

// A Mode is enforce or observe.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // everything is decided, and nothing is changed
)

// Scripts is the script set that runs.
type Scripts struct {
	Path       string    `json:"path"`
	Generation int       `json:"generation"` // 1 at the start, one more at each applied reload
	SHA256     string    `json:"sha256"`     // of the set, in hexadecimal
	Loaded     time.Time `json:"loaded"`
	Doors      int       `json:"doors"`
	Observed   []string  `json:"observed,omitempty"` // doors that are only observed
	// Drift means that the files on disk differ from the scripts that run.
	Drift bool `json:"drift"`
	// From is the directory or the script that the set was read from; left out: Path.
	From string `json:"from,omitempty"`
	// Manual means that files which change are not put in force by themselves.
	Manual bool `json:"manual,omitempty"`
	// Unreadable is the error when the files on disk cannot be read.
	Unreadable string `json:"unreadable,omitempty"`
	// UsedUp are the doors that cannot be opened, because all of their one-time sequences were
	// used.
	UsedUp []UsedUp `json:"used_up,omitempty"`
	// Failing are the functions that failed when they ran last.
	Failing []Failing `json:"failing,omitempty"`
	// Timeouts are the scripts of which functions were ended by the clock in the last hour.
	Timeouts []ScriptTimeout `json:"timeouts,omitempty"`
	// Unrunnable are commands that the machine cannot run, at most 20 of UnrunnableCount.
	Unrunnable      []Unrunnable `json:"unrunnable_commands,omitempty"`
	UnrunnableCount int          `json:"unrunnable_count,omitempty"`
	// Limited are the doors that refused in the last hour because of a bound.
	Limited []Limited `json:"limited,omitempty"`
	// OtherPayloads are the doors to whose port packets came whose payload made them no knock.
	OtherPayloads []OtherPayload `json:"other_payloads,omitempty"`
	// LastGood means that the files failed at the start, so the set that was applied last runs
	// instead.
	LastGood bool `json:"last_good"`
	// SequencesUnread is why one-time sequences could not be read at the start.
	SequencesUnread string `json:"sequences_unread,omitempty"`
	// CutIgnored are the doors whose cut does nothing for TCP, in set mode.
	CutIgnored []string `json:"cut_ignored,omitempty"`
	// Writable names what users other than root can change of what the scripts do, with owners and
	// modes: the configuration, files, programs of commands, and directories above them.
	// WritableFiles has the first 20 with what mends them, and WritableAllowed means that the
	// configuration allows them.
	Writable        string             `json:"writable,omitempty"`
	WritableFiles   []writable.Finding `json:"writable_files,omitempty"`
	WritableAllowed bool               `json:"writable_allowed,omitempty"`
	// Unread has a line for each name under which something is stored that no script reads, at most
	// 21.
	Unread []string `json:"unread,omitempty"`
	// Confined means that commands came when the privileges for them had been dropped.
	Confined bool `json:"confined,omitempty"`
}

// Failing is a function of a script that failed when it ran last. It is left out again once it
// succeeds, or once its script changes.
type Failing struct {
	Door     string    `json:"door,omitempty"`
	Function string    `json:"function"`          // "on_open"; "when" for all conditions of the door
	Handler  string    `json:"handler,omitempty"` // the name, of a function of sesame.handler
	File     string    `json:"file"`              // where it failed
	Line     int       `json:"line,omitempty"`
	Detail   string    `json:"detail"`
	At       time.Time `json:"at"`    // the last time
	Count    int       `json:"count"` // since it succeeded last
	// Timeout means that the clock ended it. Then it is also left out again once its script had no
	// such end for an hour.
	Timeout bool `json:"timeout,omitempty"`
}

// ScriptTimeout is a script of which functions were ended by the clock. It is left out again an
// hour after the latest.
type ScriptTimeout struct {
	Script string    `json:"script"`
	File   string    `json:"file"` // where the latest was: the script, or a module
	Line   int       `json:"line,omitempty"`
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
	Count  int       `json:"count"`
}

// Unrunnable is a command, or the undo of one, that the machine cannot run: its program is missing
// or not executable, or the interpreter of a script is.
type Unrunnable struct {
	Command string `json:"command"` // its name in the script
	Program string `json:"program"`
	Undo    bool   `json:"undo,omitempty"`
	File    string `json:"file"` // where it is declared
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// Limited is a door that refused because of a bound. It is left out again an hour after its latest
// refusal.
type Limited struct {
	Door string `json:"door"`
	// Bound is "limit", the limit of the door; "steps", what its functions may run; or "bounds",
	// the number of grants, effects, delays or values of all doors.
	Bound  string `json:"bound"`
	Detail string `json:"detail"` // the limit, "20/s per source", or the bound
	// Now means that the next knock would be refused too, of whatever source.
	Now bool `json:"now,omitempty"`
	// ByAnyone means that one packet is a knock, without bytes that one must know: a scan of ports
	// causes refusals.
	ByAnyone bool       `json:"by_anyone,omitempty"`
	Since    time.Time  `json:"since"`
	Last     time.Time  `json:"last"`
	Source   netip.Addr `json:"source"` // of the latest
	Count    int        `json:"count"`  // from since to last
}

// OtherPayload is a door to whose port packets came that its length, prefix or bytes did not allow.
type OtherPayload struct {
	Door   string     `json:"door"`
	Count  int        `json:"count"` // since the door tests its payloads so
	Last   time.Time  `json:"last"`
	Source netip.Addr `json:"source"` // of the latest
	Detail string     `json:"detail"` // of the latest: "length 19, expected 20"
}

// UsedUp is a door whose one-time sequences were all used.
type UsedUp struct {
	Door string `json:"door"`
	File string `json:"file,omitempty"` // new sequences belong here
}

// LastReload is the last reload whose files differed from the scripts that ran. It is Unchanged
// when files that had been rejected or held were restored to those that run.
type LastReload struct {
	At time.Time `json:"at"`
	Outcome
}

// Live counts what is in progress.
type Live struct {
	Attempts int `json:"attempts"`
	Grants   int `json:"grants"`
}

// Capture is the state of the packet capture.
type Capture struct {
	Interfaces []string `json:"heard"`             // interfaces that are captured on
	Missing    []string `json:"missing,omitempty"` // configured interfaces that are not, with the reason: "wg0 is down"
	Lost       uint64   `json:"lost"`              // packets that the kernel had no space for
	// Coarse means that the kernel's filter passes all packets of the protocols of the knocks.
	Coarse bool `json:"coarse,omitempty"`
}

// Firewall is the state of our rules in the kernel.
type Firewall struct {
	State    string    `json:"state"`          // "ok", or what is wrong
	Mode     string    `json:"mode"`           // "guard" or "set"
	Mark     string    `json:"mark,omitempty"` // the packet mark of granted packets, "0x5e5a"
	Repairs  int       `json:"repairs"`        // how often the rules were repaired after another program changed them
	Repaired time.Time `json:"repaired,omitzero"`
	// Conflicts are other chains that drop what a grant lets in: first those in which a granted
	// packet ended in the last hour, the latest first, then those that may drop one.
	Conflicts []Conflict `json:"obstacles,omitempty"`
	// Measured means that it is measured what becomes of granted packets. It is false in set mode.
	Measured bool `json:"measured,omitempty"`
	// Unmeasured is why it is not.
	Unmeasured string `json:"unmeasured,omitempty"`
	// RulesUnread is why rules of other programs are named without their text.
	RulesUnread string    `json:"rules_unread,omitempty"`
	Conntrack   Conntrack `json:"conntrack,omitzero"`
	// Unwatched is why the kernel's events about changes of the firewall are not read.
	Unwatched string `json:"unwatched,omitempty"`
	// Unseen is why other chains cannot be looked at.
	Unseen string `json:"unseen,omitempty"`
	// FullSets are the sets of the user, in set mode, that had no room for a grant and have none.
	FullSets []FullSet `json:"full_sets,omitempty"`
}

// A FullSet is a set of the user without room for another element.
type FullSet struct {
	Set      string `json:"set"`
	Table    string `json:"table"` // "inet filter"
	Elements int    `json:"elements"`
	Size     uint32 `json:"size"`
	Raise    string `json:"raise,omitempty"` // the command that raises the size
}

// A Conflict is a chain of another program in which granted packets ended, or may end: it drops
// what no rule of it accepts, and has no rule for the mark of granted packets.
type Conflict struct {
	Table string `json:"table"` // "inet filter"
	Chain string `json:"chain"`
	// Lines let granted packets through when they are run unchanged.
	Lines []string `json:"lines"`
	// Seen is about the latest packet that ended there; left out: none did.
	Seen *Measured `json:"seen,omitempty"`
}

// Stopped is a source whose packets a guard would have dropped.
type Stopped struct {
	Source  Source    `json:"source"`
	Port    Port      `json:"port"`
	Packets uint64    `json:"packets"`
	Last    time.Time `json:"last"`
}

// Conntrack is the kernel's tracking of connections in our network namespace. Without tracking all
// is zero.
type Conntrack struct {
	Flows int `json:"flows"` // that are tracked
	Room  int `json:"room"`  // for so many
}

// Effects is the state of the effects that were decided.
type Effects struct {
	Queued   int       `json:"queued"` // decided, and not done yet
	Failures []Failure `json:"failures,omitempty"`
	// FailingCommands are those that failed when they ran last, at most 50: of FailingCount that
	// count as failed, and then of AnyStatusCount that may have any exit status.
	FailingCommands []FailingCommand `json:"failing_commands,omitempty"`
	FailingCount    int              `json:"failing_count,omitempty"`
	AnyStatusCount  int              `json:"any_status_count,omitempty"`
	Waiting         WaitingCommands  `json:"waiting_commands,omitzero"` // left out: none waits
}

// A FailingCommand is a command that failed when it ran last, or that could not be run. It is left
// out again once it succeeds, or once the scripts do not have it any more. All undos of a door
// with the same program count as one.
type FailingCommand struct {
	Door    string `json:"door,omitempty"`
	Command string `json:"command"` // its program, or what a shell was given to run
	Program string `json:"program"`
	// Argv is as the script declares it, with placeholders. It is left out of an undo.
	Argv   []string `json:"argv,omitempty"`
	Undo   bool     `json:"undo,omitempty"`
	Hung   bool     `json:"hung,omitempty"`    // it was killed after its time limit
	NotRun bool     `json:"not_run,omitempty"` // nothing tells that it was started
	// AnyStatus means that it may have any exit status, as those of a knockd.conf: it is done then.
	AnyStatus bool      `json:"any_status,omitempty"`
	Error     string    `json:"error"`
	At        time.Time `json:"at"`    // the last time
	Count     int       `json:"count"` // since it succeeded last
}

// WaitingCommands are commands and undos that wait for those before them.
type WaitingCommands struct {
	Count  int       `json:"count"`
	Since  time.Time `json:"since"`          // when the one began that waits longest
	Door   string    `json:"door,omitempty"` // which has most of them
	OfDoor int       `json:"of_door"`        // how many are of Door
	Doors  int       `json:"doors"`          // how many doors have some
	// PilingUp means that they come faster than they run, or that those before them hang.
	PilingUp bool `json:"piling_up,omitempty"`
}

// A Failure is an effect that did not succeed. Status has the latest, the oldest first.
type Failure struct {
	At     time.Time `json:"at"`
	Door   string    `json:"door,omitempty"`
	Source Source    `json:"source,omitzero"`
	Effect string    `json:"effect"`
	Detail string    `json:"detail"`
	// GivenSince means that it is an allow, and that another one succeeded later, for an address
	// of the same family.
	GivenSince bool `json:"given_since,omitempty"`
}

// Recorder is the state of the recorder.
type Recorder struct {
	From  time.Time `json:"from"` // time of the first input that a recording would have
	Bytes int       `json:"bytes"`
	// Blind means that inputs come too fast and are dropped. A recording ends where that began.
	Blind bool `json:"blind"`
}
