package geo

import (
	"encoding/binary"
	"errors"
)

// records are the data section of a file in MaxMind's format: fields, one behind the other. A map
// or an array is a field that says how many fields follow. A pointer is a field that stands for
// another one, by its offset.
type records []byte

// A kind is the type of a field, by its number in the format.
type kind byte

const (
	kindPointer kind = 1
	kindString  kind = 2
	kindUint16  kind = 5
	kindUint32  kind = 6
	kindMap     kind = 7
	kindUint64  kind = 9
	kindArray   kind = 11
	kindBool    kind = 14
	kindFloat   kind = 15 // the last
)

// A field is what stands at an offset.
type field struct {
	kind kind
	// size is the length of a value in bytes, the number of entries of a map or an array, the
	// target of a pointer, or the value of a boolean.
	size int
	body int // the offset of the value, or of the first field in a map or an array
}

var (
	errEnd     = errors.New("a record goes on behind the end of the records")
	errKind    = errors.New("a record has a field of an unknown type")
	errPointer = errors.New("a record has a pointer to a pointer")
	errKey     = errors.New("a record has a key that is no text")
	errSteps   = errors.New("a record has too many fields")
)

// field reads the control bytes of the field at an offset.
func (s records) field(at int) (field, error) {
	if uint(at) >= uint(len(s)) {
		return field{}, errEnd
	}
	f := field{kind: kind(s[at] >> 5), size: int(s[at] & 31), body: at + 1}
	switch {
	case f.kind == kindPointer:
		return s.pointer(f)
	case f.kind == 0: // an extended type: its number less 7 is in the next byte
		if f.body >= len(s) || s[f.body] > byte(kindFloat-kindMap) {
			return field{}, errKind
		}
		f.kind, f.body = kindMap+kind(s[f.body]), f.body+1
	}
	if f.size > 28 { // the size is in the next one to three bytes
		base, more := [3]int{29, 285, 65821}[f.size-29], f.size-28
		n, err := s.uint(f.body, more)
		if err != nil {
			return field{}, err
		}
		f.size, f.body = base+int(n), f.body+more
	}
	if f.sized() && f.size > len(s)-f.body {
		return field{}, errEnd
	}
	return f, nil
}

// sized reports whether size bytes belong to the field.
func (f field) sized() bool {
	return f.kind != kindMap && f.kind != kindArray && f.kind != kindPointer && f.kind != kindBool
}

// end is the offset behind the field. For a map or an array it is that of the first field in it.
func (f field) end() int {
	if f.sized() {
		return f.body + f.size
	}
	return f.body
}

// pointer reads the rest of a pointer: one to four bytes, above three bits of the first byte, and
// above the values that shorter pointers have.
func (s records) pointer(f field) (field, error) {
	more, high := f.size>>3+1, uint64(f.size&7)
	n, err := s.uint(f.body, more)
	if err != nil {
		return field{}, err
	}
	switch more {
	case 1:
		n += high << 8
	case 2:
		n += high<<16 + 2048
	case 3:
		n += high<<24 + 526336
	}
	return field{kindPointer, int(n), f.body + more}, nil
}

// uint reads a number. Its size is at most 8 bytes, and the offset is not beyond the end.
func (s records) uint(at, size int) (uint64, error) {
	if size > len(s)-at {
		return 0, errEnd
	}
	var full [8]byte
	copy(full[8-size:], s[at:at+size])
	return binary.BigEndian.Uint64(full[:]), nil
}

// value reads a field, or the one that it points to.
func (s records) value(at int) (field, error) {
	f, err := s.field(at)
	if err != nil || f.kind != kindPointer {
		return f, err
	}
	if f, err = s.field(f.size); err == nil && f.kind == kindPointer {
		return field{}, errPointer
	}
	return f, err
}

// text returns a text; nil when the field is none.
func (s records) text(at int) ([]byte, error) {
	f, err := s.value(at)
	if err != nil || f.kind != kindString {
		return nil, err
	}
	return s[f.body:f.end()], nil
}

// number returns a number of up to 32 bits; 0 when the field is none.
func (s records) number(at int) (uint32, error) {
	f, err := s.value(at)
	if err != nil || f.size > 8 || f.kind != kindUint16 && f.kind != kindUint32 && f.kind != kindUint64 {
		return 0, err
	}
	n, err := s.uint(f.body, f.size)
	if n > 1<<32-1 {
		return 0, err
	}
	return uint32(n), err
}

// skip returns the offset behind the field, with all that is in it. It does not follow pointers. It
// counts the fields from steps on, and fails when there are more than limit.
func (s records) skip(at, steps, limit int) (end, counted int, err error) {
	for pending := 1; pending > 0; pending-- {
		if steps++; steps > limit {
			return 0, steps, errSteps
		}
		f, err := s.field(at)
		if err != nil {
			return 0, steps, err
		}
		// A count that is not true is found at the end of the section.
		if f.kind == kindMap {
			pending += 2 * f.size
		} else if f.kind == kindArray {
			pending += f.size
		}
		at = f.end()
	}
	return at, steps, nil
}

// entries iterates over a map.
type entries struct {
	records
	left  int    // entries that were not read
	at    int    // where the next one begins
	key   []byte // of the current entry
	value int    // offset of its value
	steps int    // fields looked at so far
	err   error
}

// entries begins at a field. One that is no map has none. steps is how many fields of the record
// were looked at before.
func (s records) entries(at, steps int) entries {
	f, err := s.value(at)
	e := entries{records: s, steps: steps, err: err}
	if f.kind == kindMap {
		e.left, e.at = f.size, f.body
	}
	return e
}

// next goes to the next entry. After the last one err says whether all could be read.
func (e *entries) next() bool {
	if e.err != nil || e.left == 0 {
		return false
	}
	e.left--
	var f field
	if f, e.err = e.field(e.at); e.err != nil {
		return false
	}
	if e.key, e.err = e.text(e.at); e.err == nil && e.key == nil {
		e.err = errKey
	}
	if e.err == nil {
		e.value = f.end()
		e.at, e.steps, e.err = e.skip(e.value, e.steps+1, maxSteps)
	}
	return e.err == nil
}
