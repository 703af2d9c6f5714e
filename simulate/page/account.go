package page

import (
	"iter"

	"sesame/simulate/account"
)

// AddAccounts adds accounts, those that came furthest first. They also say which attempts go on
// behind the end of a recording.
func (d *Data) AddAccounts(accounts iter.Seq[*account.Account], side int) {
	waiting := map[[2]string]bool{}
	for a := range accounts {
		if a.Result == account.ResultWaiting {
			waiting[[2]string{a.Source.String(), a.Door}] = true
		}
		if len(d.Accounts) >= MaxAttempts {
			d.Left.Accounts++
			continue
		}
		d.Accounts = append(d.Accounts, Account{
			Source: a.Source.String(), Door: a.Door, Side: side, Verdict: verdictOf(a.Result),
			Best: a.Best, Stages: a.Stages, Lines: a.Lines, Suggestion: a.Suggestion,
		})
	}
	for i := range d.Attempts {
		// The latest attempt of a source at a door is the one that goes on.
		if a := &d.Attempts[len(d.Attempts)-1-i]; a.Side == side && waiting[[2]string{a.Source, a.Door}] {
			delete(waiting, [2]string{a.Source, a.Door})
			a.Verdict, a.End = Waiting, d.End
		}
	}
}

func verdictOf(r account.Result) Verdict {
	switch r {
	case account.ResultOpened:
		return Opened
	case account.ResultRefused:
		return Refused
	case account.ResultWaiting:
		return Waiting
	case account.ResultStopped:
		return Stopped
	case account.ResultNeverBegan:
	}
	return NeverBegan
}
