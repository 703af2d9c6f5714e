// Package knockdtest turns packets into the lines that knockd would log, for tests.
//
// A [Model] is knockd 0.8 in a few lines, as simple as possible and with no thought for cost. Each
// of knockd's bugs is a switch ([Bugs]). With all of them the model gives what the real knockd
// logs; a test in cmd/sesame/e2e compares both. With none it gives what Sesame reports; TestEngine
// compares it with the engine. So both programs are compared through one small text.
//
// [Scenarios] are the stories that the tests play, and [Random] makes any number of others.
package knockdtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
	"sesame/scripting/knockd"
)

// Bugs are what knockd does and Sesame does not. docs/from-knockd.md has each of them for users.
type Bugs struct {
	// LostAttempts: when the oldest attempt is removed, the attempts of all sources are lost.
	// knockd sets the head of its list to NULL instead of the next element. The sweep that removes
	// the head still visits the rest of the list once.
	LostAttempts bool
	// WholeSeconds: the time of a sequence is the difference of the seconds of its first and its
	// latest packet, without their fractions. So a limit of N seconds lasts between N-1 and N.
	WholeSeconds bool
	// LazyExpiry: an attempt times out when the next packet comes that some door counts, from any
	// source, perhaps hours later. Attempts that time out together do so in the order in which they
	// began.
	LazyExpiry bool
	// Retransmits: a packet that was sent again is another knock. knockd does not look at the
	// sequence number.
	Retransmits bool
	// ByAge: a packet that advances several attempts of its source advances the oldest first, not
	// that of the first door of the file.
	ByAge bool
	// SameNames: sections of the same name log the same name.
	SameNames bool
}

// Knockd returns all bugs: the real knockd 0.8.
func Knockd() Bugs { return Bugs{true, true, true, true, true, true} }

// A Kind is the kind of a line.
type Kind uint8

// The kinds of lines.
const (
	Stage   Kind = iota // a knock was right; Line.Stage is how many are done
	Open                // all knocks are done
	Timeout             // the attempt took too long
	Wrong               // the attempt ended with a wrong knock, which knockd does not log
)

// A Line is one thing that happened to an attempt.
type Line struct {
	Kind   Kind
	Source netip.Addr
	Door   string
	Stage  int    // the stage that was reached; 0 for Open
	Reason string // for Wrong: the reason as in a transcript
}

// String returns the line as knockd logs it. A wrong knock, which it does not log, gets a line of
// the same form.
func (l Line) String() string {
	who := l.Source.String() + ": " + l.Door + ": "
	switch l.Kind {
	case Stage:
		return fmt.Sprintf("%sStage %d", who, l.Stage)
	case Open:
		return who + "OPEN SESAME"
	case Timeout:
		return fmt.Sprintf("%ssequence timeout (stage %d)", who, l.Stage)
	case Wrong:
	}
	return fmt.Sprintf("%s%s (stage %d)", who, l.Reason, l.Stage)
}

// Logged returns the lines that knockd logs.
func Logged(lines []Line) []Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Kind == Wrong })
}

// Reported returns the lines that Sesame reports. The end of an attempt that never came beyond its
// first stage is not reported.
func Reported(lines []Line) []Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Stage < 2 && (l.Kind == Timeout || l.Kind == Wrong) })
}

// A Model is a knockd. It is not safe for concurrent use.
type Model struct {
	doors    []knockd.Door
	local    []netip.Addr
	bugs     Bugs
	attempts []*attempt // the oldest first
	seen     map[segment]bool
	lines    []Line
}

// An attempt is a source's progress in a door.
type attempt struct {
	door   *knockd.Door
	place  int // of the door in the file, from 0
	source netip.Addr
	start  time.Time // of the first knock
	stage  int       // knocks that are done
	wrong  bool      // it ended with a wrong knock
}

// A segment is what stays the same when a TCP packet is sent again.
type segment struct {
	source             netip.Addr
	sourcePort, number uint16
	sequence           uint32
}

// New returns a model whose interface has these addresses.
func New(file *knockd.File, local []netip.Addr, bugs Bugs) *Model {
	return &Model{doors: file.Doors, local: local, bugs: bugs, seen: make(map[segment]bool)}
}

// Run gives the packets to a new model and returns its lines. Time ends with the last packet.
func Run(file *knockd.File, local []netip.Addr, bugs Bugs, packets []packet.Packet) []Line {
	m := New(file, local, bugs)
	for i := range packets {
		m.Packet(&packets[i])
	}
	return m.lines
}

// Counts reports whether the packet reaches knockd at all. Its filter for libpcap passes packets to
// a port of some door, to the destination of that door and with its flags.
func (m *Model) Counts(p *packet.Packet) bool {
	return slices.ContainsFunc(m.doors, func(d knockd.Door) bool {
		return slices.Contains(d.Sequence, p.Port) && m.accepts(&d, p.Dest) && flagsHold(&d, p)
	})
}

