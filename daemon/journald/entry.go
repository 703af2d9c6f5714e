package journald

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Bounds of an entry. Linux takes a datagram of some 200 KiB by default (net.core.wmem_default).
// Larger entries would need a memfd, which a confined process cannot make.
const (
	maxValue = 32 << 10  // bytes; the rest of a value is left out
	maxEntry = 128 << 10 // bytes; further fields are left out
	maxName  = 64        // bytes, as journald has it
)

// A Field is one field of an entry.
type Field struct{ Name, Value string }

// appendField appends a field in the journal's native protocol. A value with a line break, or any
// other byte, has its length in front: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
func appendField(entry []byte, f Field) []byte {
	value := strings.ToValidUTF8(clipped(f.Value), "\uFFFD")
	if len(entry)+len(f.Name)+len(value)+10 > maxEntry {
		return entry
	}
	entry = append(entry, f.Name...)
	if !strings.Contains(value, "\n") {
		entry = append(entry, '=')
		return append(append(entry, value...), '\n')
	}
	entry = append(entry, '\n')
	entry = binary.LittleEndian.AppendUint64(entry, uint64(len(value)))
	return append(append(entry, value...), '\n')
}

// cut ends a value that is not whole.
const cut = " ..."

func clipped(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return strings.ToValidUTF8(value[:maxValue-len(cut)], "") + cut
}

// fieldName returns the name of the field for a key of the log. The keys that people look for have
// short names. All others begin with SESAME_, so that none is taken for one of another program.
func fieldName(key string) string {
	switch key {
	case "door", "source", "port", "grant", "reason":
		return strings.ToUpper(key)
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	name = "SESAME_" + name
	return name[:min(len(name), maxName)]
}

var errEntry = errors.New("this is no entry of the journal's native protocol")

// Parse reads the fields of an entry.
func Parse(entry []byte) (fields []Field, err error) {
	for len(entry) > 0 {
		var f Field
		if f, entry, err = parseField(entry); err != nil {
			return fields, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(entry []byte) (f Field, rest []byte, err error) {
	line, rest, ended := bytes.Cut(entry, []byte("\n"))
	if !ended {
		return f, nil, fmt.Errorf("%w: a field does not end", errEntry)
	}
	if name, value, short := bytes.Cut(line, []byte("=")); short {
		return Field{string(name), string(value)}, rest, nil
	}
	if len(rest) < 8 {
		return f, nil, fmt.Errorf("%w: a field without its length", errEntry)
	}
	size := binary.LittleEndian.Uint64(rest)
	rest = rest[8:]
	if size >= uint64(len(rest)) || rest[size] != '\n' {
		return f, nil, fmt.Errorf("%w: a field with another length", errEntry)
	}
	return Field{string(line), string(rest[:size])}, rest[size+1:], nil
}
