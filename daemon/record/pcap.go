package record

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"sesame/daemon/packet"
)

// The magic numbers at the beginning of a capture, in the byte order of the host that wrote it
// (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng). That of pcapng is the same in both orders.
const (
	magicPcap     = 0xa1b2c3d4 // times in microseconds
	magicPcapNano = 0xa1b23c4d // times in nanoseconds
	magicPcapng   = 0x0a0d0d0a
)

const (
	fileHeader   = 24
	recordHeader = 16
	dgux         = 543 // the version of the tcpdump of DG/UX, which wrote 543.0 for 2.3
)

// A lengthOrder is the order of the two lengths in a record of a pcap file. It depends on the
// version of the file (sf-pcap.c of libpcap has the history).
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota // since 2.4
	wireFirst                        // before 2.3
	// smallerFirst is for 2.3: some programs wrote one order, some the other. No capture has more
	// of a frame than was on the wire.
	smallerFirst
)

// readHeader reads the header of a capture. Packing is the compression of the file, for errors.
func (r *Reader) readHeader(packing string) error {
	head := r.window.peek(4)
	if len(head) < 4 {
		return r.notCapture(packing)
	}
	if binary.BigEndian.Uint32(head) == magicPcapng {
		r.pcapng, r.format = true, "pcapng"
		return r.readSection()
	}
	for _, r.big = range []bool{false, true} {
		switch r.uint32(head) {
		case magicPcap:
			r.format, r.frame.clock.rate = "pcap", 1e6
			return r.readFileHeader()
		case magicPcapNano:
			r.format, r.frame.clock.rate = "pcap with nanoseconds", 1e9
			return r.readFileHeader()
		}
	}
	return r.notCapture(packing)
}

// readFileHeader reads the header of a pcap file. It ignores the snap length: files exist in
// which it is 0, less than the captured length, or 2 GB.
func (r *Reader) readFileHeader() error {
	head := r.window.peek(fileHeader)
	if len(head) < fileHeader {
		return r.window.missing()
	}
	switch major, minor := r.uint16(head[4:]), r.uint16(head[6:]); {
	case major == 2 && minor < 3:
		r.order = wireFirst
	case major == 2 && minor == 3 || major == dgux && minor == 0:
		r.order = smallerFirst
	case major != 2:
		return fmt.Errorf("pcap version %d.%d, expected 2.0 to 2.4", major, minor)
	}
	// The upper 16 bits are the length of the frame check sequence.
	r.frame.Link = packet.LinkType(r.uint32(head[20:]))
	r.window.skip(fileHeader)
	return nil
}

// nextRecord reads the next frame of a pcap file.
func (r *Reader) nextRecord() error {
	head := r.window.peek(recordHeader)
	if len(head) < recordHeader {
		return r.endOfFile()
	}
	captured, wire := r.lengths(head)
	if captured > MaxFrame {
		return fmt.Errorf("a record of %d bytes, expected at most %d", captured, MaxFrame)
	}
	f, size := &r.frame, recordHeader+int(captured)
	f.ticks = r.ticks(head)
	f.Wire = int(max(wire, captured))
	data := r.window.peek(size)
	if len(data) < size {
		return r.window.missing()
	}
	f.Data = data[recordHeader:]
	r.window.skip(size)
	return nil
}

// ticks returns the time stamp of a record.
func (r *Reader) ticks(head []byte) uint64 {
	return uint64(r.uint32(head))*r.frame.clock.rate + uint64(r.uint32(head[4:]))
}

// lengths returns how many bytes of a frame a record holds, and how many the frame had.
func (r *Reader) lengths(head []byte) (captured, wire uint32) {
	captured, wire = r.uint32(head[8:]), r.uint32(head[12:])
	if r.order == wireFirst || r.order == smallerFirst && captured > wire {
		return wire, captured
	}
	return captured, wire
}

// endOfFile returns io.EOF when the file ends between two records or blocks, and another error
// when it ends within one.
func (r *Reader) endOfFile() error {
	if err := r.window.ended(); err != nil {
		return err
	}
	return r.window.missing()
}

func (r *Reader) uint16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if r.big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (r *Reader) uint32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if r.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}
