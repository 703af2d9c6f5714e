package record

import (
	"fmt"
	"io"
)

// maxComment bounds a comment, in bytes. The length of an option has 16 bits.
const maxComment = 1 << 12

// Annotate copies a recording and adds a comment to each packet for which comments has one, by its
// number in the daemon's transcript. All else is copied as it is. The recording is as a [Recording]
// writes it: of one section, little-endian.
func Annotate(w io.Writer, recording io.Reader, comments map[int]string) error {
	a := annotation{window: newWindow(recording), out: &counting{w: w}, comments: comments}
	for {
		head := a.window.peek(8)
		if len(head) == 0 && a.window.err == io.EOF {
			return a.out.err
		}
		if len(head) < 8 {
			return a.window.missing()
		}
		kind, length := ours.Uint32(head), ours.Uint32(head[4:])
		if err := checkLength(length); err != nil {
			return err
		}
		if err := a.copy(kind, length); err != nil {
			return err
		}
		if a.out.err != nil {
			return a.out.err
		}
	}
}

type annotation struct {
	window   window
	out      *counting
	comments map[int]string
	buffer   []byte
}

// copy copies a block.
func (a *annotation) copy(kind, length uint32) error {
	if length > windowSize {
		return fmt.Errorf("a block of %d bytes, expected at most %d", length, windowSize)
	}
	block := a.window.peek(int(length))
	if len(block) < int(length) {
		return a.window.missing()
	}
	a.window.skip(int(length))
	if kind == blockEnhanced {
		block = a.annotated(block)
	}
	a.out.write(block)
	return nil
}

// annotated returns a packet block with its comment, before its other options. A block without
// options that can be read stays as it is.
func (a *annotation) annotated(block []byte) []byte {
	if len(block) < blockFrame+packetHeader {
		return block
	}
	options := int64(8+packetHeader) + (int64(ours.Uint32(block[20:]))+3)&^3
	end := int64(len(block) - 4)
	if options >= end {
		return block
	}
	comment := a.comments[numberIn(block[options:end])]
	if comment == "" {
		return block
	}
	b := append(a.buffer[:0], block[:options]...)
	b = appendOption(b, optionComment, clipped(comment))
	b = append(b, block[options:end]...)
	length := uint32(len(b) + 4)
	ours.PutUint32(b[4:], length)
	a.buffer = appendWords(b, length)
	return a.buffer
}

// numberIn returns the number of the packet among its options, 0 if there is none.
func numberIn(options []byte) int {
	for len(options) >= 4 {
		code, length := ours.Uint16(options), int(ours.Uint16(options[2:]))
		padded := (length + 3) &^ 3
		options = options[4:]
		switch {
		case code == optionEnd || padded > len(options):
			return 0
		case code == optionPacketID && length == 8:
			return int(ours.Uint64(options))
		}
		options = options[padded:]
	}
	return 0
}

// clipped shortens a comment between two characters.
func clipped(comment string) string {
	if len(comment) <= maxComment {
		return comment
	}
	end := maxComment
	for end > 0 && comment[end]&0xc0 == 0x80 { // within a character of UTF-8
		end--
	}
	return comment[:end]
}
