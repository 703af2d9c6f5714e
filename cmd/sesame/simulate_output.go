package main

import (
	"io"

	"sesame/daemon/transcript"
	"sesame/simulate"
)

// writer returns the writer of the chosen format. Whether text has colours depends on stdout,
// not on the wrapper around it.
func (f *simulateFlags) writer(out, stdout io.Writer) simulate.Writer {
	switch f.format {
	case "jsonl":
		return transcript.NewJSON(out)
	case "knockd":
		return transcript.NewKnockd(out, transcript.KnockdOptions{})
	}
	return transcript.NewText(out, transcript.TextOptions{Color: color(f.color, stdout)})
}

// behindBar clears the progress bar before each write to the same terminal.
type behindBar struct {
	bar *progress
	io.Writer
}

// Write removes the bar and writes b.
func (w *behindBar) Write(b []byte) (int, error) {
	w.bar.clear()
	return w.Writer.Write(b)
}
