package record

import (
	"bytes"
	"errors"
	"fmt"

	"sesame/daemon/wire"
)

// This file puts the parts of a recording together again, whatever program moved them.

const (
	// maxHeld bounds the bytes of inputs that wait for their place. Two snapshots of a full engine
	// and the inputs of a recorder are less.
	maxHeld = 512 << 20
	// maxStreams bounds the recordings that are merged in one file.
	maxStreams = 64
	// maxAhead bounds the parts that come before an earlier one.
	maxAhead = 1 << 12
)

// An entry is an input or a snapshot that waits for its place.
type entry struct {
	kind    Kind
	at      place
	payload []byte
}

// A stream is one recording in a file.
type stream struct {
	id    uint64
	next  uint32            // number of the part that comes next
	ahead map[uint32][]byte // parts that came before it
	rest  []byte            // data of which an entry is not complete
	began bool              // run is known
	ended bool              // the last entry came
	run   uint64
}

// An assembly holds the inputs of a recording until they are due.
type assembly struct {
	streams []*stream
	run     uint64 // of the recording that is replayed: the first in the file
	known   bool   // run is known
	queue   []entry
	held    int  // bytes in queue, and of streams
	begun   bool // queue had its first snapshot
	// inputs and packets are the place behind the last entry that was queued.
	inputs, packets uint64
	end             place // of the recording
	whole           bool  // end is known
	strange         int   // items of other recordings
}

// part takes the data of one of our blocks.
func (a *assembly) part(data []byte) error {
	if len(data) < partHeader {
		return fmt.Errorf("a part of a recording of %d bytes, expected at least %d", len(data), partHeader)
	}
	switch {
	case data[7] == 0 || data[7] > wire.Version:
		return fmt.Errorf("a recording of version %d, expected at most %d", data[7], wire.Version)
	case ours.Uint16(data[8:]) != secretsForm:
		return fmt.Errorf("a recording of form %d, expected %d: a later version of Sesame wrote it", ours.Uint16(data[8:]), secretsForm)
	}
	s, err := a.stream(ours.Uint64(data[16:]))
	if err != nil {
		return err
	}
	number := ours.Uint32(data[12:])
	if _, again := s.ahead[number]; again || number < s.next {
		return nil // the same recording was merged twice
	}
	if number > s.next {
		if a.held+len(data) > maxHeld || len(s.ahead) >= maxAhead {
			return errors.New("more parts of a recording than a daemon writes")
		}
		a.held += len(data)
		s.ahead[number] = bytes.Clone(data)
		return nil
	}
	if err := a.take(s, data[partHeader:]); err != nil {
		return err
	}
	for {
		data, found := s.ahead[s.next]
		if !found {
			return nil
		}
		delete(s.ahead, s.next)
		a.held -= len(data)
		if err := a.take(s, data[partHeader:]); err != nil {
			return err
		}
	}
}

// stream returns the recording with this number, which may be a new one.
func (a *assembly) stream(id uint64) (*stream, error) {
	for _, s := range a.streams {
		if s.id == id {
			return s, nil
		}
	}
	if len(a.streams) == maxStreams {
		return nil, fmt.Errorf("more than %d recordings in one file", maxStreams)
	}
	s := &stream{id: id, ahead: map[uint32][]byte{}}
	a.streams = append(a.streams, s)
	return s, nil
}

// take takes the next part of a recording, and queues the entries that are complete.
func (a *assembly) take(s *stream, data []byte) error {
	s.next++
	if a.held += len(data); a.held > maxHeld {
		return fmt.Errorf("a recording with more than %d MiB of inputs", maxHeld>>20)
	}
	s.rest = append(s.rest, data...)
	if !s.began && len(s.rest) >= runSize {
		s.run, s.began = ours.Uint64(s.rest), true
		s.rest = s.rest[runSize:]
		if !a.known {
			a.run, a.known = s.run, true
		}
	}
	for s.began {
		e, found, err := s.entry()
		switch {
		case err != nil:
			return err
		case !found:
			return nil
		case s.ended:
			return errors.New("an input behind the end of a recording")
		}
		if err := a.add(s, e); err != nil {
			return err
		}
	}
	return nil
}

// entry removes the first entry from the data, when it is complete.
func (s *stream) entry() (e entry, found bool, err error) {
	if len(s.rest) < entryHeader {
		return e, false, nil
	}
	length := int(ours.Uint32(s.rest[4:]))
	if length > maxPayload {
		return e, false, fmt.Errorf("an input of more than %d MiB", maxPayload>>20)
	}
	if len(s.rest) < entryHeader+length {
		return e, false, nil
	}
	e = entry{
		kind:    Kind(ours.Uint16(s.rest)),
		at:      place{ours.Uint64(s.rest[8:]), ours.Uint64(s.rest[16:])},
		payload: s.rest[entryHeader:][:length:length],
	}
	s.rest = s.rest[entryHeader+length:]
	return e, true, nil
}

// add queues an entry. A second recording of the same daemon may go on where the first ends, or
// begin anew later. What both have is taken once.
func (a *assembly) add(s *stream, e entry) error {
	switch {
	case s.run != a.run:
		a.strange++
		s.ended = e.kind == kindEnd
		return nil
	case e.kind == kindEnd:
		s.ended = true
		if !a.whole || e.at.inputs > a.end.inputs || e.at.packets > a.end.packets {
			a.end, a.whole = e.at, true
		}
		return nil
	case !a.begun && e.kind != snapshot:
		return errors.New("a recording without a snapshot at its beginning")
	case a.begun && (e.at.inputs < a.inputs || e.kind == snapshot && e.at.inputs == a.inputs && e.at.packets < a.packets):
		return nil
	case e.kind != snapshot && e.at.inputs > a.inputs:
		return fmt.Errorf("input %d follows input %d", e.at.inputs+1, a.inputs)
	case a.begun && e.at.packets < a.packets:
		return fmt.Errorf("input %d stands behind packet %d, and the one before it behind packet %d", e.at.inputs+1, e.at.packets, a.packets)
	}
	a.begun, a.inputs, a.packets = true, e.at.inputs, e.at.packets
	if e.kind != snapshot {
		a.inputs++
	}
	a.queue = append(a.queue, e)
	return nil
}

// due removes the first entry and returns it, when it stands before packet number packets+1.
func (a *assembly) due(packets uint64) (entry, bool) {
	if len(a.queue) == 0 || a.queue[0].at.packets > packets {
		return entry{}, false
	}
	e := a.queue[0]
	a.queue = a.queue[1:]
	a.held -= len(e.payload)
	return e, true
}
