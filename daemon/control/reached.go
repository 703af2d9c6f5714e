package control

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
	"sesame/daemon/transcript"
)

// Reached is what the kernel showed of the packets that a grant let in. Times are those of the wall
// clock.
type Reached struct {
	Outcome reach.Outcome `json:"outcome"`
	// Closed says of the outcomes "answered" and "unanswered" that no program listens at the
	// address and port. In the first case the host itself refused.
	Closed bool `json:"closed,omitempty"`
	// Changed says of the outcomes "dropped" and "rejected" that the rules have changed since, so
	// that what becomes of the next packet is not known.
	Changed bool      `json:"changed,omitempty"`
	First   time.Time `json:"first,omitzero"` // of the packets that the outcome stands for; left out: unused
	Last    time.Time `json:"last,omitzero"`
	// Table to Policy are where a packet of the outcomes "dropped" and "rejected" ended. They are
	// left out where that is not known.
	Table  string `json:"table,omitempty"` // "ip filter"
	Chain  string `json:"chain,omitempty"`
	Rule   string `json:"rule,omitempty"` // as nft prints it; left out: the policy, or it is not known
	Handle uint64 `json:"handle,omitempty"`
	Policy bool   `json:"policy,omitempty"` // the policy of the chain, and no rule
	// Lines let granted packets through when they are run unchanged, as root, in this order. Lines
	// that begin with # explain.
	Lines []string `json:"lines,omitempty"`
}

// ReachedOf returns a result of a measurement. The offset is the wall clock minus the clock of its
// times.
func ReachedOf(r reach.Result, offset time.Duration) Reached {
	out := Reached{Outcome: r.Outcome, Closed: r.Closed, Changed: r.Changed, Lines: r.Lines}
	if !r.Last.IsZero() {
		out.First, out.Last = r.First.Add(offset).UTC(), r.Last.Add(offset).UTC()
	}
	if b := r.Blocker; b != nil {
		out.Table, out.Chain, out.Rule, out.Handle, out.Policy = b.Table, b.Chain, b.Rule, b.Handle, b.Policy
	}
	return out
}

// Blocked reports whether another program's chain stopped the packets.
func (r *Reached) Blocked() bool { return r.Outcome == reach.Dropped || r.Outcome == reach.Rejected }

// Place names the chain and the rule in which packets ended: "chain ip filter INPUT (policy)".
func (r *Reached) Place() string {
	switch {
	case r.Chain == "":
		return "a chain that is not known"
	case r.Policy:
		return "chain " + transcript.Safe(r.Table+" "+r.Chain) + " (policy)"
	case r.Rule != "":
		return "chain " + transcript.Safe(r.Table+" "+r.Chain) + " (rule: " + transcript.Safe(r.Rule) + ")"
	case r.Handle != 0:
		return "chain " + transcript.Safe(r.Table+" "+r.Chain) + fmt.Sprintf(" (rule with handle %d)", r.Handle)
	}
	return "chain " + transcript.Safe(r.Table+" "+r.Chain)
}

// Short describes the result in a few words, for a table.
func (r *Reached) Short() string {
	switch {
	case r.Blocked() && r.Changed:
		return "not since the rules changed"
	case r.Blocked() && r.Chain != "":
		return string(r.Outcome) + " by " + transcript.Safe(r.Table+" "+r.Chain)
	case r.Closed:
		return "no program listens"
	case r.Outcome == reach.Unanswered:
		return "nobody answered"
	case r.Outcome == reach.Passed:
		return "let in"
	}
	return string(r.Outcome)
}

// remedy returns the lines that let packets through, each on a line of its own when there are
// several.
func (r *Reached) remedy() string {
	switch len(r.Lines) {
	case 0:
		return ""
	case 1:
		return "; to let it in, run: " + r.Lines[0]
	}
	return "; to let it in, run:\n" + strings.Join(r.Lines, "\n")
}

// advice returns the lines as one text, when none of them is to be run; "" otherwise.
func (r *Reached) advice() string {
	var all []string
	for _, line := range r.Lines {
		text, comment := strings.CutPrefix(line, "# ")
		if !comment {
			return ""
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// MaxReached bounds the results in a status. The oldest are left out.
const MaxReached = 100

// Measured is what became of the granted packets of one source at one port.
type Measured struct {
	Source netip.Addr `json:"source"`
	Port   Port       `json:"port"`
	Reached
}

// String describes the result as what follows "opened tcp/22", and what to do. It may have several
// lines.
func (m *Measured) String() string {
	seen := "the " + m.what() + " at " + m.Last.UTC().Format(time.TimeOnly)
	switch {
	case m.Blocked() && m.Changed:
		return fmt.Sprintf("; %s was %s by %s, whose rules have changed since: connect again", seen, m.Outcome, m.Place())
	case m.Blocked():
		return fmt.Sprintf("; %s was %s by %s%s", seen, m.Outcome, m.Place(), m.remedy())
	case m.Closed && m.Outcome == reach.Answered:
		return ", and this host refused " + seen + ": " + m.closed()
	case m.Closed:
		return ", and nobody answered " + seen + ": " + m.closed()
	case m.Outcome == reach.Unanswered:
		return ", and " + m.unanswered(seen)
	case m.Outcome == reach.Answered:
		return ", and answered at " + m.Last.UTC().Format(time.TimeOnly)
	case m.Outcome == reach.Passed:
		return ", and let in at " + m.Last.UTC().Format(time.TimeOnly) + "; whether it was answered is not known, since the kernel does not track the connection (notrack)"
	}
	return ", not used: " + noneCame
}

// what names what came to the port.
func (m *Measured) what() string {
	if m.Port.Proto == packet.UDP {
		return "packet"
	}
	return "connection"
}

// noneCame says of an unused grant what is known: a chain before ours may drop packets, and not
// each connection is traced.
const noneCame = "no packet was seen that came as far as Sesame's chain"

// closed says what to do where no program listens.
func (m *Measured) closed() string {
	if advice := m.advice(); advice != "" {
		return advice
	}
	return "no program listens there; start the service (ss -ltnu lists what listens)"
}

// unanswered describes that nobody answered what was seen.
func (m *Measured) unanswered(seen string) string {
	advice := m.advice()
	switch {
	case advice != "":
		return seen + " failed: " + advice
	case len(m.Lines) > 0:
		return fmt.Sprintf("nobody answered %s, nor did a chain that can be traced drop it; if the service waits there, run:\n%s", seen, strings.Join(m.Lines, "\n"))
	case m.Port.Proto == packet.UDP:
		return "nobody answered " + seen + ": look at the service (ss -lun lists those of UDP), which may give no answer to such a packet, and at firewalls on the way back"
	}
	return "nobody answered " + seen + ": look whether the service waits there, and at firewalls on the way back"
}

// TurnedAway is a source that was refused at a guarded port, and is probably the client that had
// opened the port from another address.
type TurnedAway struct {
	Knocked   netip.Addr `json:"knocked"`   // the address that opened
	Connected netip.Addr `json:"connected"` // the address that was refused
	Door      string     `json:"door"`
	Port      Port       `json:"port"`
	Opened    time.Time  `json:"opened"`
	Refused   time.Time  `json:"refused"` // the last packet
	Text      string     `json:"text"`    // all of it, and what helps, for people
}

// SplitKnock is a sequence that two addresses knocked together, as through a carrier's translation.
type SplitKnock struct {
	Door    string       `json:"door"`
	Sources []netip.Addr `json:"sources"` // of each knock of the sequence
	Last    time.Time    `json:"last"`
	Count   int          `json:"count"`
	Text    string       `json:"text"` // all of it, and what helps, for people
}
