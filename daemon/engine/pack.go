package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"sesame/daemon/packet"
)

// This file packs the first-stage attempts of a State, of which there may be a million. They
// are written in the order of their slots, which is their order in memory, each with the place
// of the next younger one.

// firstStageSize is the size of a packed attempt in bytes: its source (16), its door (4), when
// its first knock came (8), the TCP sequence number of that (4), its source port (2), its flags
// (1), and the 1-based place of the next younger attempt (4). Numbers are little endian.
const firstStageSize = 39

// pack returns the first-stage attempts and the 1-based place of the oldest, 0 for none.
func (t *table) pack() (packed []byte, oldest int) {
	place, count := make([]uint32, t.slots.length), uint32(0)
	for i := range int32(t.slots.length) {
		if a := t.slots.at(i); a.run == 0 && a.door != 0 {
			count++
			place[i] = count
		}
	}
	packed = make([]byte, 0, int(count)*firstStageSize)
	for i := range int32(t.slots.length) {
		if place[i] == 0 {
			continue
		}
		a := t.slots.at(i)
		packed = a.pack(packed, place[a.newer])
	}
	return packed, int(place[t.oldest])
}

// pack appends a first-stage attempt. Newer is the place of the next younger one.
func (a *attempt) pack(packed []byte, newer uint32) []byte {
	packed = append(packed, a.key.source[:]...)
	packed = binary.LittleEndian.AppendUint32(packed, a.door)
	packed = binary.LittleEndian.AppendUint64(packed, uint64(a.first))
	packed = binary.LittleEndian.AppendUint32(packed, a.sequence)
	packed = binary.LittleEndian.AppendUint16(packed, a.from)
	packed = append(packed, byte(a.flags))
	return binary.LittleEndian.AppendUint32(packed, newer)
}

// unpackFirstStage begins the attempts that were packed.
func (e *Engine) unpackFirstStage(packed []byte, oldest int) error {
	return eachFirstStage(packed, oldest, e.resumeAttempt)
}

// eachFirstStage calls begin for the attempts that were packed, oldest first. The bytes may come
// from a stranger: it returns an error unless the places form one list of all attempts.
func eachFirstStage(packed []byte, oldest int, begin func(source [16]byte, door uint32, h hit) error) error {
	count := len(packed) / firstStageSize
	if len(packed)%firstStageSize != 0 {
		return fmt.Errorf("%d bytes of first-stage attempts: expected a multiple of %d", len(packed), firstStageSize)
	}
	for ; oldest != 0; count-- {
		if oldest < 0 || oldest > len(packed)/firstStageSize || count == 0 {
			return errors.New("the first-stage attempts are in no order of age")
		}
		one := packed[(oldest-1)*firstStageSize:][:firstStageSize]
		source, door := [16]byte(one), binary.LittleEndian.Uint32(one[16:])
		h := hit{
			at: int64(binary.LittleEndian.Uint64(one[20:])), sequence: binary.LittleEndian.Uint32(one[28:]),
			from: binary.LittleEndian.Uint16(one[32:]), flags: packet.Flags(one[34]),
		}
		if err := begin(source, door, h); err != nil {
			return err
		}
		oldest = int(binary.LittleEndian.Uint32(one[35:]))
	}
	if count != 0 {
		return fmt.Errorf("%d first-stage attempts are in no order of age", count)
	}
	return nil
}

// resumeAttempt makes the youngest first-stage attempt. An attempt in a door that is gone is
// never found again, and is only there to be dropped.
func (e *Engine) resumeAttempt(source [16]byte, door uint32, h hit) error {
	d := e.index.byID[door]
	key := attemptKey{source, door}
	if d != nil {
		key.group = d.key
	}
	if door == 0 || door > e.index.lastID || e.attempts.full() || e.attempts.isIn(key, door) {
		return fmt.Errorf("an attempt of %v in door %d, where it cannot be", key.addr(), door)
	}
	if d != nil {
		if d.Listen || len(d.Sequence) < 2 || d.Within <= 0 {
			return fmt.Errorf("an attempt of %v in door %q, which has none", key.addr(), d.Name)
		}
		if h.port = d.Sequence[0].Port; !h.is(d.Sequence[0]) {
			return fmt.Errorf("an attempt of %v in door %q, which does not begin so", key.addr(), d.Name)
		}
		d.countLive(1)
	}
	e.enterFirstStage(e.attempts.add(key, door), h)
	return nil
}
