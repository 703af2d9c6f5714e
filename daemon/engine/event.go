package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// An Event is one thing that was decided. The transcript prints events, and the
// effect runner carries out those that ask for a change of the world.
//
// Which fields are set depends on Kind; the transcript's contract says which.
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
	Script  string // of an Error
	Line    int    // of an Error

	Effect Effect
	ID     uint64 // of an effect whose [Engine.Result] is awaited; 0: none is
	// Decision is the same for the effects of one decision: the ID of the first that
	// is awaited. They run in order, and after one has failed those that follow
	// are left out: the engine has taken them back. Zero: the effect depends on
	// no other.
	Decision uint64
	// Of a grant: EventEffect and EventClose.
	Grant uint64
	Port  packet.Port
	TTL   time.Duration
	// Until is the end that the kernel's element for (Source, Port) must now
	// have: the latest end of all live grants on it. Zero in an EventClose: no
	// grant is left, and an element that has not expired by itself must go.
	Until   time.Time
	Argv    []string // nil in an EffectExec that only prolongs a grant
	Timeout time.Duration
	// AnyStatus says that Argv need only run: when it fails, the effects of the
	// reply that follow it are carried out all the same.
	AnyStatus bool
	// Status is of an EventFailed whose command ran: with what it exited, below
	// zero when it did not exit by itself. Ran tells the two kinds of zero apart.
	Ran    bool
	Status int

	// Observed says of an effect and a close that the door only observes: they
	// are decided and told as ever, and nothing is to be done.
	Observed bool

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
	EventRefuse                 // completed, but a condition or a fault said no
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

// A Reason says why: of a miss, a refusal or a close.
type Reason string

// The reasons of a miss.
const (
	WrongPort    Reason = "wrong_port"    // a port outside the sequence, of a strict door
	OutOfOrder   Reason = "out_of_order"  // a port of the sequence, at the wrong place in it
	StepTimeout  Reason = "step_timeout"  // too long since the last knock
	TotalTimeout Reason = "total_timeout" // too long since the first knock
	Reloaded     Reason = "reload"        // the door changed or went
	Used         Reason = "used"          // somebody else used the one-time sequence
	EndOfCapture Reason = "end_of_capture"
)

// The reasons of a refusal.
const (
	When        Reason = "when"
	Limited     Reason = "limit"
	ScriptError Reason = "script_error"
	NotGranted  Reason = "not_granted" // a person asked for what cannot be given
)

// The reasons of a close.
const (
	Expired      Reason = "expired"
	Revoked      Reason = "revoked"        // by a person
	ClosedByDoor Reason = "closed_by_door" // by a script's close
	Replaced     Reason = "replaced"       // by a grant to a wider network
	ShutDown     Reason = "shutdown"
	NotDone      Reason = "failed" // an effect of the same reply failed, so it was taken back
)

// A Record is what must survive a restart: a grant with its undo, a value
// that a script stored, or a sequence that was used. Exactly one of Grant, Store
// and Consumed is set.
type Record struct {
	Grant *Grant
	// Ended says that the grant is over, and that nothing is owed for it any
	// more. Its id stays taken: who keeps records keeps that of the highest id,
	// or an ended one in its place, so that no id is given twice.
	Ended bool
	Store *Put
	// Script and Source are the place of Store; Source is invalid for a value
	// of the whole script.
	Script string
	Source netip.Addr
	// Consumed is a one-time sequence that was used. Ended says that its line is
	// marked, so that the file remembers it.
	Consumed *Consumed
}

// Consumed is a one-time sequence that was used.
type Consumed struct {
	File string // that it is from
	Line string // as the file had it
}
