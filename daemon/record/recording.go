package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Recording is the content of a [Recorder] at some moment. It does not change.
type Recording struct {
	segments []segment
	// Interfaces are the names of the interfaces by their numbers, as packets have them. One that
	// is missing gets a name with its number.
	Interfaces map[uint32]string
}

// Begin returns the engine time at which the recording begins.
func (r *Recording) Begin() time.Time { return r.segments[0].began }

// WriteTo writes the recording as a pcapng file, see docs/recording.md. Other programs see the
// packets in it. The snapshots are encoded here, which takes seconds for a million attempts.
//
// All that is no packet stands before the first packet: editcap drops what follows the last one.
func (r *Recording) WriteTo(w io.Writer) (n int64, err error) {
	out := &counting{w: w}
	out.write(appendSection(nil))
	numbers := r.writeInterfaces(out)
	run := runOf(r.segments[0].snapshot.State)
	if err := r.writeStream(out, run); err != nil {
		return out.n, err
	}
	var b []byte
	for i := range r.segments {
		_, err := r.segments[i].walk(func(p *stored, at place) {
			b = appendPacketBlock(b[:0], p, numbers[p.iface], run, at)
			out.write(b)
		}, nil)
		if err != nil {
			return out.n, err
		}
	}
	return out.n, out.err
}

// runOf identifies the engine of a daemon. No two engines have the same secret, and the hash does
// not tell it.
func runOf(s *engine.State) uint64 {
	b := append([]byte("sesame run"), ours.AppendUint64(nil, s.Secret[0])...)
	sum := sha256.Sum256(ours.AppendUint64(b, s.Secret[1]))
	return ours.Uint64(sum[:])
}

// writeInterfaces writes an interface block for each interface from which a packet is, at least
// one. It returns their numbers in the file.
func (r *Recording) writeInterfaces(out *counting) map[uint32]uint32 {
	loopback := map[uint32]bool{}
	for i := range r.segments {
		// Without inputs there is no payload that could fail.
		_, _ = r.segments[i].walk(func(p *stored, _ place) { loopback[p.iface] = p.reception&packet.Loopback != 0 }, nil)
	}
	if len(loopback) == 0 {
		loopback[0] = false
	}
	numbers := map[uint32]uint32{}
	for _, index := range slices.Sorted(maps.Keys(loopback)) {
		numbers[index] = uint32(len(numbers))
		out.write(appendInterface(nil, r.nameOf(index, loopback[index])))
	}
	return numbers
}

// nameOf returns the name of an interface. Number 0 means that nothing is known of it.
func (r *Recording) nameOf(index uint32, loopback bool) string {
	name, known := r.Interfaces[index]
	switch {
	case known:
		return name
	case loopback:
		return "lo"
	case index == 0:
		return "any"
	}
	return fmt.Sprintf("if%d", index)
}

// writeStream writes the snapshots and all inputs.
func (r *Recording) writeStream(out *counting, run uint64) error {
	var end place
	for i := range r.segments {
		end, _ = r.segments[i].walk(nil, nil)
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%x %v %v", run, r.segments[0].from, end))
	w := &streamWriter{out: out, recording: ours.Uint64(id[:])}
	w.write(ours.AppendUint64(nil, run))
	for i := range r.segments {
		s := &r.segments[i]
		if err := s.snapshot.write(w, s.from); err != nil {
			return fmt.Errorf("writing the state of the engine: %w", err)
		}
		_, err := s.walk(nil, func(kind Kind, payload []byte, at place) (err error) {
			if kind == InputRestore && s.withholder != nil {
				if payload, err = s.withholder.restored(payload); err != nil {
					return err
				}
			}
			w.entry(kind, at, len(payload))
			w.write(payload)
			return nil
		})
		if err != nil {
			return fmt.Errorf("writing the scripts: %w", err)
		}
	}
	w.end(end)
	return out.err
}

// write writes a snapshot. A flood makes a million first-stage attempts. So they are encoded
// straight into the output: as a part of the JSON in memory they would take several times their
// size.
func (s *Snapshot) write(w *streamWriter, at place) error {
	state := *s.State
	state.FirstStage = nil
	text, err := json.Marshal(Snapshot{&state, s.Scripts})
	if err != nil {
		return err
	}
	const none = `"FirstStage":null` // not within a JSON string: its quotes would be escaped
	before, after, found := bytes.Cut(text, []byte(none))
	if !found {
		return errors.New("the first stage has no place")
	}
	const open = `"FirstStage":"`
	w.entry(snapshot, at, len(before)+len(open)+base64.StdEncoding.EncodedLen(len(s.State.FirstStage))+1+len(after))
	w.write(before)
	w.write([]byte(open))
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	_, err = encoder.Write(s.State.FirstStage)
	err = errors.Join(err, encoder.Close())
	w.write([]byte(`"`))
	w.write(after)
	return err
}

// counting is a writer that counts bytes, and ignores writes after its first error.
type counting struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counting) write(b []byte) {
	if c.err == nil && len(b) > 0 {
		var n int
		n, c.err = c.w.Write(b)
		c.n += int64(n)
	}
}
