package record

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sesame/daemon/wire"
)

// This file reads the custom blocks that recordings of older versions hold, in their place among
// the packets. docs/recording.md specifies them.

const (
	blockCustom = 0x00000bad // a custom block that may be copied
	// enterprise is the number that RFC 5612 reserves for documentation: Sesame has no number
	// of its own. The magic after it identifies our blocks.
	enterprise = 32473
	// customHeader is the number of bytes before the payload: the enterprise number, the
	// magic, the kind, whether more follows, and the payload's length.
	customHeader = 4 + 8 + 2 + 2 + 4
)

// magic begins all our blocks, of any form. The version of the JSON in them follows.
const magic = "SESAME\x00"

// ours is the byte order of our own numbers, in sections of either byte order.
var ours = binary.LittleEndian

// isOurs reports whether head begins one of our custom blocks, of any version.
func (r *Reader) isOurs(head []byte) bool {
	return len(head) >= 8+customHeader && r.uint32(head) == blockCustom && r.uint32(head[8:]) == enterprise &&
		bytes.Equal(head[12:19], []byte(magic))
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
	if r.item, err = decodeItem(kind, part); err != nil {
		return false, fmt.Errorf("input %d: %w", r.inputs, err)
	}
	r.payload = nil
	return true, nil
}

// decodeItem decodes an input or a snapshot.
func decodeItem(kind Kind, payload []byte) (item Item, err error) {
	if kind == snapshot {
		item.Snapshot, err = readSnapshot(payload)
	} else {
		item.Input, err = readInput(kind, payload)
	}
	return item, err
}
