package transcript

import "io"

// flushAt is how many bytes are buffered before they are written. It bounds memory and keeps
// writes few.
const flushAt = 32 << 10

// An output buffers lines and remembers the first error.
type output struct {
	w   io.Writer
	buf []byte
	err error
}

// flush writes the lines. After an error it drops them: the transcript is known to be
// incomplete, and memory stays bounded.
func (o *output) flush() error {
	if o.err == nil {
		_, o.err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
	return o.err
}

func (o *output) flushIfLarge() {
	if len(o.buf) >= flushAt {
		o.flush()
	}
}
