package record

import (
	"errors"
	"fmt"
	"io"
)

// A NotCaptureError says that a file is something else than a capture.
type NotCaptureError struct {
	Name string // of the file
	What string // like "a text file"
	Hint string // what to do about it; empty: nothing is known
}

// Error says what the file is, what was expected, and what to do.
func (e *NotCaptureError) Error() string {
	text := e.Name + ": " + e.What + ", expected a capture: pcap or pcapng, plain or compressed with gzip or zstd"
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// A DamagedError says that a capture cannot be read to its end. The frames
// before the damage are good.
type DamagedError struct {
	Name   string // of the file
	Frames int    // how many were read
	Err    error  // io.ErrUnexpectedEOF: the file is truncated
}

// Error says what is wrong and behind which frame.
func (e *DamagedError) Error() string {
	what := "damaged"
	reason := ": " + e.Err.Error()
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		what, reason = "truncated", ""
	}
	where := fmt.Sprintf(" after packet %d", e.Frames)
	if e.Frames == 0 {
		where = " before the first packet"
	}
	return e.Name + ": " + what + where + reason
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }
