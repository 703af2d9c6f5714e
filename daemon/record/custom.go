package record

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sesame/daemon/wire"
)

// This file reads and writes our custom blocks in a pcapng file. docs/recording.md specifies
// them.

const (
	blockCustom = 0x00000bad // a custom block that may be copied
	// enterprise is the number that RFC 5612 reserves for documentation: Sesame has no number
	// of its own. The magic after it identifies our blocks.
	enterprise = 32473
	// customHeader is the number of bytes before the payload: the enterprise number, the
	// magic, the kind, whether more follows, and the payload's length.
	customHeader = 4 + 8 + 2 + 2 + 4
	// customPart is the most bytes of payload in one block.
	customPart = 1 << 19
)

// magicSesame ends with the version of the payload's form.
const magicSesame = "SESAME\x00" + string(rune(wire.Version))

// ours is the byte order of our own numbers, in sections of either byte order.
var ours = binary.LittleEndian

// appendCustom appends a payload, in as many blocks as it needs.
func appendCustom(b []byte, kind Kind, payload []byte) []byte {
	for len(payload) > customPart {
		b = appendPart(b, kind, payload[:customPart], true)
		payload = payload[customPart:]
	}
	return appendPart(b, kind, payload, false)
}

// appendPart appends one block, with a part of a payload.
func appendPart(b []byte, kind Kind, part []byte, more bool) []byte {
	flag := uint32(0)
	if more {
		flag = 1
	}
	length := uint32(blockFrame + customHeader + (len(part)+3)&^3)
	b = appendWords(b, blockCustom, length, enterprise)
	b = append(b, magicSesame...)
	b = appendWords(b, uint32(kind)|flag<<16, uint32(len(part)))
	b = appendPadded(b, part)
	return appendWords(b, length)
}

// A customWriter writes a payload in blocks while the payload is made.
type customWriter struct {
	out  *counting
	kind Kind
	part []byte // not written yet, at most customPart bytes
}

// Write never fails: out remembers its first error.
func (w *customWriter) Write(b []byte) (int, error) {
	w.write(b)
	return len(b), nil
}

func (w *customWriter) write(b []byte) {
	for len(b) > 0 {
		if len(w.part) == customPart {
			w.out.write(appendPart(nil, w.kind, w.part, true))
			w.part = w.part[:0]
		}
		n := min(len(b), customPart-len(w.part))
		w.part, b = append(w.part, b[:n]...), b[n:]
	}
}

// end writes the last block.
func (w *customWriter) end() { w.out.write(appendPart(nil, w.kind, w.part, false)) }

// customSize returns how many bytes appendCustom appends.
func customSize(payload int) int {
	blocks := max(1, (payload+customPart-1)/customPart)
	return blocks*(blockFrame+customHeader) + (payload+3)&^3
}

// isOurs reports whether head begins one of our custom blocks, of any version.
func (r *Reader) isOurs(head []byte) bool {
	return len(head) >= 8+customHeader && r.uint32(head) == blockCustom && r.uint32(head[8:]) == enterprise &&
		bytes.Equal(head[12:19], []byte(magicSesame[:7]))
}

// isRecording reports whether a snapshot follows the section header. It reads no more than it
// needs: the file may be a pipe whose writer is slow.
func (r *Reader) isRecording() bool {
	if head := r.window.peek(4); len(head) < 4 || r.uint32(head) != blockCustom {
		return false
	}
	head := r.window.peek(8 + customHeader)
	return r.isOurs(head) && Kind(ours.Uint16(head[20:])) == snapshot
}

// readCustom reads a custom block, or skips it when only frames are wanted. Found means that an
// input or a snapshot is complete.
func (r *Reader) readCustom(length uint32) (found bool, err error) {
	if !r.whole || length > windowSize || !r.isOurs(r.window.peek(8+customHeader)) {
		return false, r.skipBlock(length)
	}
	body, err := r.body(length)
	if err != nil {
		return false, err
	}
	kind, more, size := Kind(ours.Uint16(body[12:])), ours.Uint16(body[14:]), ours.Uint32(body[16:])
	switch {
	case body[11] == 0 || body[11] > wire.Version:
		return false, fmt.Errorf("a recording of version %d, expected at most %d", body[11], wire.Version)
	case uint64(size) > uint64(len(body)-customHeader):
		return false, fmt.Errorf("input %d has %d bytes in a block that has room for %d", r.inputs+1, size, len(body)-customHeader)
	case len(r.payload) > 0 && kind != r.payloadKind:
		return false, fmt.Errorf("input %d begins within another", r.inputs+2)
	case len(r.payload)+int(size) > maxPayload:
		return false, fmt.Errorf("input %d has more than %d MiB", r.inputs+1, maxPayload>>20)
	}
	part := body[customHeader:][:size]
	if more != 0 || len(r.payload) > 0 {
		r.payloadKind, r.payload = kind, append(r.payload, part...)
		part = r.payload
	}
	if more != 0 {
		return false, nil
	}
	r.inputs++
	if err := r.readItem(kind, part); err != nil {
		return false, fmt.Errorf("input %d: %w", r.inputs, err)
	}
	r.payload = nil
	return true, nil
}

func (r *Reader) readItem(kind Kind, payload []byte) (err error) {
	if kind == snapshot {
		r.item.Snapshot, err = readSnapshot(payload)
	} else {
		r.item.Input, err = readInput(kind, payload)
	}
	return err
}
