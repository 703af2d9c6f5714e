package engine

// This file is the table of reasons. docs/transcript.md has the same, and a test compares the
// two.

// A Reason is the reason of a miss, a refusal or a close.
type Reason string

// The reasons of a miss.
const (
	WrongPort    Reason = "wrong_port"    // a port outside the sequence, of a strict door
	Tripwire     Reason = "tripwire"      // a port that nobody announces, see [Set.Tripwires]
	OutOfOrder   Reason = "out_of_order"  // a port of the sequence, at the wrong place in it
	StepTimeout  Reason = "step_timeout"  // too long since the last knock
	TotalTimeout Reason = "total_timeout" // too long since the first knock
	Reloaded     Reason = "reload"        // the door changed or went
	Used         Reason = "used"          // somebody else used the one-time sequence
	EndOfCapture Reason = "end_of_capture"
)

// The reasons of a refuse.
const (
	When        Reason = "when"
	NoData      Reason = "no_data" // a condition needs a fact that is not known
	ClockDoubt  Reason = "clock"   // a condition needs the time of day, and the clock may be wrong
	Limited     Reason = "limit"
	ScriptError Reason = "script_error"
	// ScriptTimeout is also the reason of the error itself: the function was ended by the clock.
	ScriptTimeout Reason = "script_timeout"
	NotGranted    Reason = "not_granted" // a person asked for access that cannot be given
)

// The reasons of a close.
const (
	Expired      Reason = "expired"
	WindowEnded  Reason = "window_ended"   // the grant ended with a window of time
	Revoked      Reason = "revoked"        // by a person
	ClosedByDoor Reason = "closed_by_door" // by a script's close
	Replaced     Reason = "replaced"       // by a grant to a wider network
	ShutDown     Reason = "shutdown"
	NotDone      Reason = "failed" // an effect of the same decision failed
)
