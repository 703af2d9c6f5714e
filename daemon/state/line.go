package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// maxLine is the longest line of a journal, in bytes. The longest line that a script can cause
// is a command of nearly the whole script, with each byte escaped.
const maxLine = 4 << 20

const sumDigits = 8 // of the checksum

// keptRoom is what an entry of maxLine bytes takes more when an older version keeps it.
const keptRoom = 256

// appendLine appends v as a line: the CRC-32C of its JSON in hexadecimal, a space, the JSON,
// a newline.
func appendLine(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(b, "%0*x %s\n", sumDigits, checksum(text), text), nil
}

// parseLine reads a line, without its newline, into v. It returns false when the checksum or
// the JSON is wrong.
func parseLine(line []byte, v any) bool {
	text, right := checked(line)
	return right && json.Unmarshal(text, v) == nil
}

// checked returns the JSON of a line, and whether its checksum is right.
func checked(line []byte) (text []byte, right bool) {
	if len(line) <= sumDigits || line[sumDigits] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	text = line[sumDigits+1:]
	return text, err == nil && uint32(sum) == checksum(text)
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// readLines calls each for every line of a file of this size. Ended reports whether a newline ends
// the line. A line longer than maxLine is passed as nil. Zeros after the last line are space
// that was allocated ahead, and are skipped.
func readLines(r io.Reader, size int64, each func(line []byte, ended bool)) error {
	lines := bufio.NewReaderSize(r, int(min(maxLine+keptRoom, size+1)))
	for {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		switch {
		case err == nil:
			each(bytes.TrimSuffix(line, []byte("\n")), true)
		case !errors.Is(err, io.EOF):
			return err
		default:
			if rest := bytes.TrimRight(line, "\x00"); len(rest) > 0 || line == nil {
				each(rest, false)
			}
			return nil
		}
	}
}
