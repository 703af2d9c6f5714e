package source

import (
	"bytes"
	"crypto/sha256"
	"io"

	"sesame/daemon/openfile"
	"sesame/scripting/zone"
)

// ReadAgain does what [Read] does, and takes referenced files that are as they were loaded from
// there: see [Files.Reuse]. The text of such a file is never in memory twice.
func ReadAgain(name string, loaded *Files, referenced ...string) (*Files, error) {
	f, err := read(name, func(f *Files, path string) {
		was := loaded.referenced[path]
		if was == nil || was.Zone || was.err != nil {
			f.readReferenced(path)
		} else if sum, err := sumRegular(path, LargeFile); err != nil || sum != was.SHA256 {
			f.readReferenced(path)
		} else {
			f.referenced[path] = &ReferencedFile{File: File{Path: path, SHA256: sum, Source: was.Source}}
		}
	}, referenced)
	if err == nil {
		f.Reuse(loaded)
	}
	return f, err
}

// Sum returns the [Files.Sum] of what [Read] would read. No text of a referenced file is in memory
// for it.
func Sum(name string, referenced ...string) ([sha256.Size]byte, error) {
	f, err := read(name, func(f *Files, path string) {
		sum, err := sumRegular(path, LargeFile)
		if _, isZone := zone.Name(path); err != nil || isZone {
			f.readReferenced(path)
			return
		}
		f.referenced[path] = &ReferencedFile{File: File{Path: path, SHA256: sum}}
	}, referenced)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return f.Sum, nil
}

// Forget drops the texts of referenced files of a set that is not used. They can be compared as
// before, and not loaded. One-time sequences are kept: [Files.Compare] looks at their lines.
func (f *Files) Forget() {
	for _, file := range f.referenced {
		if file.parsed = nil; !file.OneTime {
			file.Source = nil
		}
	}
}

// sumRegular returns the hash of what readRegular would return.
func sumRegular(name string, most int64) (sum [sha256.Size]byte, err error) {
	file, _, err := openfile.Regular(name)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(file, most+1)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// readRegular reads a file up to one byte more than it may have, so that the loader can report
// that it is too long.
func readRegular(name string, most int64) ([]byte, error) {
	file, info, err := openfile.Regular(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// A buffer that grows is copied, and a list may be long. ReadFrom wants MinRead bytes of room
	// to see the end.
	text := bytes.NewBuffer(make([]byte, 0, min(info.Size(), most+1)+bytes.MinRead))
	_, err = text.ReadFrom(io.LimitReader(file, most+1))
	return text.Bytes(), err
}
