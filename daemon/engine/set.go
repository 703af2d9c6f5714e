package engine

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// A Set is a script set as the engine sees it: all doors of one generation. It is immutable
// once it was given to an engine.
type Set struct {
	// Doors in the order in which they act on one packet: by file path, then by registration.
	Doors []*Door
	// Timers has the functions registered for delayed work.
	Timers []Timer
	// Scripts has all files, those without doors too. It may be nil when none has a name.
	Scripts []Script

	placed    bool    // tripwires has those of the set
	tripwires []Knock // see [Set.Placed]
}

// Placed returns a copy of the set that has its tripwires: to place them takes most of the time of
// [Engine.Swap], which counts where many engines get one set. The doors must not change later.
func (s *Set) Placed() *Set {
	c := *s
	c.tripwires, c.placed = s.Tripwires(), true
	return &c
}

// Observe makes all doors only observe. It may be called only before an engine has the set.
func (s *Set) Observe() {
	for _, d := range s.Doors {
		d.Observe = true
	}
}

// A Timer is a function that is registered under a name, for [After]. It belongs to a script:
// two scripts may use one name.
type Timer struct {
	Script  string
	Owner   string // as that of a Door
	Name    string
	Handler Handler
}

// A Door is a named sequence, and what happens when somebody knocks it.
type Door struct {
	Name   string // unique in the set: grants and attempts are known by it
	Script string // path of the file, below the directory of the scripts
	Owner  string // under which values and delays of the file are kept; "": under Script
	File   string // that registers it: Script, or a module that Script requires
	Line   int    // of the registration, in File

	// Sequence has at least one knock, or OneTime has the knocks. A listener has one for each
	// of its ports, and any one of them completes it.
	Sequence []Knock
	// Listen means that every knock is handed to Handler, as CallKnock. Only a decision that
	// gives access or runs something counts as an opening then.
	Listen bool
	// Policy selects the rules by which knocks are matched. Doors of PolicyKnockd with the same
	// Group are matched together, and should be next to each other. Of the limits and rules below
	// only Within applies to them. A listener is in no group.
	Policy Policy
	Group  string
	// Flags is what a TCP packet must carry to concern a door of PolicyKnockd at all. Each
	// knock of its sequence has the same.
	Flags FlagTest
	// Target, if it is valid, is the one destination whose packets count, whether this host has
	// the address or not.
	Target netip.Addr
	// Payload is what a packet must carry to be a knock; nil: anything. It is for a listener, and
	// for a door of PolicySesame whose sequence is one knock.
	Payload *PayloadTest
	// OneTime is nil for a door whose sequence stays the same.
	OneTime *OneTime

	// Within is the limit of the whole sequence, above zero. With PolicyKnockd it may be zero:
	// then only a sequence of one knock can be completed.
	Within      time.Duration
	StepTimeout time.Duration // limit between two knocks; zero: none
	OnWrong     OnWrong
	Duplicates  Duplicates
	// Strict means that every TCP SYN and every UDP packet to this host can be a wrong knock. It
	// is none to a guarded or granted port, and none if it answers a flow that this host began.
	// Such flows are recognised only when the addresses of the host are known.
	Strict bool
	// Tripwires is how many tripwires the door contributes to those of its set. Those of all doors
	// are wrong knocks to its attempts, whatever OnWrong says, and end them: see [Set.Tripwires].
	// Zero: it contributes none and none disturbs it.
	Tripwires int
	Except    []packet.Port // ports that are no wrong knock to a strict door, and no tripwire

	Guards []packet.Port // shut to everyone without a grant
	Ports  []packet.Port // what else Allow may name; nil: any port
	TTL    time.Duration // how long a grant lasts, above zero
	// NoteCompletions means that some script asks who completed the sequence: see [Completion].
	NoteCompletions bool
	// EndsWith is a period that no grant outlasts which the door gives when it opens; nil: none.
	EndsWith Period
	// Observe means that everything is decided and nothing done. The runner must answer the
	// effects of this door without carrying them out. Its events are like those of other doors.
	Observe bool
	// Cut means that sessions and flows end with the grants that the door gives.
	Cut bool

	Limit *Limit // nil: none
	When  []Condition

	// Handler is nil for a door without functions. Hooks defines which calls it wants. Without
	// HookOpen the door allows its guards when it opens.
	Handler Handler
	Hooks   Hooks
}

