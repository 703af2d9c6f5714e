// Package trace turns the tests and judgments of an engine into lines about each packet of a
// source: what was asked, in order, what the answer was, and what came of it.
package trace

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Packet is all that became of one packet, or what happened to its source behind the last one.
type Packet struct {
	Time            time.Time
	Number, Capture int // Number is 0 behind the last packet; Capture is 0 when there is only one
	Source, Dest    netip.Addr
	Port            packet.Port
	Flags           packet.Flags
	Payload         int // its length in bytes
	// Dropped is why the packet was no knock of any door, as transcripts name it; "": it was
	// offered to the doors.
	Dropped string
	Entries []Entry
	Events  []engine.Event // that it caused
}

// An Entry is a test, or what came of the tests of a door.
type Entry struct {
	Door string // "": it is the same for all doors
	// Of a test: its name, and its outcome, which is "yes", "no" or "unknown".
	Test, Outcome string
	Condition     string // of a test of one: its name
	Detail        string // why it did not hold, or what it asks
	// Of what came of the tests: see [engine.Judgment].
	Ruling        string
	Stage, Stages int
	Text          string // for people
	caused        bool   // by the packet; not by time, or by a packet of another source
}

// OfPacket reports whether an entry is about the packet, and not about what happened before it.
func (e Entry) OfPacket() bool { return e.caused }

// End returns the record of what happened to a source behind its last packet. The captures end at
// a time.
func End(at time.Time, source netip.Addr, entries []Entry) *Packet {
	return &Packet{Time: at, Source: source, Entries: entries}
}

// Begin returns the record of a packet, with nothing that became of it.
func Begin(p *packet.Packet) *Packet {
	return &Packet{
		Time: p.Time, Number: p.Number, Capture: p.Capture, Source: p.Source, Dest: p.Dest,
		Port: p.Port, Flags: p.Flags, Payload: len(p.Payload),
	}
}

var outcomes = [...]string{engine.No: "no", engine.Yes: "yes", engine.Unknown: "unknown"}

// Test adds a test.
func (p *Packet) Test(t *engine.Test) {
	one := Entry{Test: t.Kind.String(), Outcome: outcomes[t.Outcome], Detail: t.Detail, caused: true}
	if t.Door != nil {
		one.Door = t.Door.Name
	}
	if t.Condition != nil {
		one.Condition = t.Condition.Name()
		if one.Detail == "" {
			one.Detail = t.Condition.String()
		}
	}
	if t.Kind == engine.TestLimit {
		one.Detail = t.Door.Limit.Text
	}
	p.Entries = append(p.Entries, one)
}

// Judge adds what came of the tests at a door.
func (p *Packet) Judge(j *engine.Judgment) {
	one := Entry{Ruling: rulings[j.Ruling], Stage: j.Stage, Text: sentence(j), caused: j.Packet > 0}
	if j.Door != nil {
		one.Door, one.Stages = j.Door.Name, len(j.Door.Sequence)
	}
	p.Entries = append(p.Entries, one)
}
