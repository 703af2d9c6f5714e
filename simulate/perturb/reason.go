package perturb

import (
	"cmp"
	"fmt"
	"strings"

	"sesame/simulate/account"
)

// Fewer is the result of a source that opened a door, but less often than without faults. Of its
// other knocks the account says nothing.
const Fewer account.Result = "fewer"

// Silent is the result of a source of which nothing came that concerns the door.
const Silent account.Result = "silent"

// A Reason is why a door did not open, as far as it is the same in many runs: times and numbers of
// packets are not a part of it.
type Reason struct {
	Result  account.Result `json:"result"`
	Stage   int            `json:"stage,omitempty"`
	Stages  int            `json:"stages,omitempty"`
	Awaited string         `json:"awaited,omitempty"`
	Reason  string         `json:"reason,omitempty"`
}

// reasonOf returns the reason of an account, and the line of it that says more about this run; nil
// is no account.
func reasonOf(a *account.Account) (r Reason, text string) {
	if a == nil {
		return Reason{Result: Silent}, ""
	}
	if len(a.Lines) > 0 {
		text = a.Lines[0]
	}
	return Reason{Result: a.Result, Stage: a.Best, Stages: a.Stages, Awaited: a.Awaited, Reason: a.Reason}, text
}

// String returns the reason for people: "stopped at 2 of 4, tcp/2904 was awaited: out of order".
func (r Reason) String() string {
	text := ""
	switch r.Result {
	case Fewer:
		return "opened, but less often"
	case Silent:
		return "nothing came"
	case account.ResultNeverBegan:
		text = "never began"
	case account.ResultRefused:
		text = "refused"
	case account.ResultOpened, account.ResultWaiting, account.ResultStopped:
		text = fmt.Sprintf("%s at %d of %d", r.Result, r.Stage, r.Stages)
	}
	if r.Awaited != "" {
		text += ", " + r.Awaited + " was awaited"
	}
	if r.Reason != "" {
		text += ": " + strings.ReplaceAll(r.Reason, "_", " ")
	}
	return text
}

func (r Reason) compare(s Reason) int {
	return cmp.Or(cmp.Compare(r.Result, s.Result), cmp.Compare(r.Stage, s.Stage), cmp.Compare(r.Awaited, s.Awaited), cmp.Compare(r.Reason, s.Reason))
}
