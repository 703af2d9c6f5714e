package record

import (
	"encoding/binary"
	"time"

	"sesame/daemon/packet"
)

// This file is the form of packets and inputs in the memory of a Recorder. It is made for every
// packet that a door is interested in, so it takes few bytes and little time. The blocks of the
// file are made when a recording is written.
//
// An entry begins with its kind, in 16 bits. Kind 0 is a packet. All numbers are little-endian.

const (
	storedPacket = 0
	storedHeader = 2 + 2 + 4 // kind, flags, length of the data or payload
	packetHead   = storedHeader + 4 + 8 + 8 + 4 + 8
)

const (
	storedVouched = 1 << iota
	storedLoopback
)

// A stored is a packet that a Recorder holds.
type stored struct {
	reception  packet.Reception
	wire       int
	at         int64 // engine time, Unix nanoseconds
	number     uint64
	iface      uint32
	linkDigest uint64
	data       []byte // the IP packet
}

func packetSize(frame int) int { return packetHead + frame }

func inputSize(payload int) int { return storedHeader + payload }

// appendPacket appends a packet. It copies the frame.
func appendPacket(b []byte, p *packet.Packet, frame []byte, wire int) []byte {
	flags := uint16(0)
	if p.Vouched {
		flags |= storedVouched
	}
	if p.Loopback {
		flags |= storedLoopback
	}
	var head [packetHead]byte
	le := binary.LittleEndian
	le.PutUint16(head[2:], flags)
	le.PutUint32(head[4:], uint32(len(frame)))
	le.PutUint32(head[8:], uint32(wire))
	le.PutUint64(head[12:], uint64(p.Time.UnixNano()))
	le.PutUint64(head[20:], uint64(p.Number))
	le.PutUint32(head[28:], p.Interface)
	le.PutUint64(head[32:], p.LinkDigest)
	return append(append(b, head[:]...), frame...)
}

// appendInput appends the payload of an input.
func appendInput(b []byte, kind Kind, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(kind))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

// next returns the first entry of b and what follows it. The packet is set for kind 0, the payload
// for other kinds. Both alias b.
func next(b []byte) (kind Kind, p stored, payload, rest []byte) {
	le := binary.LittleEndian
	kind, length := Kind(le.Uint16(b)), int(le.Uint32(b[4:]))
	if kind != storedPacket {
		return kind, p, b[storedHeader:][:length], b[storedHeader+length:]
	}
	if flags := le.Uint16(b[2:]); flags != 0 {
		p.reception = receptionOf(flags&storedVouched != 0, flags&storedLoopback != 0)
	}
	p.wire, p.at, p.number = int(le.Uint32(b[8:])), int64(le.Uint64(b[12:])), le.Uint64(b[20:])
	p.iface, p.linkDigest = le.Uint32(b[28:]), le.Uint64(b[32:])
	p.data = b[packetHead:][:length]
	return kind, p, nil, b[packetHead+length:]
}

func receptionOf(vouched, loopback bool) (r packet.Reception) {
	if vouched {
		r |= packet.Vouched
	}
	if loopback {
		r |= packet.Loopback
	}
	return r
}

// A set is an InputSet. Its payload is made when a recording is written: the files of the scripts
// are in memory anyway.
type set struct {
	at    int // its position among the entries
	input Input
}

// A segment is a snapshot and the inputs that followed it.
type segment struct {
	began    time.Time
	from     place // of the snapshot
	snapshot Snapshot
	entries  []byte // bytes are only appended, so a Recording may share them
	sets     []set
	weight   int // bytes that the sets will take
	// withholder replaces used lines where they are written; nil: all is written.
	withholder *withholder
}

// walk calls the functions for each packet and each input, in their order, with their place. It
// returns the place behind all of them. Packets or inputs may be nil.
func (s *segment) walk(packets func(*stored, place), inputs func(Kind, []byte, place) error) (end place, err error) {
	end = s.from
	give := func(kind Kind, payload func() ([]byte, error)) error {
		at := end
		end.inputs++
		if inputs == nil {
			return nil
		}
		text, err := payload()
		if err != nil {
			return err
		}
		return inputs(kind, text, at)
	}
	sets := s.sets
	for b := s.entries; ; {
		for len(sets) > 0 && sets[0].at == len(s.entries)-len(b) {
			if err := give(InputSet, sets[0].input.payload); err != nil {
				return end, err
			}
			sets = sets[1:]
		}
		if len(b) == 0 {
			return end, nil
		}
		kind, p, payload, rest := next(b)
		b = rest
		if kind != storedPacket {
			if err := give(kind, func() ([]byte, error) { return payload, nil }); err != nil {
				return end, err
			}
			continue
		}
		if packets != nil {
			packets(&p, end)
		}
		end.packets++
	}
}
