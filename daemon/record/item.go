package record

import "io"

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

// packetID reads epb_packetid among the options of a packet block; 0: none.
func (r *Reader) packetID(options []byte) uint64 {
	for len(options) >= 4 {
		code, length := r.uint16(options), int(r.uint16(options[2:]))
		padded := (length + 3) &^ 3
		options = options[4:]
		if code == optionEnd || padded > len(options) {
			return 0
		}
		if code == optionPacketID && length == 8 {
			return r.uint64(options)
		}
		options = options[padded:]
	}
	return 0
}
