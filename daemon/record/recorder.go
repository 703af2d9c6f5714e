package record

import (
	"encoding/binary"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

const (
	// DefaultBound is how many bytes of inputs a Recorder keeps unless told
	// otherwise.
	DefaultBound = 16 << 20
	// leastAge is how old a segment becomes before another may begin: a snapshot
	// of the engine costs, and a flood must not pace it.
	leastAge = 30 * time.Second
)

// A Recorder is a flight recorder: it keeps the latest inputs of an engine, with
// all that is needed to replay them exactly.
//
// It has two segments, each of which begins with a snapshot, so that the older
// can be forgotten when the younger is full. Should that be full less than 30
// seconds after it began, the recorder goes blind until then: what it has stays a
// valid recording, which ends there, and then it begins anew. It keeps as many
// bytes of inputs as its bound says, and two snapshots, which an engine of a
// million attempts makes as large as 50 MB each.
//
// The goroutine that owns the engine owns the Recorder too.
type Recorder struct {
	half         int // bytes of inputs in a segment
	older, young *segment
	blind        bool // inputs were left out since young began
}

// A segment is a snapshot and the inputs that followed it.
type segment struct {
	began    time.Time
	snapshot Snapshot
	blocks   []byte // of pcapng, never changed once they are there
	sets     []set
	weight   int // of the sets
}

// A set is an input whose block is not made before somebody asks for it: the
// files of the scripts are in memory anyway.
type set struct {
	at    int // where in blocks it comes
	input Input
}

// NewRecorder returns a recorder that keeps bound bytes of inputs, 0 for
// [DefaultBound]. It keeps nothing before its first Begin.
func NewRecorder(bound int) *Recorder {
	if bound <= 0 {
		bound = DefaultBound
	}
	return &Recorder{half: bound / 2}
}

// Due reports whether it is time for Begin. It is to be asked about once a
// second; an eighth of a segment is kept in reserve until then.
func (r *Recorder) Due(now time.Time) bool {
	switch {
	case r.young == nil:
		return true
	case now.Sub(r.young.began) < leastAge:
		return false
	}
	return r.blind || r.young.size() >= r.half/8*7
}

// Begin begins a segment, with the engine and the scripts as they are now. The
// older of the two segments before it is forgotten; both, when inputs were left
// out since. The recorder owns the state from now on.
func (r *Recorder) Begin(now time.Time, state *engine.State, scripts Scripts) {
	r.older = r.young
	if r.blind {
		r.older = nil
	}
	r.blind = false
	r.young = &segment{began: now, snapshot: Snapshot{state, scripts}, blocks: make([]byte, 0, r.half)}
}

// Size returns how many bytes of inputs are kept.
func (r *Recorder) Size() int {
	n := 0
	for _, s := range []*segment{r.older, r.young} {
		if s != nil {
			n += s.size()
		}
	}
	return n
}

// Blind reports whether inputs are left out, since they came too fast.
func (r *Recorder) Blind() bool { return r.blind }

func (s *segment) size() int { return len(s.blocks) + s.weight }

// room reports whether size more bytes can be kept. When they cannot, the
// recorder is blind.
func (r *Recorder) room(size int) bool {
	if r.young == nil || r.blind {
		return false
	}
	r.blind = r.young.size()+size > r.half
	return !r.blind
}

// Packet keeps a packet as the engine is given it, with the frame that it was
// decoded from: an IP packet without a link header, of which wire bytes were on
// the wire. Nothing of either is kept.
func (r *Recorder) Packet(p *packet.Packet, frame []byte, wire int) {
	if r.room(packetSize(len(frame))) {
		r.young.blocks = appendPacket(r.young.blocks, p, frame, wire)
	}
}

// Input keeps an input that is no packet, as the engine is given it. Its scripts
// and records must not change afterwards.
func (r *Recorder) Input(in Input) {
	if in.Kind == InputSet {
		if size := in.Scripts.size(); r.room(size) {
			r.young.sets = append(r.young.sets, set{len(r.young.blocks), in})
			r.young.weight += size
		}
		return
	}
	if r.young == nil || r.blind {
		return
	}
	payload, err := in.payload()
	if err != nil {
		r.blind = true // no replay would be exact without it
		return
	}
	if r.room(customSize(len(payload))) {
		r.young.blocks = appendCustom(r.young.blocks, in.Kind, payload)
	}
}

// Recording returns what is kept now, nil when there is nothing. It costs next
// to nothing, and another goroutine may write it while the recorder goes on.
func (r *Recorder) Recording() *Recording {
	if r.young == nil {
		return nil
	}
	kept := &Recording{}
	for _, s := range []*segment{r.older, r.young} {
		if s != nil {
			kept.segments = append(kept.segments, *s)
		}
	}
	return kept
}

const (
	optionPacketID  = 5 // epb_packetid
	packetIDOptions = 4 + 8 + 4
)

func packetSize(frame int) int {
	return blockFrame + packetHeader + (frame+3)&^3 + packetIDOptions
}

// appendPacket appends an enhanced packet block, with the packet's number.
func appendPacket(b []byte, p *packet.Packet, frame []byte, wire int) []byte {
	length, at := uint32(packetSize(len(frame))), uint64(p.Time.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, blockEnhanced)
	b = binary.LittleEndian.AppendUint32(b, length)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(at>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, uint32(wire))
	b = append(b, frame...)
	b = append(b, "\x00\x00\x00"[:-len(frame)&3]...)
	b = binary.LittleEndian.AppendUint16(b, optionPacketID)
	b = binary.LittleEndian.AppendUint16(b, 8)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Number))
	b = binary.LittleEndian.AppendUint32(b, optionEnd)
	return binary.LittleEndian.AppendUint32(b, length)
}
