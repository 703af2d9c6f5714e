package craft

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"sesame/daemon/packet"
)

// A File is a capture file. The zero File has no frames, times in microseconds and no snap length.
type File struct {
	Nano    bool // times are in nanoseconds, not microseconds
	SnapLen uint32
	Link    packet.LinkType
	Frames  []Frame
}

// A Frame is what a capture has of a packet.
type Frame struct {
	Time   time.Time
	Data   []byte
	Length uint32 // on the wire, in bytes; at least that of Data
}

// SnapLen is a snap length that cuts nothing, the default of tcpdump.
const SnapLen = 262144

// NewFile returns a file of whole frames of a link, with times in nanoseconds.
func NewFile(link packet.LinkType) *File { return &File{Nano: true, SnapLen: SnapLen, Link: link} }

// Add appends a packet, as a whole frame. It fails as [Packet.Frame] does.
func (f *File) Add(at time.Time, p Packet) error {
	data, err := p.Frame(f.Link)
	if err != nil {
		return err
	}
	f.Frames = append(f.Frames, Frame{Time: at, Data: data, Length: uint32(len(data))})
	return nil
}

// StartAt shifts all times by the same duration, so that the first becomes start.
func (f *File) StartAt(start time.Time) {
	if len(f.Frames) == 0 {
		return
	}
	shift := start.Sub(f.Frames[0].Time)
	for i := range f.Frames {
		f.Frames[i].Time = f.Frames[i].Time.Add(shift)
	}
}

// Encode returns the file in the format that the extensions of a name say: ".pcap" or ".pcapng",
// with ".gz" or ".zst" behind it when it is to be compressed.
func (f *File) Encode(name string) ([]byte, error) {
	_, extensions, _ := strings.Cut(name, ".")
	format, compression, _ := strings.Cut(extensions, ".")
	var b []byte
	switch format {
	case "pcap":
		b = f.PCAP()
	case "pcapng":
		b = f.PCAPNG()
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

func (f *File) unit() time.Duration {
	if f.Nano {
		return time.Nanosecond
	}
	return time.Microsecond
}

// PCAP returns a classic pcap file in little endian (draft-ietf-opsawg-pcap). Its times are of the
// years 1970 to 2106: others are wrong in it.
func (f *File) PCAP() []byte {
	magic := uint32(0xa1b2c3d4)
	if f.Nano {
		magic = 0xa1b23c4d
	}
	b := words(nil, magic, 4<<16|2, 0, 0, f.SnapLen, uint32(f.Link))
	for _, one := range f.Frames {
		fraction := one.Time.Nanosecond() / int(f.unit())
		b = words(b, uint32(one.Time.Unix()), uint32(fraction), uint32(len(one.Data)), one.Length)
		b = append(b, one.Data...)
	}
	return b
}

// PCAPNG returns a section header, one interface and enhanced packets (draft-ietf-opsawg-pcapng,
// sections 4.1 to 4.3). Its times are of the years 1970 to 2261.
func (f *File) PCAPNG() []byte {
	const (
		section, byteOrder = 0x0a0d0d0a, 0x1a2b3c4d
		resolution         = 1<<16 | 9 // option if_tsresol, one byte long
		unknown            = 0xffffffff
	)
	digits := uint32(6)
	if f.Nano {
		digits = 9
	}
	b := block(nil, section, words(nil, byteOrder, 1, unknown, unknown))
	b = block(b, 1, words(nil, uint32(f.Link), f.SnapLen, resolution, digits, 0))
	for _, one := range f.Frames {
		stamp := uint64(one.Time.UnixNano()) / uint64(f.unit())
		body := words(nil, 0, uint32(stamp>>32), uint32(stamp), uint32(len(one.Data)), one.Length)
		b = block(b, 6, append(body, one.Data...))
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
