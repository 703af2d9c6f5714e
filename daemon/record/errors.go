package record

import (
	"errors"
	"fmt"
	"io"
)

// A NotCaptureError means that a file is not a capture.
type NotCaptureError struct {
	Name string // of the file
	What string // the file seems to be this, like "a text file"
	Hint string // what the user can do; empty: nothing is known
}

// Error names the file, what it is, what was expected, and the hint.
func (e *NotCaptureError) Error() string {
	text := e.Name + ": " + e.What + ", expected a capture: pcap or pcapng, plain or compressed with gzip or zstd"
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// A DamagedError means that a capture cannot be read to its end. The frames before the damage are
// good.
type DamagedError struct {
	Name   string // of the file
	Frames int    // how many were read
	Err    error  // io.ErrUnexpectedEOF: the file is truncated
}

// Error names the file, the damage, and the last good frame.
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

// Unwrap returns Err.
func (e *DamagedError) Unwrap() error { return e.Err }

// A CutError means that packets or inputs of a recording were taken out or changed, so that an
// exact replay ends there. All that was read before it is good.
type CutError struct {
	Name string // of the file
	Text string // what is missing, and what can be done
}

// Error names the file and what is missing.
func (e *CutError) Error() string { return e.Name + ": " + e.Text }