// excludes reports whether a door that declares its ports may not allow p.
func (d *Door) excludes(p packet.Port) bool {
	return !slices.Contains(d.Ports, p) && !slices.Contains(d.Guards, p)
}

// Accepts reports whether packets to a destination can be knocks of the door. ours means that it
// is an address of this host.
func (d *Door) Accepts(dest netip.Addr, ours bool) bool {
	if d.Target.IsValid() {
		return dest == d.Target
	}
	return ours
}

// Knocks yields the knocks of the door, and those of all its one-time sequences. It may yield
// one more than once.
func (d *Door) Knocks() iter.Seq[Knock] {
	return func(yield func(Knock) bool) {
		for _, k := range d.Sequence {
			if !yield(k) {
				return
			}
		}
		if d.OneTime == nil {
			return
		}
		for _, s := range d.OneTime.Sequences {
			for _, k := range s.Knocks {
				if !yield(k) {
					return
				}
			}
		}
	}
}

// A Knock is one step of a sequence: a port, and for TCP the flags that must and must not be
// set.
type Knock struct {
	Port  packet.Port
	Flags FlagTest
}

// A FlagTest is satisfied by the flags that have all of Set and none of Clear.
type FlagTest struct {
	Set, Clear packet.Flags
}

// SYN is what counts as a TCP knock unless a script says otherwise: a segment that opens a
// connection (RFC 9293, section 3.5).
var SYN = FlagTest{Set: packet.SYN, Clear: packet.ACK}

// Holds reports whether flags satisfy the test.
func (t FlagTest) Holds(flags packet.Flags) bool {
	return flags&t.Set == t.Set && flags&t.Clear == 0
}

// Holds reports whether p is this knock, at a door that is not of PolicyKnockd: see [Door.Holds].
func (k Knock) Holds(p *packet.Packet) bool {
	return p.Port == k.Port && (k.Port.Proto != packet.TCP || k.Flags.asked(p.Flags))
}

// A Policy is the set of matching rules of a group of doors.
type Policy uint8

const (
	// PolicySesame: each door is matched by itself.
	PolicySesame Policy = iota
	// PolicyKnockd: if the source has attempts in the group, a packet advances them or ends
	// them, or changes nothing when it has not the flags of the door. If it has none, the
	// packet begins each door of the group whose first knock it is.
	PolicyKnockd
)

// OneTime is a list of sequences, each of which is used once. The sequence of its door is the
// first of them that is unused, and empty when none is.
type OneTime struct {
	File      string // that they are from, an absolute path
	Sequences []OneTimeSequence
}

// A OneTimeSequence is a line of the file that was not commented out when the file was read.
type OneTimeSequence struct {
	Line   string // as the file has it, without the blanks around it; "": it is of no file
	Knocks []Knock
}

// OnWrong describes what a wrong knock does to an attempt.
type OnWrong uint8

const (
	WrongResets  OnWrong = iota // the attempt falls back to what still holds
	WrongIgnored                // nothing
)

// Duplicates describes what a repeat of the latest knock does.
type Duplicates uint8

const (
	DuplicatesIgnored Duplicates = iota // forgiven; at stage 1 it restarts the clock
	DuplicatesWrong                     // a knock like any other
)

// A Limit admits Count completions in each Per, from one source if PerSource, else from all of
// them together. It refills evenly. A full one lets Count through at once.
type Limit struct {
	Count     int
	Per       time.Duration
	PerSource bool
	Text      string // as the script wrote it
}

// Hooks is the set of calls that a handler wants.
type Hooks uint8

const (
	HookStage Hooks = 1 << iota
	HookOpen
	HookMiss
	HookClose
	HookKnock
)
