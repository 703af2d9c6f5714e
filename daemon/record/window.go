package record

import "io"

// windowSize is the largest piece of a file that is looked at in one go. It
// holds a frame of MaxFrame bytes with all that a pcapng block may say of it.
const windowSize = 1 << 20

// A window shows the next bytes of a stream without copying them.
type window struct {
	source     io.Reader
	buffer     []byte
	start, end int   // of what was read and not yet skipped
	err        error // why the source gave no more
}

func newWindow(source io.Reader) window {
	return window{source: source, buffer: make([]byte, windowSize)}
}

// peek returns the next n bytes, at most windowSize, valid until the next peek.
// It returns fewer only when the stream ends before; then missing says why.
func (w *window) peek(n int) []byte {
	if w.end-w.start < n {
		n = w.fill(n)
	}
	return w.buffer[w.start : w.start+n]
}

// fill reads until there are n bytes, but no longer: the source may be a pipe
// that somebody watches. It returns how many of the n there are.
func (w *window) fill(n int) int {
	copy(w.buffer, w.buffer[w.start:w.end])
	w.start, w.end = 0, w.end-w.start
	for idle := 0; w.end < n && w.err == nil; {
		var got int
		got, w.err = w.source.Read(w.buffer[w.end:])
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

// skip steps over bytes that were peeked at.
func (w *window) skip(n int) { w.start += n }

// discard steps over n bytes, however many they are.
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

// ended says whether nothing is left: io.EOF, nil if there is something, or
// what went wrong.
func (w *window) ended() error {
	if len(w.peek(1)) > 0 {
		return nil
	}
	return w.err
}

// missing says why bytes that ought to be there are not.
func (w *window) missing() error {
	if w.err == nil || w.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return w.err
}
