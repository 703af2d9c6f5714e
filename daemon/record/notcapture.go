package record

import (
	"bytes"
	"io"
	"path/filepath"
	"unicode"
	"unicode/utf8"
)

// kinds are other files that people may pass by mistake, by their first bytes.
var kinds = []struct{ magic, what, hint string }{
	{"\x34\xcd\xb2\xa1", "a pcap file of the modified kind (magic a1b2cd34)", toPcap},
	{"\xa1\xb2\xcd\x34", "a pcap file of the modified kind (magic a1b2cd34)", toPcap},
	{"snoop\x00", "a snoop capture", toPcap},
	{"GMBU", "a capture of Network Monitor", toPcap},
	{"RTSS", "a capture of Network Monitor", toPcap},
	{"BZh", "a bzip2 file", decompressFirst},
	{"\xfd7zXZ\x00", "an xz file", decompressFirst},
	{"\x04\x22\x4d\x18", "an lz4 file", decompressFirst},
	{"\x1f\x8b", "a gzip file", decompressFirst},
	{"\x28\xb5\x2f\xfd", "a zstd file", decompressFirst},
	{"PK\x03\x04", "a zip file", decompressFirst},
	{"\x7fELF", "an ELF program", ""},
	{"\x1bLua", "a compiled Lua script", ""},
	{"%PDF", "a PDF document", ""},
	{"\x89PNG", "a PNG image", ""},
	{"SQLite format 3", "an SQLite database", ""},
}

const (
	toPcap          = "convert it with editcap -F pcap"
	decompressFirst = "decompress it first"
)

// notCapture returns the error for a file that is not a capture. It names what the file seems to
// be. Packing is its compression, empty for none. A file that cannot be read has an error of its
// own.
func (r *Reader) notCapture(packing string) error {
	head := r.window.peek(1024)
	if err := r.window.err; err != nil && err != io.EOF {
		return unexpected(err)
	}
	e := &NotCaptureError{Name: r.name}
	e.What, e.Hint = r.kind(head)
	if packing != "" {
		e.What = "a " + packing + " file that holds " + e.What
	}
	return e
}

func (r *Reader) kind(head []byte) (what, hint string) {
	for _, kind := range kinds {
		if bytes.HasPrefix(head, []byte(kind.magic)) {
			return kind.what, kind.hint
		}
	}
	switch {
	case len(head) == 0:
		return "nothing", ""
	case !text(head):
		return "data of an unknown kind", ""
	case filepath.Ext(r.name) == ".lua" || bytes.Contains(head, []byte("sesame.")):
		return "a Lua script", ""
	}
	return "a text file", ""
}

// text reports whether head may be the beginning of a text: valid UTF-8 without control
// characters. The last character may be cut off.
func text(head []byte) bool {
	for len(head) > 0 {
		c, n := utf8.DecodeRune(head)
		if c == utf8.RuneError && n == 1 && utf8.FullRune(head) {
			return false
		}
		if unicode.IsControl(c) && !unicode.IsSpace(c) {
			return false
		}
		head = head[n:]
	}
	return true
}
