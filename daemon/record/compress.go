package record

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow is the history that a zstd file may ask us to keep, in bytes.
// The zstd program itself asks for no more, up to level 19, than 8 MiB.
const maxZstdWindow = 32 << 20

// decompress looks at how the file is packed, and returns the name of that
// format, empty for none, and what is inside.
func (r *Reader) decompress(raw *bufio.Reader) (packing string, inside io.Reader, err error) {
	head, err := raw.Peek(4)
	if len(head) == 0 {
		if err != io.EOF {
			return "", nil, err
		}
		return "", nil, &NotCaptureError{Name: r.name, What: "an empty file"}
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		unpack, err := gzip.NewReader(raw)
		if err != nil {
			return "", nil, unexpected(err)
		}
		r.unpack = unpack
		return "gzip", unpack, nil
	case isZstd(head):
		unpack, err := newZstd(raw)
		if err != nil {
			return "", nil, err
		}
		r.unpack = unpack
		return "zstd", unpack, nil
	}
	return "", raw, nil
}

// isZstd knows the two kinds of frame of RFC 8878, section 3.1: with data, and
// to be skipped.
func isZstd(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
}

// newZstd returns a decoder without goroutines. It keeps a window, never the
// whole content, so a file that unpacks to terabytes costs time alone.
func newZstd(raw io.Reader) (zstdReader, error) {
	decoder, err := zstd.NewReader(raw,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxZstdWindow),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	return zstdReader{decoder}, err
}

// zstdReader explains the one error that a person can do something about.
type zstdReader struct{ decoder *zstd.Decoder }

func (z zstdReader) Read(b []byte) (int, error) {
	n, err := z.decoder.Read(b)
	if err == zstd.ErrWindowSizeExceeded || err == zstd.ErrDecoderSizeExceeded {
		err = fmt.Errorf("zstd: compressed with a window of more than %d MiB: decompress the file first", maxZstdWindow>>20)
	}
	return n, err
}

func (z zstdReader) Close() error {
	z.decoder.Close()
	return nil
}

// unexpected turns the end of a file into the end of a file that has more to say.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
