package record

import (
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

const (
	// DefaultBound is how many bytes of inputs a Recorder holds by default.
	DefaultBound = 16 << 20
	// leastAge is how old a segment is before the next may begin. A snapshot of the engine
	// is expensive, so a flood of packets must not decide how often one is made.
	leastAge = 30 * time.Second
)

// A Recorder holds the latest inputs of an engine in memory, with all that is needed to replay
// them exactly.
//
// It has two segments. Each begins with a snapshot, so the older segment can be dropped when the
// younger is full. A segment that is full less than 30 seconds after it began makes the recorder
// blind: it drops inputs until the 30 seconds are over and then begins a new segment. Until then
// the recording is valid and ends where the segment was full. A script set that does not fit, since
// a long list is a part of it, begins a new segment at once.
//
// The memory is the bound for inputs and two snapshots, each of at most 75 MB for an engine with
// a million attempts that remembers a million TCP segments, of 16 bytes each.
//
// The goroutine that owns the engine owns the Recorder too.
type Recorder struct {
	half         int   // most bytes of inputs in a segment
	now          place // behind all that was recorded or dropped
	older, young *segment
	blind        bool // inputs were dropped since young began
	urgent       bool // the first of them is rare and large: see isRare
}

// NewRecorder returns a recorder that holds bound bytes of inputs, 0 for [DefaultBound]. It
// records nothing before its first Begin.
func NewRecorder(bound int) *Recorder {
	if bound <= 0 {
		bound = DefaultBound
	}
	return &Recorder{half: bound / 2}
}

// Due reports whether it is time for Begin. Call it about once a second: it returns true when an
// eighth of the segment is left.
func (r *Recorder) Due(now time.Time) bool {
	switch {
	case r.young == nil:
		return true
	case now.Sub(r.young.began) < leastAge && !r.urgent:
		return false
	}
	return r.blind || r.young.size() >= r.half/8*7
}

// Begin begins a segment with the state of the engine and the scripts. It drops the older
// segment, and both when the recorder is blind: a replay cannot cross dropped inputs. The
// recorder owns the state from now on.
func (r *Recorder) Begin(now time.Time, state *engine.State, scripts Scripts) {
	r.older = r.young
	if r.blind {
		r.older = nil
	}
	r.blind, r.urgent = false, false
	r.young = &segment{began: now, from: r.now, snapshot: Snapshot{state, scripts}}
}

// Size returns how many bytes of inputs are held.
func (r *Recorder) Size() int {
	n := 0
	for _, s := range []*segment{r.older, r.young} {
		if s != nil {
			n += s.size()
		}
	}
	return n
}

// Blind reports whether inputs are dropped, because they came too fast.
func (r *Recorder) Blind() bool { return r.blind }

func (s *segment) size() int { return len(s.entries) + s.weight }

// room reports whether size more bytes fit. When they do not, the recorder becomes blind.
func (r *Recorder) room(size int) bool {
	if r.young == nil || r.blind {
		return false
	}
	r.blind = r.young.size()+size > r.half
	return !r.blind
}

// leastRoom is how many bytes a segment begins with. Memory that is reserved and not used counts
// for the garbage collector, which then lets as much garbage lie.
const leastRoom = 64 << 10

// grow makes room for size more bytes, bound in all at most. It doubles what there is, so that all
// copies together are shorter than twice the segment.
func (s *segment) grow(size, bound int) {
	if need := len(s.entries) + size; need > cap(s.entries) {
		room := max(min(max(2*cap(s.entries), leastRoom), bound), need)
		s.entries = append(make([]byte, 0, room), s.entries...)
	}
}

// Packet records a packet, as the engine got it. Frame is the IP packet that it was decoded
// from, without a link header; wire is its length on the wire. Both are copied.
func (r *Recorder) Packet(p *packet.Packet, frame []byte, wire int) {
	r.now.packets++
	if size := packetSize(len(frame)); r.room(size) {
		r.young.grow(size, r.half)
		r.young.entries = appendPacket(r.young.entries, p, frame, wire)
	}
}

// Facts records the answers that an input was given. Call it before the input itself is recorded:
// a replay must have them when it gives the input to its engine. Nothing is recorded when nothing
// was asked.
func (r *Recorder) Facts(now time.Time, asked []engine.Asked) {
	if len(asked) > 0 {
		r.Input(Input{Kind: InputFacts, Time: now, Asked: asked})
	}
}

// Timeouts records the runs of functions that the clock ended during an input. Call it before the
// input itself is recorded, as [Recorder.Facts]. Nothing is recorded when there are none.
func (r *Recorder) Timeouts(now time.Time, ended []engine.Timeout) {
	if len(ended) > 0 {
		r.Input(Input{Kind: InputTimeouts, Time: now, Timeouts: ended})
	}
}

// isRare reports whether an input comes so seldom that one that does not fit may cost a snapshot at
// once: a script set, and what an earlier run left.
func isRare(kind Kind) bool { return kind == InputSet || kind == InputContinue }

// Input records an input other than a packet, as the engine got it. Nobody may change its
// scripts and records afterwards.
func (r *Recorder) Input(in Input) {
	r.now.inputs++
	if in.Kind == InputSet {
		r.inputSet(in)
		return
	}
	if r.young == nil || r.blind {
		return
	}
	payload, err := in.payload()
	if err != nil {
		r.blind = true // a replay without it would not be exact
		return
	}
	if size := inputSize(len(payload)); r.room(size) {
		r.young.grow(size, r.half)
		r.young.entries = appendInput(r.young.entries, in.Kind, payload)
	}
	r.urgent = r.blind && isRare(in.Kind)
}

// inputSet records a new script set.
func (r *Recorder) inputSet(in Input) {
	if r.young == nil || r.blind {
		return
	}
	size := in.Scripts.size(r.young.holds)
	if r.room(size) {
		r.young.sets = append(r.young.sets, set{len(r.young.entries), in})
		r.young.weight += size
	}
	r.urgent = r.blind && isRare(in.Kind)
}

// holds reports whether the segment holds the text of a file already. Sets share the texts of
// files that did not change.
func (s *segment) holds(f wire.File) bool {
	has := func(files []wire.File) bool {
		return slices.ContainsFunc(files, func(other wire.File) bool {
			return len(f.Source) > 0 && len(f.Source) == len(other.Source) && &f.Source[0] == &other.Source[0]
		})
	}
	return has(s.snapshot.Scripts.Files) || slices.ContainsFunc(s.sets, func(one set) bool { return has(one.input.Scripts.Files) })
}

// Recording returns the current content, nil when it is empty. It is cheap: it copies no
// inputs. Another goroutine may write the recording while the recorder continues.
func (r *Recorder) Recording() *Recording {
	if r.young == nil {
		return nil
	}
	taken := &Recording{}
	for _, s := range []*segment{r.older, r.young} {
		if s != nil {
			taken.segments = append(taken.segments, *s)
		}
	}
	return taken
}
