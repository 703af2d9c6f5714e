package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// A State is all that an engine holds between two inputs, and all that it needs
// to go on elsewhere with the same result: see [Engine.State] and [Resume]. It
// is plain data that encoding/json can carry. Times are Unix nanoseconds of
// engine time. Handlers and doors are not in it: they are those of the script
// set that was running.
type State struct {
	Now     int64
	Offset  time.Duration // wall clock less engine time
	Horizon int64         // script timers due later are dropped

	// Of the Config.
	Attempts, Grants int
	Seed             uint64

	// The last numbers that were given: to moments and timers, effects, grants,
	// doors and groups.
	Serial, LastEffect, LastGrant uint64
	LastDoor                      uint32
	Counts                        Counts
	Local                         []netip.Prefix // nil: every address is ours
	Doors                         []DoorState    // in their order
	Groups                        []GroupState   // in the order of their names

	// FirstStage has the first-stage attempts, packed. They are a list by age:
	// Oldest is the 1-based place of the oldest, 0 when there is none.
	FirstStage []byte
	Oldest     int
	Runs       []RunState
	Live       []GrantState // in the order in which they were made
	Delays     []DelayState
	Batches    []BatchState
	Consumed   []ConsumedState `json:"Spent,omitempty"` // under the name that it had first

	Limits      []LimitState
	LimitsSwept int64
	Values      []wire.Value
	ValuesSwept int64

	// Secret is the key of the hashes in Segments and Flows.
	Secret          [2]uint64
	Segments, Flows RecentState
}

// A DoorState says by which number the attempts in a door know it.
type DoorState struct {
	Name wire.Text
	ID   uint32
	// Used are the one-time sequences that were used since the files of the set
	// were read, by their lines; Kept are those of them that no file knows of.
	Used, Kept []wire.Text `json:",omitempty"`
}

// A ConsumedState is a line of one-time sequences that was used and is not commented out yet.
type ConsumedState struct {
	wire.Consumed
	Count int // how often
}

// A GroupState says by which number the attempts in a group of doors know it.
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

// A HitState is a knock that counted.
type HitState struct {
	Port     packet.Port
	Flags    packet.Flags
	From     uint16 // source port
	Sequence uint32 // of TCP
	At       int64
}

// A GrantState is a live grant, with what the engine adds to it.
type GrantState struct {
	wire.Grant
	Run    uint64 `json:",omitempty"` // the effect that ran the command
	Number uint64 `json:",omitempty"` // of its timer
}

// A DelayState is a call that a script asked for with [After].
type DelayState struct {
	Script, Name wire.Text
	Value        wire.Scalar
	Door         wire.Text
	Source       netip.Addr
	Observed     bool `json:",omitempty"`
	Due          int64
	Number       uint64 // of its timer
}

// A BatchState is a decision of whose effects some are not answered.
type BatchState struct{ Effects []wire.Effect }

// A LimitState says how much of an allowance is used.
type LimitState struct {
	Door     wire.Text
	Count    int
	Per      time.Duration
	Source   netip.Addr // invalid: all sources together
	Full     int64
	Refusing bool
}

// A RecentState is a memory of packets: their hashes, eight bytes each, the
// lower byte first. What is Older is forgotten when Young is full.
type RecentState struct{ Young, Older []byte }
