// Package record turns capture files into frames, and what an engine was given
// into capture files.
//
// It reads pcap and pcapng, plain or compressed with gzip or zstd, of any size
// in constant memory. Nothing is allocated for a frame. A file is read, never
// mapped: one that somebody cuts while it is mapped would end the program.
package record

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"sesame/daemon/packet"
)

// MaxFrame is how many captured bytes a frame may have: what libpcap allows,
// and more than any network carries. A record that claims more is damaged.
const MaxFrame = 262144

// A Frame is one captured frame.
type Frame struct {
	// Data is what was captured, and Wire the length that the frame had, at
	// least that of Data.
	Data []byte
	Wire int
	Link packet.LinkType
	// Number is the 1-based position of the frame in its file.
	Number int
	// ID is the number that the packet had for the daemon that recorded it; 0:
	// none. Only [Reader.NextItem] sets it.
	ID uint64

	ticks uint64
	clock clock
}

// Time returns the stamp of the frame, in UTC and from the years 1970 to
// 2262. It is computed here, since most frames are dropped without a look at it.
func (f *Frame) Time() time.Time { return f.clock.time(f.ticks) }

// After reports whether f was stamped later than g.
func (f *Frame) After(g *Frame) bool {
	if f.clock == g.clock {
		return f.ticks > g.ticks
	}
	return f.Time().After(g.Time())
}

// A Reader reads the frames of one capture. It is not safe for concurrent use.
type Reader struct {
	name   string
	format string
	size   int64

	input   counter
	unpack  io.Closer // the decompressor; nil: none
	file    *os.File  // nil: not ours to close
	window  window
	big     bool // byte order of the file, of pcapng that of the section
	pcapng  bool
	sources []source // the interfaces of a pcapng section

	recording bool // the file begins with a snapshot
	whole     bool // items other than frames are asked for
	item      Item
	inputs    int    // items other than frames so far
	begunKind Kind   // of the one in payload
	payload   []byte // that goes on in the next block

	frame Frame
	err   error // what ended the reading
}

// counter counts what is read of the file, before it is decompressed.
type counter struct {
	source io.Reader
	n      int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.source.Read(b)
	c.n += int64(n)
	return n, err
}

// Open opens a capture file; "-" is standard input. The caller closes the Reader.
//
// The error is a [*NotCaptureError] for a file of another kind, and a
// [*DamagedError] for a capture that ends or goes wrong before its first frame.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return NewReader(os.Stdin, -1, "standard input")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := newFileReader(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	r.file = file
	return r, nil
}

func newFileReader(file *os.File, path string) (*Reader, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &NotCaptureError{Name: path, What: "a directory"}
	case info.Mode().IsRegular():
		return NewReader(file, info.Size(), path)
	}
	return NewReader(file, -1, path)
}

// NewReader reads a capture from input, which it does not close. The size is
// for [Reader.Progress], -1 if unknown; the name stands in errors.
func NewReader(input io.Reader, size int64, name string) (*Reader, error) {
	r := &Reader{name: name, size: size, input: counter{source: input}}
	if err := r.start(); err != nil {
		r.Close()
		return nil, r.explain(err)
	}
	return r, nil
}

// start finds the format of the file and reads what stands before the frames.
func (r *Reader) start() error {
	raw := bufio.NewReaderSize(&r.input, 1<<16)
	packing, source, err := r.decompress(raw)
	if err != nil {
		return err
	}
	r.window = newWindow(source)
	if err := r.readHeader(packing); err != nil {
		return err
	}
	if r.pcapng {
		r.recording = r.isRecording()
	}
	if packing != "" {
		r.format += ", " + packing
	}
	return nil
}

// Next returns the next frame, which is valid until the call after. At the end
// of the capture the error is io.EOF; a [*DamagedError] says that the end came
// too early, and that all frames before it are good.
func (r *Reader) Next() (*Frame, error) {
	if r.err != nil {
		return nil, r.err
	}
	var err error
	if r.pcapng {
		err = r.nextBlock()
	} else {
		err = r.nextRecord()
	}
	if err != nil {
		r.err = r.explain(err)
		return nil, r.err
	}
	if r.item == (Item{}) {
		r.frame.Number++
	}
	return &r.frame, nil
}

// explain says where in which file an error is. The end of a capture and a file
// that is no capture explain themselves.
func (r *Reader) explain(err error) error {
	if _, isNot := errors.AsType[*NotCaptureError](err); isNot || err == io.EOF {
		return err
	}
	return &DamagedError{Name: r.name, Frames: r.frame.Number, Err: err}
}

// Format names the format, like "pcapng" or "pcap with nanoseconds, gzip".
func (r *Reader) Format() string { return r.format }

// Progress returns how many bytes of the file have been read, compressed as
// they are, and how many it has; -1 if that is not known.
func (r *Reader) Progress() (read, size int64) { return r.input.n, r.size }

// Close closes the file if [Open] opened it. It ends no Next that blocks.
func (r *Reader) Close() error {
	var unpack, file error
	if r.unpack != nil {
		unpack = r.unpack.Close()
	}
	if r.file != nil {
		file = r.file.Close()
	}
	return errors.Join(unpack, file)
}
