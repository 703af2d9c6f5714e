package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A capture holds what tcpdump recorded. It is read from a classic pcap in this machine's byte
// order (draft-ietf-opsawg-pcap), and written in little endian on every machine.
type capture struct {
	nano    bool // fractions of a second are nanoseconds, not microseconds
	snapLen uint32
	link    uint32
	frames  []frame
}

type frame struct {
	time   time.Time
	data   []byte
	length uint32 // on the wire
}

const (
	microMagic = 0xa1b2c3d4
	nanoMagic  = 0xa1b23c4d
)

func parseCapture(b []byte) (*capture, error) {
	order := binary.NativeEndian
	if len(b) < 24 {
		return nil, errors.New("no file header: tcpdump wrote nothing")
	}
	magic := order.Uint32(b)
	if magic != microMagic && magic != nanoMagic {
		return nil, fmt.Errorf("magic number %#x: expected a pcap", magic)
	}
	c := &capture{nano: magic == nanoMagic, snapLen: order.Uint32(b[16:]), link: order.Uint32(b[20:])}
	for b = b[24:]; len(b) > 0; {
		if len(b) < 16 || len(b)-16 < int(order.Uint32(b[8:])) {
			return nil, io.ErrUnexpectedEOF
		}
		end := 16 + order.Uint32(b[8:])
		fraction := time.Duration(order.Uint32(b[4:])) * c.unit()
		c.frames = append(c.frames, frame{
			time:   time.Unix(int64(order.Uint32(b)), 0).Add(fraction),
			data:   b[16:end],
			length: order.Uint32(b[12:]),
		})
		b = b[end:]
	}
	if len(c.frames) == 0 {
		return nil, errors.New("not one packet was recorded")
	}
	return c, nil
}

func (c *capture) unit() time.Duration {
	if c.nano {
		return time.Nanosecond
	}
	return time.Microsecond
}

// startAt shifts all time stamps by the same duration, so that the first becomes start.
func (c *capture) startAt(start time.Time) {
	shift := start.Sub(c.frames[0].time)
	for i := range c.frames {
		c.frames[i].time = c.frames[i].time.Add(shift)
	}
}

// encode returns the capture in the format of the name's extensions, such as ".pcapng.gz".
func (c *capture) encode(name string) ([]byte, error) {
	_, extensions, _ := strings.Cut(name, ".")
	format, compression, _ := strings.Cut(extensions, ".")
	var b []byte
	switch format {
	case "pcap":
		b = c.pcap()
	case "pcapng":
		b = c.pcapng()
	default:
		return nil, fmt.Errorf("extension %q: expected pcap or pcapng", format)
	}
	switch compression {
	case "":
		return b, nil
	case "gz":
		return compress(b, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	case "zst":
		return compress(b, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	}
	return nil, fmt.Errorf("extension %q: expected gz or zst", compression)
}

func compress(b []byte, open func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var out bytes.Buffer
	w, err := open(&out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close() // writes the rest
	return out.Bytes(), err
}

func (c *capture) pcap() []byte {
	magic := uint32(microMagic)
	if c.nano {
		magic = nanoMagic
	}
	b := words(nil, magic, 4<<16|2, 0, 0, c.snapLen, c.link)
	for _, f := range c.frames {
		fraction := f.time.Nanosecond() / int(c.unit())
		b = words(b, uint32(f.time.Unix()), uint32(fraction), uint32(len(f.data)), f.length)
		b = append(b, f.data...)
	}
	return b
}

// pcapng writes a section header, one interface and enhanced packets
// (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3).
func (c *capture) pcapng() []byte {
	const (
		section, byteOrder = 0x0a0d0d0a, 0x1a2b3c4d
		resolution         = 1<<16 | 9 // option if_tsresol, one byte long
		unknown            = 0xffffffff
	)
	digits := uint32(6)
	if c.nano {
		digits = 9
	}
	b := block(nil, section, words(nil, byteOrder, 1, unknown, unknown))
	b = block(b, 1, words(nil, c.link, c.snapLen, resolution, digits, 0))
	for _, f := range c.frames {
		stamp := uint64(f.time.UnixNano()) / uint64(c.unit())
		body := words(nil, 0, uint32(stamp>>32), uint32(stamp), uint32(len(f.data)), f.length)
		b = block(b, 6, append(body, f.data...))
	}
	return b
}

// block appends a pcapng block. The format repeats the length at the end of the block.
func block(b []byte, kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	length := uint32(len(body) + 12)
	return words(append(words(b, kind, length), body...), length)
}

func words(b []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}
