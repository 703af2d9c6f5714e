package record

import (
	"encoding/binary"

	"sesame/daemon/wire"
)

// This file defines and writes the blocks that hold our data in a pcapng file. docs/recording.md
// specifies them.
//
// They are Decryption Secrets Blocks (draft-ietf-opsawg-pcapng, section 4.8) of a type of our own.
// Other programs give them no frame number, keep them when they cut and merge captures, and have an
// option that strips them. But such programs move them: before the next packet that they keep, or
// all before the first packet. So the order of the blocks in a file says nothing. The data says
// what belongs before which packet.

const (
	blockSecrets = 10
	// secretsType is "SESM" in ASCII, as the registered types are four letters.
	secretsType = 0x5345534d
	// secretsForm is the version of this file's form. That of the JSON in it is [wire.Version].
	secretsForm = 1
	// partHeader is the number of bytes before the data of a part: the magic, the form, the flags,
	// the number of the part, and the recording.
	partHeader = 8 + 2 + 2 + 4 + 8
	// partSize is the most bytes of data in one part. Wireshark accepts far more, but a block must
	// fit into the window of a Reader.
	partSize = 1 << 19
	// entryHeader is the number of bytes before the payload of an entry: its kind, two bytes of
	// zero, the length of the payload, and its [place].
	entryHeader = 2 + 2 + 4 + 8 + 8
	runSize     = 8
)

// flagLast is the flag of the last part of a recording.
const flagLast = 1

// kindEnd is the last entry. Its place is the end: it counts all inputs and all packets.
const kindEnd Kind = 0xffff

// A place is where an item stands among all that its daemon recorded: behind so many inputs and so
// many packets. Both are counted since the daemon began, also those that the recorder forgot. So
// two recordings of one daemon agree on them.
type place struct{ inputs, packets uint64 }

// A streamWriter writes entries as the parts of a recording.
type streamWriter struct {
	out       *counting
	recording uint64
	part      []byte // not written yet, at most partSize bytes
	number    uint32 // of part
}

// entry begins an entry. Its payload, of this length, is written next.
func (w *streamWriter) entry(kind Kind, at place, length int) {
	head := make([]byte, 0, entryHeader)
	head = appendWords(head, uint32(kind), uint32(length))
	head = ours.AppendUint64(head, at.inputs)
	w.write(ours.AppendUint64(head, at.packets))
}

// Write never fails: out remembers its first error.
func (w *streamWriter) Write(b []byte) (int, error) {
	w.write(b)
	return len(b), nil
}

func (w *streamWriter) write(b []byte) {
	for len(b) > 0 {
		if len(w.part) == partSize {
			w.flush(0)
		}
		n := min(len(b), partSize-len(w.part))
		w.part, b = append(w.part, b[:n]...), b[n:]
	}
}

// end writes the last part.
func (w *streamWriter) end(at place) {
	w.entry(kindEnd, at, 0)
	w.flush(flagLast)
}

func (w *streamWriter) flush(flags uint32) {
	length := uint32(blockFrame + 8 + (partHeader+len(w.part)+3)&^3)
	b := appendWords(nil, blockSecrets, length, secretsType, uint32(partHeader+len(w.part)))
	b = append(append(b, magic...), wire.Version)
	b = appendWords(b, secretsForm|flags<<16, w.number)
	b = appendPadded(ours.AppendUint64(b, w.recording), w.part)
	w.out.write(appendWords(b, length))
	w.part, w.number = w.part[:0], w.number+1
}

// The option of a packet block that says where the packet stands. It is a custom option that may be
// copied.
const (
	optionCustom = 2989
	// placeSize is the number of its bytes behind the enterprise number: the form, the flags, two
	// bytes of zero, the number of the interface, the run, the place, the digest of the link
	// header, and the check.
	placeSize = 1 + 1 + 2 + 4 + 8 + 8 + 8 + 8 + 8
)

// flagLoopback is the flag of a packet that came over the loopback interface.
const flagLoopback = 1

// checksum returns a hash (FNV-1a, 64 bits) of what an exact replay gives to the engine. A program
// that cuts packets short or moves their times copies the option, so the hash tells.
func checksum(at uint64, wire int, data []byte) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], at)
	binary.LittleEndian.PutUint64(head[8:], uint64(wire))
	for _, b := range head {
		h = (h ^ uint64(b)) * prime
	}
	for _, b := range data {
		h = (h ^ uint64(b)) * prime
	}
	return h
}
