package record

import "io"

// windowSize is the largest part of a file that is read at once, in bytes. A frame of MaxFrame
// bytes and the options of its pcapng block fit.
const windowSize = 1 << 20

// chunkSize is how much is read at once when no more is needed, in bytes. What was read stays in
// the cache of the processor until it is looked at, and the rest of the window takes no memory.
const chunkSize = 1 << 17

// A window gives access to the next bytes of a stream without copying them.
type window struct {
	source     io.Reader
	buffer     []byte
	start, end int   // of the bytes that were read and not skipped
	err        error // the error of the source
}

func newWindow(source io.Reader) window {
	return window{source: source, buffer: make([]byte, windowSize)}
}

// peek returns the next n bytes, at most windowSize. They are valid until the next peek. It
// returns fewer only when the stream ends; missing returns the error then.
func (w *window) peek(n int) []byte {
	if w.end-w.start < n {
		n = w.fill(n)
	}
	return w.buffer[w.start : w.start+n]
}

// fill reads until n bytes are there, and no longer: the source may be a pipe whose writer is
// slow. It returns how many of the n are there.
func (w *window) fill(n int) int {
	copy(w.buffer, w.buffer[w.start:w.end])
	w.start, w.end = 0, w.end-w.start
	room := w.buffer[:max(n, chunkSize)]
	for idle := 0; w.end < n && w.err == nil; {
		var got int
		got, w.err = w.source.Read(room[w.end:])
		w.end += got
		if idle++; got > 0 {
			idle = 0
		}
		if idle == 100 {
			w.err = io.ErrNoProgress
		}
	}
	return min(n, w.end)
}

// rest returns the bytes that are there and not skipped. They are valid until the next peek.
func (w *window) rest() []byte { return w.buffer[w.start:w.end] }

// skip skips n bytes that peek returned.
func (w *window) skip(n int) { w.start += n }

// discard skips any number of bytes.
func (w *window) discard(n int64) error {
	for n > 0 {
		step := len(w.peek(int(min(n, windowSize))))
		if step == 0 {
			return w.missing()
		}
		w.skip(step)
		n -= int64(step)
	}
	return nil
}

// ended returns nil when more bytes follow, and else io.EOF or the error of the source.
func (w *window) ended() error {
	if len(w.peek(1)) > 0 {
		return nil
	}
	return w.err
}

// missing returns the error for bytes that the format requires and that are not there.
func (w *window) missing() error {
	if w.err == nil || w.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return w.err
}
