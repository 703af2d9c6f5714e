package transcript

import "io"

// flushAt bounds what is held back, and makes writes few.
const flushAt = 32 << 10

// An output buffers lines and remembers the first error.
type output struct {
	w   io.Writer
	buf []byte
	err error
}

// flush hands the lines on. After an error it drops them: what is lost is
// already known to be lost, and memory stays bounded.
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
