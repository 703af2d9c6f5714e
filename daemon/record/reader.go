// Package record turns capture files into frames, and the inputs of an engine into recordings,
// which are capture files too.
//
// It reads pcap and pcapng files, plain or compressed with gzip or zstd, of any size in constant
// memory, and without allocations for each frame. Files are read and never mapped: a file that is
// truncated while it is mapped would end the program with SIGBUS.
//
// [Open] reads a capture. A [Recorder] holds the latest inputs, and a [Recording] writes them as
// a file whose form docs/recording.md describes: packets as packets, everything else in
// Decryption Secrets Blocks with JSON.
package record

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"time"

	"sesame/daemon/openfile"
	"sesame/daemon/packet"
)

// MaxFrame is the largest number of captured bytes of a frame. libpcap has the same bound
// (MAXIMUM_SNAPLEN). A record that claims more is damaged.
const MaxFrame = 262144

// A Frame is one captured frame.
type Frame struct {
	// Data has the captured bytes. Wire is the length of the frame on the wire, at least
	// that of Data.
	Data []byte
	Wire int
	Link packet.LinkType
	// Number is the 1-based position of the frame in its file.
	Number int
	// ID is the number of the packet in the transcript of the daemon that recorded it; 0:
	// none.
	ID uint64
	// Reception is what the file tells of how the frame was received.
	Reception packet.Reception
	// Interface is the number of the interface in the file, 0 for formats without interfaces. A
	// packet of a recording has the number that it had in the daemon, and the LinkDigest that the
	// daemon's decoder found: see [packet.Packet]. LinkDigest is 0 for other frames.
	Interface  uint32
	LinkDigest uint64
	// Back is not 0 when the recording clock was set back before this frame: by so much its stamp
	// is before the latest of the stamps so far. That is more than [ClockStep].
	Back time.Duration

	ticks uint64
	clock clock
	check uint64 // of a packet of a recording: see checksum
}

// Time returns the time of the frame in UTC, between the years 1970 and 2262. It is computed on
// demand: most frames are dropped before anybody needs it.
func (f *Frame) Time() time.Time { return f.clock.time(f.ticks) }

// A Reader reads the frames of one capture. It is not safe for concurrent use.
type Reader struct {
	name   string
	format string
	size   int64

	input   counter
	unpack  io.Closer // the decompressor; nil: none
	file    *os.File  // nil: the caller closes the input
	window  window
	big     bool // big-endian: the file, or the current section of a pcapng file
	pcapng  bool
	order   lengthOrder // of a pcap file
	sources []source    // the interfaces of a pcapng section

	recording   bool // the file has a snapshot
	older       bool // its inputs are in custom blocks, in their place among the frames
	described   bool // an interface says that Sesame recorded
	assembly    assembly
	place       framePlace // of frame
	exact       exact
	whole       bool // read inputs too
	item        Item
	inputs      int    // items other than frames so far
	payloadKind Kind   // of payload
	payload     []byte // of an input whose next block is to come

	frame     Frame
	latest    stamp // of the frames since the last step of the clock
	unstamped int   // frames of blocks that have no time stamp
	err       error // what ended the reading
}

// counter counts the bytes that are read from the file, before decompression.
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
	return OpenBy(openfile.Input, path)
}

// Regular opens a regular file, for [OpenBy]: to open a pipe, or to read it, may wait for ever.
func Regular(path string) (*os.File, error) {
	file, _, err := openfile.Regular(path)
	return file, err
}

// OpenBy is [Open] for a file that a function opens, whose errors are those of package openfile.
func OpenBy(open func(string) (*os.File, error), path string) (*Reader, error) {
	file, err := open(path)
	switch {
	case errors.Is(err, openfile.ErrDirectory):
		return nil, &NotCaptureError{Name: path, What: "a directory"}
	case errors.Is(err, openfile.ErrKernel):
		return nil, &NotCaptureError{Name: path, What: "a file of the kernel"}
	case errors.Is(err, openfile.ErrNotRegular):
		return nil, &NotCaptureError{Name: path, What: "a device, a socket or a pipe"}
	case err != nil:
		return nil, err
	}
	r, err := newFileReader(file, path)
	if err == nil {
		err = r.searchRecording(file)
	}
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
	case info.Mode().IsRegular():
		return NewReader(file, info.Size(), path)
	}
	return NewReader(file, -1, path)
}

// NewReader reads a capture from input, which it does not close. Size is for [Reader.Progress],
// -1 if unknown. Name is used in errors.
func NewReader(input io.Reader, size int64, name string) (*Reader, error) {
	r := &Reader{name: name, size: size, input: counter{source: input}}
	if err := r.start(); err != nil {
		r.Close()
		return nil, r.explain(err)
	}
	return r, nil
}

// start finds the format of the file and reads its header.
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
		if err := r.findRecording(); err != nil {
			return err
		}
	}
	if packing != "" {
		r.format += ", " + packing
	}
	return nil
}

// Next returns the next frame, which is valid until the next call. At the end of the capture the
// error is io.EOF. A [*DamagedError] means that the capture cannot be read further; all frames
// before it are good.
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
		r.stampFrame()
		r.frame.Back = r.latest.follow(stamp{r.frame.ticks, r.frame.clock})
	}
	return &r.frame, nil
}

// explain adds the file and the place to an error. io.EOF and a [*NotCaptureError] stay as they
// are.
func (r *Reader) explain(err error) error {
	if _, isNot := errors.AsType[*NotCaptureError](err); isNot || err == io.EOF {
		return err
	}
	return &DamagedError{Name: r.name, Frames: r.frame.Number, Err: err}
}

// Digest returns the SHA-256 of the beginning of a file, after its header: of 64 KiB, decompressed.
// Two captures that differ there have different digests. That of standard input and of a pipe is
// zero, since their beginning may come late. It must be called before the first Next.
func (r *Reader) Digest() [sha256.Size]byte {
	if r.size < 0 {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(r.window.peek(1 << 16))
}

// Format names the format, like "pcapng" or "pcap with nanoseconds, gzip".
func (r *Reader) Format() string { return r.format }

// Progress returns how many bytes of the file have been read, before decompression, and its
// size, -1 if unknown.
func (r *Reader) Progress() (read, size int64) { return r.input.n, r.size }

// Close closes the file if [Open] opened it. A Next that blocks continues.
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
