package record

import (
	"encoding/json"
	"testing"

	"sesame/daemon/wire"
)

// This file writes what recordings of version 2 held before their inputs were in secrets blocks.

// customPart is the most bytes of payload in one custom block.
const customPart = 1 << 19

const magicSesame = magic + string(rune(wire.Version))

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

// ofVersion2 returns a recording of version 2 that ends behind its snapshot.
func ofVersion2(t testing.TB) []byte {
	text, err := json.Marshal(Snapshot{State: anEngine().State()})
	check(t, err)
	return appendInterface(appendCustom(appendSection(nil), snapshot, text), "any")
}
