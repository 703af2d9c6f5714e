package record

import (
	"encoding/binary"
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
// The memory is the bound for inputs and two snapshots, each of at most 50 MB for an engine with
// a million attempts.
//
// The goroutine that owns the engine owns the Recorder too.
type Recorder struct {
	half         int // most bytes of inputs in a segment
	older, young *segment
	blind        bool // inputs were dropped since young began
	urgent       bool // a script set was the first of them
}

// A segment is a snapshot and the inputs that followed it.
type segment struct {
	began    time.Time
	snapshot Snapshot
	blocks   []byte // of pcapng; bytes are only appended, so a Recording may share them
	sets     []set
	weight   int // bytes that the sets will take
}

// A set is an InputSet. Its block is made when a recording is written: the files of the scripts
// are in memory anyway.
type set struct {
	at    int // its position in blocks
	input Input
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
	r.young = &segment{began: now, snapshot: Snapshot{state, scripts}, blocks: make([]byte, 0, r.half)}
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

func (s *segment) size() int { return len(s.blocks) + s.weight }

// room reports whether size more bytes fit. When they do not, the recorder becomes blind.
func (r *Recorder) room(size int) bool {
	if r.young == nil || r.blind {
		return false
	}
	r.blind = r.young.size()+size > r.half
	return !r.blind
}

// Packet records a packet, as the engine got it. Frame is the IP packet that it was decoded
// from, without a link header; wire is its length on the wire. Both are copied.
func (r *Recorder) Packet(p *packet.Packet, frame []byte, wire int) {
	if r.room(packetSize(p, len(frame))) {
		r.young.blocks = appendPacket(r.young.blocks, p, frame, wire)
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

// Input records an input other than a packet, as the engine got it. Nobody may change its
// scripts and records afterwards.
func (r *Recorder) Input(in Input) {
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
	if r.room(customSize(len(payload))) {
		r.young.blocks = appendCustom(r.young.blocks, in.Kind, payload)
	}
}

// inputSet records a new script set. Sets are rare, so one that does not fit may cost a snapshot.
func (r *Recorder) inputSet(in Input) {
	if r.young == nil || r.blind {
		return
	}
	size := in.Scripts.size(r.young.holds)
	if r.room(size) {
		r.young.sets = append(r.young.sets, set{len(r.young.blocks), in})
		r.young.weight += size
	}
	r.urgent = r.blind
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

const (
	optionFlags     = 2    // epb_flags
	optionPacketID  = 5    // epb_packetid
	optionCustom    = 2989 // opt_custom, with bytes
	flagsOption     = 4 + 4
	loopbackOption  = 4 + 4 + 4
	packetIDOptions = 4 + 8 + 4
)

func packetSize(p *packet.Packet, frame int) int {
	size := blockFrame + packetHeader + (frame+3)&^3 + packetIDOptions
	if p.Vouched {
		size += flagsOption
	}
	if p.Loopback {
		size += loopbackOption
	}
	return size
}

// appendPacket appends an enhanced packet block, with the packet's number. It runs for every
// packet, and appendWords would take twice as long.
func appendPacket(b []byte, p *packet.Packet, frame []byte, wire int) []byte {
	length, at := uint32(packetSize(p, len(frame))), uint64(p.Time.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, blockEnhanced)
	b = binary.LittleEndian.AppendUint32(b, length)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(at>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, uint32(wire))
	b = appendPadded(b, frame)
	if p.Vouched {
		b = binary.LittleEndian.AppendUint32(b, optionFlags|4<<16)
		b = binary.LittleEndian.AppendUint32(b, flagChecksumValid)
	}
	if p.Loopback {
		b = binary.LittleEndian.AppendUint32(b, optionCustom|uint32(4+len(loopbackName))<<16)
		b = binary.LittleEndian.AppendUint32(b, enterprise)
		b = appendPadded(b, []byte(loopbackName))
	}
	b = binary.LittleEndian.AppendUint32(b, optionPacketID|8<<16)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Number))
	b = binary.LittleEndian.AppendUint32(b, optionEnd)
	return binary.LittleEndian.AppendUint32(b, length)
}

// appendWords appends numbers. Two numbers of 16 bits are one word, with the second shifted.
func appendWords(b []byte, words ...uint32) []byte {
	for _, word := range words {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// appendPadded appends data, and zeros up to a multiple of 4 bytes.
func appendPadded(b, data []byte) []byte {
	b = append(b, data...)
	return append(b, "\x00\x00\x00"[:-len(data)&3]...)
}
