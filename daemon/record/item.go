package record

import "io"

// An Item is what stands next in a recording. One of its fields is set.
type Item struct {
	Frame    *Frame    // valid until the next call
	Input    *Input    // ours to keep
	Snapshot *Snapshot // likewise
}

// Recording reports whether the file is a recording of the daemon, which can be
// replayed with all its inputs. It is known by its first block.
func (r *Reader) Recording() bool { return r.recording }

// NextItem is Next for a recording: what the daemon's engine was given beside
// packets comes in its place among the frames, and frames have their ID. The
// errors are those of Next.
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
