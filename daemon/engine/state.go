package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// A State is all that an engine holds between two inputs. With the same script set and the same
// inputs, an engine that [Resume] makes of it gives the same events as the engine that gave it.
// Doors and handlers are not in it: they are in the script set.
//
// It is plain data for encoding/json. Times are Unix nanoseconds of engine time. Recordings
// hold it, so no field changes its JSON name. A new field must mean, when it is zero, what
// engines did before.
type State struct {
	Now        int64
	Offset     time.Duration // wall clock minus engine time
	ClockDoubt bool          `json:",omitempty"` // see [Engine.Clock]
	Tripwires  bool          `json:",omitempty"` // false: an older version began, without tripwires and [Call.Spend]
	Required   bool          `json:",omitempty"` // false: an older version began, in which each command was [Exec.Required]
	// Priced is false when an older version began, in which an allow and a command had no price,
	// see [Call.Priced], and a script no share, see share.go.
	Priced  bool  `json:",omitempty"`
	Horizon int64 // script timers due later are dropped

	// From the Config.
	Attempts, Grants int
	Seed             uint64

	// The last numbers that were assigned: to calls and timers (Serial), effects, grants, and
	// to doors and groups together (LastDoor).
	Serial, LastEffect, LastGrant uint64
	LastDoor                      uint32
	Counts                        Counts
	Local                         []netip.Prefix // nil: every address is ours
	Own                           []netip.Prefix `json:",omitempty"` // see [Engine.Own]; nil: not known
	Doors                         []DoorState    // in the order of the set
	Groups                        []GroupState   // in the order of their names

	// FirstStage has the first-stage attempts, packed as in pack.go. They are a linked list
	// by age. Oldest is the 1-based position of the oldest, 0 when there is none.
	FirstStage []byte
	Oldest     int
	Runs       []RunState
	Live       []GrantState // in the order of their timers' numbers
	Delays     []DelayState
	Batches    []BatchState
	Consumed   []ConsumedState `json:"Spent,omitempty"` // its name in version 1

	Completions []CompletionState `json:",omitempty"` // of different doors

	Limits      []LimitState
	Steps       []StepsState `json:",omitempty"`
	ScriptSteps []StepsState `json:",omitempty"`
	MissSteps   []StepsState `json:",omitempty"`
	Values      []wire.Value
	ValuesSwept int64

	// Secret is the key of the hashes in all the following.
	Secret          [2]uint64
	Segments, Flows RecentState
	// Copies and Resends are nil in an engine that an older version began. It took copies of a
	// packet for packets, and knew the latest segments, by Segments, whatever their destination.
	Copies, Resends *MemoryState `json:",omitempty"`
}

// A MemoryState has packets or TCP segments that are remembered for a time, in two generations.
// Newer and Older are packed: the hash (8 bytes), when it came (8), and for a packet also its
// interface (4) and the digest of its link header (8). Numbers are little endian.
type MemoryState struct {
	Began        int64 // of the newer generation
	Last         int64 // when the latest entry of each came
	OlderLast    int64
	Lost         int64 // the latest time of what had to go too early
	Newer, Older []byte
}

// A DoorState is the state of a door, with the ID by which attempts refer to it.
type DoorState struct {
	Name wire.Text
	ID   uint32
	// Used are the lines of the one-time sequences that were used since the files of the set
	// were read. Unrecorded are those of them that neither the journal nor a file remembers.
	Used       []wire.Text `json:",omitempty"`
	Unrecorded []wire.Text `json:"Kept,omitempty"` // its name in version 1
}

// A ConsumedState is a line of one-time sequences that was used and is not commented out yet.
type ConsumedState struct {
	wire.Consumed
	Count int // of uses
}

// A GroupState is a group of doors, with the ID by which attempts refer to it.
type GroupState struct {
	Name wire.Text
	ID   uint32
}

// A RunState is an attempt at its second stage or a later one.
type RunState struct {
	Door   uint32
	Source netip.Addr
	Number uint64 // of its timer
	Hits   []HitState
}

// A HitState is a knock of an attempt.
type HitState struct {
	Port     packet.Port
	Flags    packet.Flags
	From     uint16 // source port
	Sequence uint32 // of TCP
	At       int64
}

// A GrantState is a live grant.
type GrantState struct {
	wire.Grant
	Run    uint64 `json:",omitempty"` // the ID of the effect that ran the command
	Number uint64 `json:",omitempty"` // of its timer
}

// A DelayState is a pending call of a handler that a script requested with [After].
type DelayState struct {
	Script, Name wire.Text
	Value        wire.Scalar
	Door         wire.Text
	Source       netip.Addr
	Observed     bool `json:",omitempty"`
	Due          int64
	Number       uint64 // of its timer
}

// A BatchState has the effects of a decision, of which some were not answered yet.
type BatchState struct{ Effects []wire.Effect }

// A CompletionState is the latest completion of a door.
type CompletionState struct {
	Door     wire.Text
	Source   netip.Addr
	At       int64
	Observed bool `json:",omitempty"`
}

// A LimitState is the state of a rate limit.
type LimitState struct {
	Door     wire.Text
	Count    int
	Per      time.Duration
	Source   netip.Addr // invalid: all sources together
	Full     int64      // when the whole allowance is available again
	Refusing bool
}

// A StepsState is what the functions of a door have used, or those of a script without a knock.
type StepsState struct {
	Door    wire.Text // or the name under which the script keeps what lasts
	Full    int64     // when the whole allowance is available again
	Refused int64     // the latest knock that was refused; 0: none was
}

// A RecentState has the hashes of recent packets, eight bytes each, little-endian. Older is
// dropped when Young is full.
type RecentState struct{ Young, Older []byte }
