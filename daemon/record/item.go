package record

import (
	"io"

	"sesame/daemon/packet"
)

// An Item is one item of a recording. Exactly one of its fields is set.
type Item struct {
	Frame    *Frame    // valid until the next call
	Input    *Input    // the caller owns it
	Snapshot *Snapshot // the caller owns it
}

// Recording reports whether the file is a recording of the daemon, which can be replayed with all
// its inputs. A recording begins with a snapshot.
func (r *Reader) Recording() bool { return r.recording }

// NextItem returns the next frame, input or snapshot of a recording, in their order in the file.
// Frames have their ID. The errors are those of [Reader.Next].
func (r *Reader) NextItem() (Item, error) {
	r.whole = true
	r.item = Item{}
	f, err := r.Next()
	r.whole = false
	if err == io.EOF && len(r.payload) > 0 {
		r.err = r.explain(io.ErrUnexpectedEOF)
		err = r.err
	}
	if err != nil {
		return Item{}, err
	}
	if r.item == (Item{}) {
		return Item{Frame: f}, nil
	}
	return r.item, nil
}

// The bits of epb_flags (draft-ietf-opsawg-pcapng, section 4.3.1) that say that nobody need verify
// the checksum of a segment.
const (
	flagChecksumNotReady = 1 << 9
	flagChecksumValid    = 1 << 10
)

// loopbackName is our own option of a packet that came over the loopback. It cannot be an interface
// of that name: libpcap does not read files with a second interface of link type RAW.
const loopbackName = "lo"

// readPacketOptions reads epb_packetid, epb_flags and our own option among those of a packet block.
func (r *Reader) readPacketOptions(options []byte) {
	for len(options) >= 4 {
		code, length := r.uint16(options), int(r.uint16(options[2:]))
		padded := (length + 3) &^ 3
		options = options[4:]
		if code == optionEnd || padded > len(options) {
			return
		}
		switch {
		case code == optionPacketID && length == 8 && r.whole:
			r.frame.ID = r.uint64(options)
		case code == optionFlags && length == 4 && r.uint32(options)&(flagChecksumNotReady|flagChecksumValid) != 0:
			r.frame.Reception |= packet.Vouched
		case code == optionCustom && length == 4+len(loopbackName) && r.uint32(options) == enterprise && string(options[4:length]) == loopbackName:
			r.frame.Reception |= packet.Loopback
		}
		options = options[padded:]
	}
}
