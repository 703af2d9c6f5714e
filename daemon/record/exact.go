package record

import (
	"fmt"
	"io"
)

// This file reads a recording as an exact replay needs it: each packet and each input once, in the
// order in which the daemon got them, from a snapshot on, and nothing behind a gap.

// exact is the state of [Reader.NextExact].
type exact struct {
	begun   bool
	at      place  // behind the last item
	last    uint64 // number of the last packet in the daemon; 0: none yet
	foreign int    // frames that are no packets of the recording
	ended   error  // what NextExact returned last
}

// NextExact returns the next frame, input or snapshot of a recording, in the order in which the
// daemon got them. Frames have their ID. Packets of other captures that were merged with it are
// left out.
//
// The errors are those of [Reader.Next], and a [*CutError] where the recording was cut or changed.
// When its beginning was cut away, it begins at the first snapshot from which on it is whole.
func (r *Reader) NextExact() (Item, error) {
	if r.exact.ended != nil {
		return Item{}, r.exact.ended
	}
	item, err := r.nextExact()
	if err != nil {
		r.exact.ended = err
	}
	return item, err
}

func (r *Reader) nextExact() (Item, error) {
	x := &r.exact
	for {
		if x.begun {
			if item, found, err := r.exactInput(); found || err != nil {
				return item, err
			}
			if r.place.pending {
				return r.exactFrame()
			}
		}
		item, err := r.readItem()
		switch {
		case err == io.EOF && !x.begun && len(r.assembly.queue) > 0:
			x.begun, x.at = true, r.assembly.queue[0].at
			r.place = framePlace{}
		case err == io.EOF:
			return Item{}, r.exactEnd()
		case err != nil:
			return Item{}, err
		case r.older:
			return item, nil // its items stand in their order
		case item.Frame == nil || !r.place.known || r.place.run != r.assembly.run:
			x.foreign++
		case !x.begun:
			if err := r.beginExact(); err != nil {
				return Item{}, err
			}
		case r.place.packets >= x.at.packets:
			r.place.pending = true
		}
	}
}

// beginExact chooses the snapshot with which the replay begins, now that the first packet is known:
// the first one behind which no packet is missing.
func (r *Reader) beginExact() error {
	a := &r.assembly
	for i, e := range a.queue {
		if e.kind == snapshot && e.at.packets >= r.place.packets {
			a.queue = a.queue[i:]
			r.exact.begun, r.exact.at = true, e.at
			r.place.pending = r.place.packets == e.at.packets
			return nil
		}
	}
	return r.cut("its first packets were cut away, and what follows cannot be replayed exactly")
}

// exactInput returns the input that comes next, if no packet comes before it.
func (r *Reader) exactInput() (Item, bool, error) {
	x, a := &r.exact, &r.assembly
	if len(a.queue) > 0 && a.queue[0].at.packets <= x.at.packets && a.queue[0].at.inputs != x.at.inputs {
		return Item{}, false, r.cut(fmt.Sprintf("inputs are missing behind packet %d", x.last))
	}
	item, found, err := r.inputDue(x.at.packets)
	if found && item.Input != nil {
		x.at.inputs++
	}
	return item, found, err
}

// exactFrame returns the packet that was read, if nothing is missing before it.
func (r *Reader) exactFrame() (Item, error) {
	x, f := &r.exact, &r.frame
	switch {
	case r.place.packets > x.at.packets && x.last == 0:
		return Item{}, r.cut("its first packets were cut away, and what follows cannot be replayed exactly")
	case r.place.packets > x.at.packets:
		return Item{}, r.cut(fmt.Sprintf("packets were cut away behind packet %d, up to packet %d: what follows cannot be replayed exactly", x.last, f.ID-1))
	case r.place.inputs != x.at.inputs:
		return Item{}, r.cut(fmt.Sprintf("inputs are missing before packet %d, or stand behind it", f.ID))
	case checksum(uint64(f.Time().UnixNano()), f.Wire, f.Data) != f.check:
		return Item{}, r.cut(fmt.Sprintf("packet %d was changed since it was recorded: its time, its length or its bytes", f.ID))
	}
	r.place.pending = false
	x.at.packets++
	x.last = f.ID
	return Item{Frame: f}, nil
}

// exactEnd returns what ends the replay at the end of the file.
func (r *Reader) exactEnd() error {
	x, a := &r.exact, &r.assembly
	switch {
	case r.older:
		return io.EOF
	case !a.known:
		return r.cut("it has packets of a recording, and no inputs")
	case !a.whole:
		return r.cut("the end of its inputs is missing")
	case x.at != a.end && x.last == 0:
		return r.cut("no packet is left that follows a snapshot")
	case x.at != a.end:
		return r.cut(fmt.Sprintf("it was cut behind packet %d, and replayed up to there", x.last))
	}
	return io.EOF
}

// cut returns an error about a recording that another program cut or changed.
func (r *Reader) cut(what string) error {
	return &CutError{Name: r.name, Text: what + "; to replay the packets alone, name scripts with -s"}
}

// Foreign returns how many frames [Reader.NextExact] left out because they are no packets of the
// recording.
func (r *Reader) Foreign() int { return r.exact.foreign }
