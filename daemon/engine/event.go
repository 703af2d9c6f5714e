package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// An Event is one thing that was decided. The transcript shows events, and the effect runner
// carries out those that request a change outside of the engine.
//
// Which fields are set depends on Kind: docs/transcript.md has the list.
type Event struct {
	Kind    Kind
	Time    time.Time // engine time; of a timer's event, its deadline
	Packet  int       // number of the packet that caused it; 0: none did
	Capture int       // of that packet; 0: there is only one
	Door    string
	Source  netip.Prefix // a single address, unless a grant is for a network
	Stage   int          // stages completed
	Stages  int
	Reason  Reason
	Detail  string
	// Of a Refuse: the condition that decided, and what it found.
	Condition string
	Fields    []Field
	Script    string // of an Error
	Line      int    // of an Error

	Effect Effect
	ID     uint64 // of an effect whose [Engine.Result] is awaited; 0: none is
	// Decision is the same for the effects of one decision: the ID of the first that is
	// awaited. They run in order, and no later one waits for one that is [Event.Optional]. After a
	// failure that is not tolerated (see [Event.Tolerates]), the later ones must be left out: the
	// engine has taken them back. Zero: the effect depends on no other.
	Decision uint64
	// Of a grant: EventEffect and EventClose.
	Grant uint64
	Port  packet.Port // also the tripwire of an EventMiss
	TTL   time.Duration
	// Until is the end that the kernel's element for (Source, Port) must now have: the latest
	// end of all live grants on it. Zero in an EventClose: no grant is left, and an element
	// that has not expired by itself must be deleted.
	Until time.Time
	Argv  []string // nil in an EffectExec that only extends a grant
	// Owner is the script that asked for an EffectExec: see [Script.Owner].
	Owner string
	// Invocation says how the Argv of an EffectExec was made; nil: it is of no declared command.
	Invocation *Invocation
	Timeout    time.Duration
	// AnyStatus means that Argv need only run: when it exits with a failure, the later effects
	// of the decision are carried out all the same.
	AnyStatus bool
	// Required means that a failure of Argv ends its decision: see [Event.Tolerates].
	Required bool
	// Shared means that the undo of Argv is one for all sources: see [Exec.Shared].
	Shared bool
	// Of an EventFailed: Ran means that the command ran, and Status with what it exited. Status
	// is below zero when it did not exit by itself.
	Ran    bool
	Status int
	// Of an EventFailed too: Failed is the ID of the effect. TakenBack means that its decision
	// was taken back: new grants end, extended ones get their former ends, and the later
	// effects are not done.
	Failed    uint64
	TakenBack bool

	// Observed is set in an effect and a close when the door only observes: they are decided and
	// reported like any other, and nothing must be done.
	Observed bool
	// Cut means that the sessions and flows of Source to Port must end. In an EventClose: with the
	// grant. It is never set while another grant gives the same access.
	Cut bool

	// Persist is set for EffectPersist and EffectConsume alone.
	Persist *Record
	// File and Text are of an EffectConsume and an EffectCommentOut: a line of a file of
	// one-time sequences. An EffectLog has File when no sequence is left in it.
	File string
	Text string
}

// A Kind is the kind of an event.
type Kind uint8

const (
	EventStage  Kind = iota + 1 // an attempt made progress
	EventOpen                   // a completed sequence that nothing refused
	EventEffect                 // the world shall change
	EventClose                  // a grant ended
	EventMiss                   // an attempt ended unfinished
	EventRefuse                 // a completed sequence that a condition, a limit or a fault stopped
	EventError                  // a script's function failed
	EventFailed                 // an effect did not succeed
)

// Name returns the name of the kind in transcripts, "" for a number that is no kind.
func (k Kind) Name() string {
	switch k {
	case EventStage:
		return "stage"
	case EventOpen:
		return "open"
	case EventEffect:
		return "effect"
	case EventClose:
		return "close"
	case EventMiss:
		return "miss"
	case EventRefuse:
		return "refuse"
	case EventError:
		return "error"
	case EventFailed:
		return "failed"
	}
	return ""
}
