package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
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
	Spent      []SpentState `json:",omitempty"`

	Limits      []LimitState
	LimitsSwept int64
	Values      []ValueState
	ValuesSwept int64

	// Secret is the key of the hashes in Segments and Flows.
	Secret          [2]uint64
	Segments, Flows RecentState
}

// A DoorState says by which number the attempts in a door know it.
type DoorState struct {
	Name Text
	ID   uint32
	// Used are the one-time sequences that were used since the files of the set
	// were read, by their lines; Kept are those of them that no file knows of.
	Used, Kept []Text `json:",omitempty"`
}

// A SpentState is a line of one-time sequences that was used and not marked yet.
type SpentState struct {
	File, Line Text
	Count      int // how often
}

// A GroupState says by which number the attempts in a group of doors know it.
type GroupState struct {
	Name Text
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

// A GrantState is a [Grant], with what the engine adds to it.
type GrantState struct {
	ID         uint64
	Door       Text
	By         netip.Addr
	Source     netip.Prefix
	Port       packet.Port
	Argv, Undo []Text
	Timeout    time.Duration
	TTL        time.Duration
	End        int64
	AnyStatus  bool   `json:",omitempty"`
	Observed   bool   `json:",omitempty"`
	Run        uint64 `json:",omitempty"` // the effect that ran the command
	Number     uint64 `json:",omitempty"` // of its timer
}

// KeepGrant returns g as plain data.
func KeepGrant(g Grant) GrantState {
	return GrantState{
		ID: g.ID, Door: Text(g.Door), By: g.By, Source: g.Source, Port: g.Port,
		Argv: texts(g.Argv), Undo: texts(g.Undo), Timeout: g.Timeout, AnyStatus: g.AnyStatus,
		TTL: g.TTL, End: nanoseconds(g.End), Observed: g.Observed,
	}
}

// Grant is the opposite of [KeepGrant].
func (s *GrantState) Grant() Grant {
	return Grant{
		ID: s.ID, Door: string(s.Door), By: s.By, Source: s.Source, Port: s.Port,
		Argv: plain(s.Argv), Undo: plain(s.Undo), Timeout: s.Timeout, AnyStatus: s.AnyStatus,
		TTL: s.TTL, End: at(s.End), Observed: s.Observed,
	}
}

// A DelayState is a call that a script asked for with [After].
type DelayState struct {
	Script, Name Text
	Value        Text // as in ValueState
	Door         Text
	Source       netip.Addr
	Observed     bool `json:",omitempty"`
	Due          int64
	Number       uint64 // of its timer
}

// A BatchState is a reply of whose effects some were not yet answered.
type BatchState struct{ Effects []EffectState }

// An EffectState is one effect of a reply.
type EffectState struct {
	ID      uint64
	Effect  Effect
	Awaited bool // its result has not come yet
	Runs    bool // it has a command
	// AnyStatus, File and Line are as in [Event].
	AnyStatus  bool `json:",omitempty"`
	File, Line Text `json:",omitempty"`
	Door       Text
	Source     netip.Prefix
	Port       packet.Port
	Grant      uint64 // 0: it is for none
	// Over is that grant when it is not live any more.
	Over *GrantState `json:",omitempty"`
	// The ends of the grant before and after; Was is 0 when the effect made it.
	Was, End int64
}

// A LimitState says how much of an allowance is used.
type LimitState struct {
	Door     Text
	Count    int
	Per      time.Duration
	Source   netip.Addr // invalid: all sources together
	Full     int64
	Refusing bool
}

// A ValueState is a value that a script stored.
type ValueState struct {
	Script Text
	Source netip.Addr // invalid: of the whole script
	Key    Text
	// Value is "true", "false", "n" and a number, "s" and a string, or nothing,
	// which forgets what is stored.
	Value Text
	Until int64
}

// KeepValue returns what p stores as plain data; source is invalid for a value
// of the whole script.
func KeepValue(script string, source netip.Addr, p Put) ValueState {
	v := ValueState{Script: Text(script), Source: source, Key: Text(p.Key), Value: valueText(p.Value), Until: forever}
	if !p.Until.IsZero() {
		v.Until = nanoseconds(p.Until)
	}
	return v
}

// Put is the opposite of [KeepValue].
func (s *ValueState) Put() (Put, error) {
	value, err := textValue(s.Value)
	return Put{PerSource: s.Source.IsValid(), Key: string(s.Key), Value: value, Until: at(s.Until)}, err
}

// A RecentState is a memory of packets: their hashes, eight bytes each, the
// lower byte first. What is Older is forgotten when Young is full.
type RecentState struct{ Young, Older []byte }
