// Package account turns judgments and events of an engine into what people and programs read about
// each source at each door: how far it came, why no further, and what would help.
//
// It judges no packet. What it says of a packet, the engine has said in a [engine.Judgment]. Read
// book.go for what comes in, record.go for what is kept of a source at a door, and text.go for the
// words. Text and JSON are made of the same [Account].
package account

import (
	"container/list"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A Book collects the account of each source at each door. The order of calls is that of the
// engine: the judgments about a packet come before the events that the packet caused. Memory is
// bounded: see [MaxSources]. A Book is not safe for concurrent use.
type Book struct {
	sources  map[netip.Addr]*source
	visitors list.List        // of *source: those without a record, the oldest first
	ranks    [ranks]list.List // of *record, the oldest first
	byDoor   map[subject]*record
	seen     int // how many there ever were
	dropped  int // how many made room for others

	// Of the packet at hand:
	at       position
	strays   []engine.Judgment // by which it began and advanced nothing
	advanced bool              // it began or advanced an attempt at some door

	latest   *opening      // for the effects that follow its event
	consumed *engine.Event // the latest use of a one-time sequence: its opening may follow it
	byEffect openings
	byGrant  openings

	strangers map[subject]*near // of a second pass; nil: there is none now
	began     time.Time         // when the input began; zero: not known

	ended   time.Time // end of a recording, after which attempts may continue; zero: a capture, they end
	running bool      // the recording is of a daemon that runs, and ended is now
}

// New returns an empty book.
func New() *Book { return &Book{sources: map[netip.Addr]*source{}, byDoor: map[subject]*record{}} }

// End notes that the input was a recording that ended at a time. Attempts may continue after it.
// Running means that the recording is of a daemon that runs, and that its end is now. Without a
// call of End the input was a capture, and its attempts ended with it.
func (b *Book) End(at time.Time, running bool) { b.ended, b.running = at, running }

// Judge notes a judgment. It copies what it keeps.
func (b *Book) Judge(j *engine.Judgment) {
	switch {
	case j.Why == engine.CopyOfPacket || j.Why == engine.ResentSegment:
		if s := b.sources[j.Source]; s != nil {
			s.again(j)
		}
	case j.Ruling == engine.LetIn || j.Ruling == engine.KeptOut:
		b.visit(j)
	case j.Door != nil && concerns(j):
		b.judge(j)
	}
}

// judge notes a judgment about somebody who knocks. A packet that is no knock at one door may be
// one at another. So those judgments wait until all about the packet are known.
func (b *Book) judge(j *engine.Judgment) {
	if positionOf(j) != b.at {
		b.settle()
		b.at = positionOf(j)
	}
	switch {
	case j.Ruling == engine.Ignored && j.Why == engine.OutOfTurn:
		b.strays = append(b.strays, *j)
		return
	case j.Ruling == engine.Began || j.Ruling == engine.Advanced || j.Ruling == engine.Finished:
		b.advanced = true
	}
	b.record(j.Source, j.Door.Name).judge(b, j)
}

// settle notes the judgments that waited. Everything that reads records calls it first.
func (b *Book) settle() {
	for i := range b.strays {
		j := &b.strays[i]
		r := b.record(j.Source, j.Door.Name)
		if r.judge(b, j); !b.advanced {
			r.alone++
		}
	}
	b.strays, b.advanced = b.strays[:0], false
}

// concerns reports whether a judgment is about somebody who knocks. What else the engine looked at,
// such as a packet to a port that no door has, makes no account.
func concerns(j *engine.Judgment) bool {
	return j.Ruling != engine.Ignored || j.Why == engine.OtherBytes || j.Why == engine.OutOfTurn
}

// Events handles the events of an input of the engine.
func (b *Book) Events(events []engine.Event) {
	for i := range events {
		b.event(&events[i])
	}
}

func (b *Book) event(e *engine.Event) {
	switch e.Kind {
	case engine.EventEffect:
		b.effect(e)
	case engine.EventFailed:
		b.failure(e)
	case engine.EventClose:
		b.end(e)
	case engine.EventRefuse, engine.EventError, engine.EventOpen:
		if e.Door != "" && e.Source.IsValid() {
			b.decided(b.record(e.Source.Addr(), e.Door), e)
		}
	case engine.EventStage, engine.EventMiss: // the judgments say more
	}
}

// decided notes what was decided about a complete sequence.
func (b *Book) decided(r *record, e *engine.Event) {
	// The others need nothing.
	//exhaustive:ignore
	switch e.Kind {
	case engine.EventRefuse:
		b.raise(r, refused)
		r.refusal.event(e)
	case engine.EventError:
		b.raise(r, refused)
		r.errors++
		r.fault = transcript.Fault(e)
	default:
		b.begin(r, position{e.Packet, e.Capture})
	}
}

// Suggest notes a change that opens a door for a source, as a replay has shown, such as
// "within >= 9.1s: opens". Without an account of the two it changes nothing.
func (b *Book) Suggest(source netip.Addr, door, text string) {
	b.settle()
	if r := b.find(source, door); r != nil {
		r.suggestion = text
	}
}
