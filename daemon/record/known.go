package record

import (
	"bytes"
	"io"
	"os"
)

// This file finds out whether a file is a recording, without reading more of it than is needed.

// maxLeading bounds the blocks that may stand before the first packet or secret.
const maxLeading = 1 << 14

// findRecording looks at the blocks before the first packet. Secrets of ours, or the custom block
// of a snapshot, make the file a recording.
//
// The file may be a pipe whose writer is slow. So there the search ends at the first block that no
// recording begins with.
func (r *Reader) findRecording() error {
	for range maxLeading {
		head := r.window.peek(4)
		if len(head) < 4 {
			return nil
		}
		switch kind := r.uint32(head); {
		case kind == blockCustom:
			head := r.window.peek(8 + customHeader)
			r.older = r.isOurs(head) && Kind(ours.Uint16(head[20:])) == snapshot
			r.recording = r.older
			return nil
		case kind == blockSecrets:
			r.recording = r.isPart()
			return nil // those of other programs; see searchRecording
		case kind == blockInterface && (r.size >= 0 || len(r.sources) == 0 || r.described):
			head := r.window.peek(8)
			if len(head) < 8 {
				return nil
			}
			length := r.uint32(head[4:])
			if length > windowSize || len(r.window.peek(int(length))) < int(length) {
				return nil // Next says what is wrong
			}
			if _, err := r.readBlock(kind, length); err != nil {
				return err
			}
			if r.size < 0 && !r.described {
				return nil
			}
		default:
			return nil
		}
	}
	return nil
}

// isPart reports whether the next block holds a part of a recording.
func (r *Reader) isPart() bool {
	head := r.window.peek(8 + 8 + len(magic))
	return len(head) == 8+8+len(magic) && r.uint32(head) == blockSecrets && r.uint32(head[8:]) == secretsType &&
		bytes.Equal(head[16:], []byte(magic))
}

// readSecrets takes a part of a recording, or skips the block.
func (r *Reader) readSecrets(length uint32) error {
	if !r.whole || length > windowSize || !r.isPart() {
		return r.skipBlock(length)
	}
	body, err := r.body(length)
	if err != nil {
		return err
	}
	size := r.uint32(body[4:])
	if uint64(size) > uint64(len(body)-8) {
		return io.ErrUnexpectedEOF
	}
	return r.assembly.part(body[8:][:size])
}

// searchRecording looks for secrets of ours in the whole file. mergecap writes them before the
// first packet of the recording, so packets of another capture may come first. Only an interface of
// ours asks for it, in a regular file.
func (r *Reader) searchRecording(file *os.File) error {
	if !r.described || r.recording || r.size < 0 {
		return nil
	}
	again, err := NewReader(io.NewSectionReader(file, 0, r.size), -1, r.name)
	if err != nil {
		return err
	}
	defer again.Close()
	for again.whole = true; err == nil && len(again.assembly.streams) == 0; {
		_, err = again.Next()
	}
	r.recording = len(again.assembly.streams) > 0
	return nil
}
