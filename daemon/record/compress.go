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

// maxZstdWindow is the largest window that a zstd file may require, in bytes. The zstd program
// itself uses at most 8 MiB up to level 19.
const maxZstdWindow = 32 << 20

// decompress returns the name of the compression, empty for none, and a reader of the content.
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

// isZstd reports whether head begins a zstd frame or a skippable frame (RFC 8878, section 3.1).
func isZstd(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
}

// newZstd returns a decoder without goroutines. Its memory is bounded by the window, so a file
// that unpacks to terabytes costs only time.
func newZstd(raw io.Reader) (zstdReader, error) {
	decoder, err := zstd.NewReader(raw,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxZstdWindow),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	return zstdReader{decoder}, err
}

// zstdReader explains the one error that a user can do something about.
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

// unexpected turns io.EOF into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
