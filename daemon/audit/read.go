package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sesame/daemon/openfile"
)

// maxLine is more than an entry has, in bytes.
const maxLine = 256 << 10

// Latest returns the last n entries of a file, and of the one before it, that are wanted, in their
// order. Damaged is how many lines are no entries.
func Latest(path string, n int, wanted func(*Entry) bool) (last []Entry, damaged int, err error) {
	found := false
	for _, name := range []string{path + Suffix, path} {
		err := read(name, func(line []byte) {
			e, err := Parse(line)
			switch {
			case err != nil:
				damaged++
			case wanted(&e):
				if last = append(last, e); len(last) > n {
					last = last[1:]
				}
			}
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, damaged, fmt.Errorf("reading the audit log: %w", err)
		}
		found = found || err == nil
	}
	if !found {
		return nil, damaged, fmt.Errorf("reading the audit log: %s: %w", path, fs.ErrNotExist)
	}
	return last, damaged, nil
}

// read reads the lines of a file.
func read(name string, line func([]byte)) error {
	file, _, err := openfile.Regular(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewReaderSize(file, maxLine)
	for {
		text, err := lines.ReadSlice('\n')
		if len(text) > 0 {
			line(text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) { // a longer line is several that are damaged
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}