// Packet takes the next packet. Packets come in the order of their times.
func (m *Model) Packet(p *packet.Packet) {
	if !m.bugs.LazyExpiry {
		m.expireUntil(p.Time)
	}
	if !m.Counts(p) || !m.bugs.Retransmits && m.retransmit(p) {
		return
	}
	m.sweep(p.Time)
	found := m.ofSource(p)
	if len(found) == 0 {
		m.begin(p)
		return
	}
	for _, a := range found {
		switch {
		case !flagsHold(a.door, p):
		case a.door.Sequence[a.stage] == p.Port:
			m.advance(a)
		default:
			m.fail(a, p.Port)
		}
	}
}

// ofSource returns the attempts of the packet's source at doors that accept its destination.
func (m *Model) ofSource(p *packet.Packet) (found []*attempt) {
	for _, a := range m.attempts {
		if a.source == p.Source && m.accepts(a.door, p.Dest) {
			found = append(found, a)
		}
	}
	if !m.bugs.ByAge {
		slices.SortStableFunc(found, func(a, b *attempt) int { return cmp.Compare(a.place, b.place) })
	}
	return found
}

// begin begins an attempt at each door whose first knock the packet is.
func (m *Model) begin(p *packet.Packet) {
	for i := range m.doors {
		d := &m.doors[i]
		if d.Sequence[0] == p.Port && m.accepts(d, p.Dest) && flagsHold(d, p) {
			a := &attempt{door: d, place: i, source: p.Source, start: p.Time}
			m.attempts = append(m.attempts, a)
			m.advance(a)
		}
	}
}

// advance counts a right knock.
func (m *Model) advance(a *attempt) {
	a.stage++
	m.report(Stage, a, "")
	if a.done() {
		m.report(Open, a, "")
	}
}

// fail ends an attempt with a wrong knock. The next sweep removes it, as in knockd.
func (m *Model) fail(a *attempt, port packet.Port) {
	a.wrong = true
	reason := "wrong_port"
	if slices.Contains(a.door.Sequence, port) {
		reason = "out_of_order"
	}
	m.report(Wrong, a, reason)
}

// sweep removes the attempts that are over: complete, wrong or late.
func (m *Model) sweep(now time.Time) {
	var rest []*attempt
	lost := false
	for i, a := range m.attempts {
		switch {
		case a.done(), a.wrong:
		case m.late(a, now):
			m.report(Timeout, a, "")
		default:
			rest = append(rest, a)
			continue
		}
		lost = lost || i == 0
	}
	if m.attempts = rest; lost && m.bugs.LostAttempts {
		m.attempts = nil
	}
}

// late reports whether the time of an attempt is over.
func (m *Model) late(a *attempt, now time.Time) bool {
	if m.bugs.WholeSeconds {
		return now.Unix()-a.start.Unix() >= int64(a.door.Timeout)
	}
	return !now.Before(a.end())
}

// expireUntil ends the attempts whose time is over, in the order of their ends, as the engine's
// timers do.
func (m *Model) expireUntil(now time.Time) {
	var over []*attempt
	m.attempts = slices.DeleteFunc(m.attempts, func(a *attempt) bool {
		late := !a.done() && !a.wrong && !now.Before(a.end())
		if late {
			over = append(over, a)
		}
		return late
	})
	slices.SortStableFunc(over, func(a, b *attempt) int {
		return cmp.Or(a.end().Compare(b.end()), cmp.Compare(a.place, b.place), a.source.Compare(b.source))
	})
	for _, a := range over {
		m.report(Timeout, a, "")
	}
}

// retransmit reports whether a TCP packet was sent before, and remembers it.
func (m *Model) retransmit(p *packet.Packet) bool {
	if p.Port.Proto != packet.TCP {
		return false
	}
	s := segment{p.Source, p.SourcePort, p.Port.Number, p.Sequence}
	defer func() { m.seen[s] = true }()
	return m.seen[s]
}

// accepts reports whether a door counts packets to a destination.
func (m *Model) accepts(d *knockd.Door, dest netip.Addr) bool {
	switch {
	case d.Unreachable:
		return false
	case d.Target.IsValid():
		return d.Target == dest
	}
	return slices.Contains(m.local, dest)
}

// report adds a line.
func (m *Model) report(kind Kind, a *attempt, reason string) {
	name := a.door.Name
	if m.bugs.SameNames {
		name = a.door.Section
	}
	l := Line{kind, a.source, name, a.stage, reason}
	if kind == Open {
		l.Stage = 0
	}
	m.lines = append(m.lines, l)
}

// flagsHold reports whether a packet has the flags that a door requires. Packets of UDP always do.
func flagsHold(d *knockd.Door, p *packet.Packet) bool {
	return p.Port.Proto != packet.TCP || d.Flags.Holds(p.Flags)
}

func (a *attempt) done() bool { return a.stage == len(a.door.Sequence) }

// end returns the moment at which the time of an attempt is over.
func (a *attempt) end() time.Time {
	return a.start.Add(time.Duration(max(a.door.Timeout, 0)) * time.Second)
}
