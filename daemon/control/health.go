package control

import (
	"slices"
	"strings"
)

// This file is the health of a daemon: one verdict with its reasons. The table of health_rows.go
// has everything that can be wrong, in one row each. A new one is a field of [Status], a row there,
// and a line in docs/running.md; a test fails when the line is forgotten.

// Health is the verdict on a daemon.
type Health struct {
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons,omitempty"` // of a verdict other than ok; what is broken comes first
	// Notes are worth knowing and change no verdict: what went wrong earlier, or what may go wrong.
	Notes []Reason `json:"notes,omitempty"`
}

// A Verdict says in one word whether a daemon does its work.
type Verdict string

// The verdicts.
const (
	OK       Verdict = "ok"
	Degraded Verdict = "degraded" // it does its work, but not all of it
	Broken   Verdict = "broken"   // no knock is captured, or ports may be open to everyone
)

// A Reason is one thing that is wrong.
type Reason struct {
	Code   string `json:"code"`             // stable: "set-not-saved"; docs/running.md lists them
	Broken bool   `json:"broken,omitempty"` // the verdict is broken because of this
	Text   string `json:"text"`             // for people; it may have several lines
	Next   string `json:"next,omitempty"`   // what a person can do
}

// String returns the reason in one text for people: what is wrong, and then what to do.
func (r Reason) String() string {
	text := strings.TrimRight(r.Text, "\n")
	switch {
	case r.Next == "":
		return text
	case strings.Contains(text, "\n"):
		return text + "\n" + r.Next
	}
	return text + "; " + r.Next
}

// A severity is what a row means for the verdict.
type severity string

const (
	isNote     severity = "note"
	isDegraded          = severity(Degraded)
	isBroken            = severity(Broken)
)

// A row is one thing that can be wrong.
type row struct {
	code     string
	severity severity
	found    string // what it is, for the documentation
	next     string // the next step, where the finding names no better one
	find     func(*Status) []finding
}

// A finding is one place where a row holds.
type finding struct{ text, next string }

// HealthOf examines a status. It looks at nothing else, and at no field Health.
func HealthOf(s *Status) Health {
	h := Health{Verdict: OK}
	for _, row := range rows() {
		for _, f := range row.find(s) {
			r := Reason{Code: row.code, Broken: row.severity == isBroken, Text: f.text, Next: f.next}
			if r.Next == "" {
				r.Next = row.next
			}
			if row.severity == isNote {
				h.Notes = append(h.Notes, r)
			} else {
				h.Reasons = append(h.Reasons, r)
			}
		}
	}
	slices.SortStableFunc(h.Reasons, func(a, b Reason) int { return rank(a) - rank(b) })
	switch {
	case len(h.Reasons) == 0:
	case h.Reasons[0].Broken:
		h.Verdict = Broken
	default:
		h.Verdict = Degraded
	}
	return h
}

// A HealthCode is the code of something that can be wrong.
type HealthCode struct {
	Code     string
	Severity string // "broken", "degraded", or "note", which changes no verdict
}

// HealthCodes returns all codes.
func HealthCodes() (all []HealthCode) {
	for _, row := range rows() {
		all = append(all, HealthCode{row.code, string(row.severity)})
	}
	return all
}

func rank(r Reason) int {
	if r.Broken {
		return 0
	}
	return 1
}

// withHealth completes the status of a daemon that is older than verdicts. Such a daemon is never
// called ok: it does not tell all that this program asks for.
func (s *Status) withHealth() {
	if s.Health.Verdict != "" {
		return
	}
	s.Health = HealthOf(s)
	s.Health.Reasons = append(s.Health.Reasons, Reason{
		Code: oldDaemon, Text: "the daemon is older than this program, and does not tell whether it is well", Next: oldDaemonNext,
	})
	if s.Health.Verdict == OK {
		s.Health.Verdict = Degraded
	}
}

// oldDaemon is the one reason that the client finds, not the daemon.
const (
	oldDaemon     = "old-daemon"
	oldDaemonNext = "restart it (with its unit: systemctl restart sesame)"
)
