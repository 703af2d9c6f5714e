package record

import (
	"fmt"
	"io"

	"sesame/daemon/packet"
)

// An Item is one item of a recording. Exactly one of its fields is set.
type Item struct {
	Frame    *Frame    // valid until the next call
	Input    *Input    // the caller owns it
	Snapshot *Snapshot // the caller owns it
}

// Recording reports whether the file has a recording of the daemon, which can be replayed with all
// its inputs.
func (r *Reader) Recording() bool { return r.recording }

// NextItem returns the next frame, input or snapshot of a recording. A frame of the recording has
// its ID, and stands behind all inputs that the daemon got before it. All frames come, also those
// of other captures that were merged with it, and those behind packets that were cut away. The
// errors are those of [Reader.Next].
func (r *Reader) NextItem() (Item, error) {
	for {
		if item, found, err := r.inputDue(r.place.packets); found || err != nil {
			return item, err
		}
		if r.place.pending {
			r.place.pending = false
			return Item{Frame: &r.frame}, nil
		}
		item, err := r.readItem()
		switch {
		case err == io.EOF && len(r.assembly.queue) > 0:
			r.place = framePlace{place: r.assembly.queue[0].at}
		case err != nil || item.Frame == nil:
			return item, err
		case r.place.run != r.assembly.run || !r.place.known:
			r.place.packets = 0 // no input is known to stand before it
			return item, nil
		default:
			r.place.pending = true
		}
	}
}

// readItem returns the next frame, or the next item of the blocks of older recordings, as they
// stand in the file.
func (r *Reader) readItem() (Item, error) {
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

// inputDue returns the next input or snapshot that stands before the next packet, when so many
// packets stand before that.
func (r *Reader) inputDue(packets uint64) (item Item, found bool, err error) {
	e, found := r.assembly.due(packets)
	if !found {
		return Item{}, false, nil
	}
	r.inputs++
	item, err = decodeItem(e.kind, e.payload)
	if err != nil {
		r.err = r.explain(fmt.Errorf("input %d: %w", r.inputs, err))
		return Item{}, false, r.err
	}
	return item, true, nil
}

// The bits of epb_flags (draft-ietf-opsawg-pcapng, section 4.3.1) that say that nobody need verify
// the checksum of a segment.
const (
	flagChecksumNotReady = 1 << 9
	flagChecksumValid    = 1 << 10
)

// loopbackName is the option by which recordings of version 2 say that a packet came over the
// loopback.
const loopbackName = "lo"

// A framePlace says where a frame stands in a recording.
type framePlace struct {
	known   bool // it is a packet of a recording
	pending bool // it was read, and inputs stand before it
	run     uint64
	place
}

// readPacketOptions reads epb_packetid, epb_flags and our own options among those of a packet
// block.
func (r *Reader) readPacketOptions(options []byte) {
	for len(options) >= 4 {
		code, length := r.uint16(options), int(r.uint16(options[2:]))
		padded := (length + 3) &^ 3
		options = options[4:]
		if code == optionEnd || padded > len(options) {
			return
		}
		switch value := options[:length]; {
		case code == optionPacketID && length == 8:
			r.frame.ID = r.uint64(value)
		case code == optionFlags && length == 4 && r.uint32(value)&(flagChecksumNotReady|flagChecksumValid) != 0:
			r.frame.Reception |= packet.Vouched
		case code == optionCustom && length >= 4 && r.uint32(value) == enterprise:
			r.readOwnOption(value[4:])
		}
		options = options[padded:]
	}
}

// readOwnOption reads what recordings say of a packet. A frame of a recording is the IP packet that
// its daemon had: the link header in the file is made up.
func (r *Reader) readOwnOption(value []byte) {
	f := &r.frame
	switch {
	case string(value) == loopbackName:
		f.Reception |= packet.Loopback
	case len(value) == placeSize && value[0] == secretsForm:
		if value[1]&flagLoopback != 0 {
			f.Reception |= packet.Loopback
		}
		f.Interface, f.LinkDigest, f.check = ours.Uint32(value[4:]), ours.Uint64(value[32:]), ours.Uint64(value[40:])
		r.place = framePlace{known: true, run: ours.Uint64(value[8:]), place: place{ours.Uint64(value[16:]), ours.Uint64(value[24:])}}
		if f.Link == packet.SLL2 && len(f.Data) >= cookedHeader {
			f.Data, f.Wire, f.Link = f.Data[cookedHeader:], f.Wire-cookedHeader, packet.Raw
		}
	}
}
