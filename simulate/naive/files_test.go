package naive_test

import (
	"bytes"
	"encoding/binary"
)

// This file writes captures, in each of the forms that programs write.

// A format is a form of a capture file.
type format struct {
	order binary.AppendByteOrder
	nano  bool   // stamps in nanoseconds, else in microseconds
	minor uint16 // of the version of pcap, 2.minor
}

var formats = []format{
	{binary.LittleEndian, false, 4}, {binary.BigEndian, false, 4}, {binary.LittleEndian, true, 4}, {binary.BigEndian, true, 4},
	{binary.LittleEndian, false, 1}, {binary.BigEndian, false, 2}, {binary.LittleEndian, false, 3}, {binary.BigEndian, false, 0},
}

// pcap returns a pcap file of packets of one link (draft-ietf-opsawg-pcap).
func (f format) pcap(l *link, packets []*sent) []byte {
	magic, unit := uint32(0xa1b2c3d4), int64(1000)
	if f.nano {
		magic, unit = 0xa1b23c4d, 1
	}
	b := f.order.AppendUint32(nil, magic)
	b = f.order.AppendUint16(b, 2)
	b = f.order.AppendUint16(b, f.minor)
	b = append(b, make([]byte, 8)...)
	b = f.order.AppendUint32(b, 262144)
	b = f.order.AppendUint32(b, uint32(l.number))
	for _, s := range packets {
		data, wire := s.frame(l)
		first, then := int64(len(data)), int64(wire)
		if f.minor < 3 { // the lengths were in the other order
			first, then = then, first
		}
		for _, word := range []int64{s.at / second, s.at % second / unit, first, then} {
			b = f.order.AppendUint32(b, uint32(word))
		}
		b = append(b, data...)
	}
	return b
}

// pcapng returns a pcapng file of several interfaces (draft-ietf-opsawg-pcapng).
func (f format) pcapng(interfaces []*link, packets []*sent) []byte {
	var file bytes.Buffer
	section := f.order.AppendUint32(nil, 0x1a2b3c4d)
	section = f.order.AppendUint16(section, 1)
	section = f.order.AppendUint16(section, 0)
	f.block(&file, 0x0a0d0d0a, append(section, bytes.Repeat([]byte{0xff}, 8)...))
	unit := int64(1000)
	for _, l := range interfaces {
		about := f.order.AppendUint16(nil, l.number)
		about = append(about, 0, 0, 0, 0, 0, 0)
		if f.nano {
			unit = 1
			about = f.order.AppendUint16(about, 9) // if_tsresol
			about = f.order.AppendUint16(about, 1)
			about = append(about, 9, 0, 0, 0, 0, 0, 0, 0)
		}
		f.block(&file, 1, about)
	}
	for _, s := range packets {
		data, wire := s.frame(interfaces[s.iface])
		stamp := s.at / unit
		b := f.order.AppendUint32(nil, uint32(s.iface))
		for _, word := range []int64{stamp >> 32, stamp, int64(len(data)), int64(wire)} {
			b = f.order.AppendUint32(b, uint32(word))
		}
		f.block(&file, 6, append(append(b, data...), make([]byte, -len(data)&3)...))
	}
	return file.Bytes()
}

func (f format) block(file *bytes.Buffer, kind uint32, body []byte) {
	size := uint32(12 + len(body))
	b := f.order.AppendUint32(f.order.AppendUint32(nil, kind), size)
	file.Write(f.order.AppendUint32(append(b, body...), size))
}
