package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sesame/daemon/packet"
)

// A Recording is the content of a [Recorder] at some moment. It does not change.
type Recording struct{ segments []segment }

// Begin returns the engine time at which the recording begins.
func (r *Recording) Begin() time.Time { return r.segments[0].began }

// WriteTo writes the recording as a pcapng file, see docs/recording.md. Other programs see the
// packets in it. The snapshots are encoded here, which takes seconds for a million attempts.
func (r *Recording) WriteTo(w io.Writer) (n int64, err error) {
	out := &counting{w: w}
	out.write(appendSection(nil))
	for i, s := range r.segments {
		if err := s.snapshot.write(out); err != nil {
			return out.n, fmt.Errorf("writing the state of the engine: %w", err)
		}
		if i == 0 {
			out.write(appendInterface(nil))
		}
		if err := s.write(out); err != nil {
			return out.n, err
		}
	}
	return out.n, out.err
}

// write writes a snapshot. A flood makes a million first-stage attempts. So they are encoded
// straight into the output: as a part of the JSON in memory they would take several times their
// size.
func (s *Snapshot) write(out *counting) error {
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
	w := &customWriter{out: out, kind: snapshot}
	w.write(before)
	w.write([]byte(`"FirstStage":"`))
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	_, err = encoder.Write(s.State.FirstStage)
	err = errors.Join(err, encoder.Close())
	w.write([]byte(`"`))
	w.write(after)
	w.end()
	return err
}

// write writes the inputs of a segment.
func (s *segment) write(out *counting) error {
	from := 0
	for _, set := range s.sets {
		out.write(s.blocks[from:set.at])
		from = set.at
		payload, err := set.input.payload()
		if err != nil {
			return fmt.Errorf("writing the scripts: %w", err)
		}
		out.write(appendCustom(nil, InputSet, payload))
	}
	out.write(s.blocks[from:])
	return nil
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

// appendSection appends a section header with the name of the program.
func appendSection(b []byte) []byte {
	const application, name = 4, "Sesame\x00\x00" // shb_userappl
	const length = uint32(blockFrame + 16 + 4 + len(name) + 4)
	const unknown = 1<<32 - 1 // half of the length of the section
	b = appendWords(b, magicPcapng, length, byteOrderMagic, 1, unknown, unknown, application|6<<16)
	b = append(b, name...)
	return appendWords(b, optionEnd, length)
}

// appendInterface appends the one interface of all packets: link type RAW, times in nanoseconds.
func appendInterface(b []byte) []byte {
	const length = blockFrame + 8 + 4 + 4 + 4
	const nanoseconds = 9 // the power of 10
	return appendWords(b, blockInterface, length, uint32(packet.Raw), MaxFrame, optionResolution|1<<16, nanoseconds, optionEnd, length)
}
