package control

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// A Trial is a script set in force that goes again unless somebody confirms it.
type Trial struct {
	State TrialState `json:"state"`
	Began time.Time  `json:"began"`
	// Ends is when the set before returns, or returned.
	Ends time.Time `json:"ends"`
	// Remaining is the time until Ends, in a status.
	Remaining Duration `json:"remaining,omitempty"`
	// From is the directory or the script of the set; left out: that of the configuration.
	From string `json:"from,omitempty"`
	// Doors are those that changed and that nobody has opened yet, the first 100. When somebody has
	// opened each of them, that confirms the trial. Without any, a person must confirm it.
	Doors []string `json:"doors,omitempty"`
	// Why tells who confirmed the trial, or why the set before returned.
	Why string `json:"why,omitempty"`
}

// Place returns From, and "" without a trial.
func (t *Trial) Place() string {
	if t == nil {
		return ""
	}
	return t.From
}

// A TrialState is what became of a trial.
type TrialState string

// The states.
const (
	TrialRuns      TrialState = "running"
	TrialConfirmed TrialState = "confirmed"
	TrialReturned  TrialState = "returned" // the set before is in force again
)

// A Hold is why files are not put in force by themselves, although nothing is wrong with them.
type Hold string

// The reasons.
const (
	HeldByTrial  Hold = "trial"  // they were tried, and the set before returned
	HeldByReturn Hold = "return" // the same, and a person asked for that
	HeldByFrom   Hold = "from"   // a set from elsewhere was put in force instead
	HeldByManual Hold = "manual" // the configuration says reload = "manual"
)

// Bounds of a trial.
const (
	MinTrial = Duration(time.Second)
	MaxTrial = Duration(24 * time.Hour)
)

const maxPlace = 4096 // bytes of a path, as in Linux

// checkTrial checks what a request says of a trial and of the place of the scripts.
func (r *ReloadRequest) checkTrial() error {
	switch {
	case r.Trial != 0 && (r.Trial < MinTrial || r.Trial > MaxTrial):
		return fmt.Errorf(`a trial of %s: expected a time from 1s to 24h, such as "10m"`, r.Trial)
	case r.Return && (r.Trial != 0 || r.From != "" || r.SkipTests || len(r.Unguard) > 0):
		return errors.New("to return to the set before the trial takes nothing else")
	case r.From != "" && (!filepath.IsAbs(r.From) || len(r.From) > maxPlace || strings.ContainsRune(r.From, 0)):
		return fmt.Errorf("scripts from %q: expected an absolute path", r.From)
	}
	return nil
}

// A ConfirmRequest keeps the set of a trial.
type ConfirmRequest struct {
	// SessionAge is how long the caller's session stands; nil: it is not known. One that is older
	// than the trial proves nothing about new knocks, and is refused.
	SessionAge *Duration `json:"session_age,omitempty"`
	// Address is where the session is from; left out: it is not known, or no other host. A grant
	// from before the trial lets sessions in that prove nothing, too.
	Address netip.Addr `json:"address,omitzero"`
	// Session names the session, for messages.
	Session string `json:"session,omitempty"`
	Force   bool   `json:"force,omitempty"` // whatever the session
}

const maxSession = 256 // bytes

func (r *ConfirmRequest) check() error {
	switch {
	case r.SessionAge != nil && *r.SessionAge < 0:
		return fmt.Errorf("a session that is %s old", *r.SessionAge)
	case len(r.Session) > maxSession:
		return fmt.Errorf("the name of a session of %d bytes: expected at most %d", len(r.Session), maxSession)
	}
	return nil
}
