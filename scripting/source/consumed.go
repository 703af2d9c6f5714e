package source

import (
	"bytes"
	"crypto/sha256"
)

// WithoutLine returns files in which the first such line of a referenced file is commented out, as
// its file on the disk is once a one-time sequence was used. So a set that was loaded before that
// can be loaded again without the disk. Files without the line are returned as they are.
func (f *Files) WithoutLine(path, line string) *Files {
	file := f.referenced[path]
	if file == nil {
		return f
	}
	at := lineOffset(file.Source, line)
	if at < 0 {
		return f
	}
	text := bytes.Clone(file.Source)
	text[at] = '#'
	next := f.Clone()
	next.referenced[path] = &ReferencedFile{File: File{Path: path, SHA256: sha256.Sum256(text), Source: text, OneTime: file.OneTime}}
	next.hash()
	return next
}

// lineOffset returns the offset of the first line that is this one, but for the blanks around it;
// -1: there is none.
func lineOffset(text []byte, line string) int {
	at := 0
	for part := range bytes.Lines(text) {
		if string(bytes.Trim(part, " \t\n\v\f\r")) == line && line != "" {
			return at
		}
		at += len(part)
	}
	return -1
}
