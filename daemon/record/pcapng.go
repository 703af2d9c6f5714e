package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"sesame/daemon/packet"
)

// The types of pcapng blocks that are read, beside our custom blocks. All others are skipped.
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete, in some old files
	blockSimple    = 3
	blockEnhanced  = 6
)

const byteOrderMagic uint32 = 0x1a2b3c4d

const (
	blockFrame   = 12 // bytes around the body of a block: type, length, and the length again
	packetHeader = 20 // bytes before the data of a packet
	maxSources   = 1 << 14
)

const (
	optionEnd        = 0
	optionResolution = 9  // if_tsresol
	optionOffset     = 14 // if_tsoffset
)

// A source is an interface that frames were captured on.
type source struct {
	link  packet.LinkType
	snap  uint32 // at most so many bytes of a frame were captured; 0: no limit
	clock clock
}

// nextBlock reads blocks up to the next frame of a pcapng file.
func (r *Reader) nextBlock() error {
	for {
		head := r.window.peek(8)
		if len(head) < 8 {
			return r.endOfFile()
		}
		var found bool
		var err error
		switch kind, length := r.uint32(head), r.uint32(head[4:]); kind {
		case magicPcapng:
			err = r.readSection()
		case blockInterface, blockPacket, blockSimple, blockEnhanced:
			found, err = r.readBlock(kind, length)
		case blockCustom:
			found, err = r.readCustom(length)
		case blockSecrets:
			err = r.readSecrets(length)
		default:
			err = r.skipBlock(length)
		}
		if found || err != nil {
			return err
		}
	}
}

// readBlock reads an interface or a packet. Found means that it is a packet.
func (r *Reader) readBlock(kind, length uint32) (found bool, err error) {
	body, err := r.body(length)
	if err != nil {
		return false, err
	}
	switch kind {
	case blockInterface:
		return false, r.readInterface(body)
	case blockSimple:
		return true, r.readSimple(body)
	}
	return true, r.readPacket(kind, body)
}

// body returns the body of the next block, and skips the block. The body is valid until the next
// peek.
func (r *Reader) body(length uint32) ([]byte, error) {
	if err := checkLength(length); err != nil {
		return nil, err
	}
	if length > windowSize {
		return nil, fmt.Errorf("a block of %d bytes, expected at most %d", length, windowSize)
	}
	block := r.window.peek(int(length))
	if len(block) < int(length) {
		return nil, r.window.missing()
	}
	if err := r.checkEnd(length, block[length-4:]); err != nil {
		return nil, err
	}
	r.window.skip(int(length))
	return block[8 : length-4], nil
}

// skipBlock skips the next block, of any length.
func (r *Reader) skipBlock(length uint32) error {
	if err := checkLength(length); err != nil {
		return err
	}
	if err := r.window.discard(int64(length) - 4); err != nil {
		return err
	}
	end := r.window.peek(4)
	if len(end) < 4 {
		return r.window.missing()
	}
	r.window.skip(4)
	return r.checkEnd(length, end)
}

func checkLength(length uint32) error {
	if length < blockFrame || length%4 != 0 {
		return fmt.Errorf("a block of %d bytes, expected a multiple of 4 from %d on", length, blockFrame)
	}
	return nil
}

func (r *Reader) checkEnd(length uint32, end []byte) error {
	if again := r.uint32(end); again != length {
		return fmt.Errorf("a block of %d bytes that ends as one of %d", length, again)
	}
	return nil
}

// readSection reads a section header. It sets the byte order for the section, and drops the
// interfaces of the former section.
func (r *Reader) readSection() error {
	head := r.window.peek(12)
	if len(head) < 12 {
		return r.window.missing()
	}
	switch byteOrderMagic {
	case binary.LittleEndian.Uint32(head[8:]):
		r.big = false
	case binary.BigEndian.Uint32(head[8:]):
		r.big = true
	default:
		return errors.New("a pcapng section without a byte order")
	}
	body, err := r.body(r.uint32(head[4:]))
	if err != nil {
		return err
	}
	if len(body) < 16 {
		return fmt.Errorf("a pcapng section header of %d bytes, expected at least 16", len(body))
	}
	if major := r.uint16(body[4:]); major != 1 {
		return fmt.Errorf("pcapng version %d, expected 1", major)
	}
	r.sources = r.sources[:0]
	return nil
}

func (r *Reader) readInterface(body []byte) error {
	if len(body) < 8 {
		return fmt.Errorf("an interface block of %d bytes, expected at least 8", len(body))
	}
	if len(r.sources) == maxSources {
		return fmt.Errorf("more than %d interfaces", maxSources)
	}
	s := source{
		link:  packet.LinkType(r.uint16(body)),
		snap:  r.uint32(body[4:]),
		clock: clock{rate: 1e6},
	}
	if err := r.readOptions(body[8:], &s.clock); err != nil {
		return err
	}
	r.sources = append(r.sources, s)
	return nil
}

// readOptions reads the options of an interface that define its time stamps, and the one that says
// that Sesame recorded.
func (r *Reader) readOptions(options []byte, c *clock) error {
	for len(options) >= 4 {
		code, length := r.uint16(options), int(r.uint16(options[2:]))
		padded := (length + 3) &^ 3
		options = options[4:]
		if padded > len(options) {
			return fmt.Errorf("an option of %d bytes in a block that has %d left", length, len(options))
		}
		value := options[:length]
		options = options[padded:]
		switch {
		case code == optionEnd:
			return nil
		case code == optionResolution && length == 1:
			rate, err := tickRate(value[0])
			if err != nil {
				return err
			}
			c.rate = rate
		case code == optionNote && string(value) == described:
			r.described = true
		case code == optionOffset && length == 8:
			c.offset = int64(r.uint64(value))
		case code == optionResolution, code == optionOffset:
			return fmt.Errorf("option %d of %d bytes", code, length)
		}
	}
	return nil
}

// tickRate reads if_tsresol (draft-ietf-opsawg-pcapng, section 4.2) and returns ticks per
// second. The high bit selects a power of 2, else it is a power of 10.
func tickRate(resolution byte) (uint64, error) {
	power := resolution & 0x7f
	if resolution&0x80 != 0 && power <= 63 {
		return 1 << power, nil
	}
	if resolution&0x80 != 0 || power > 19 {
		return 0, fmt.Errorf("a resolution of stamps of %#02x, finer than any clock", resolution)
	}
	return uint64(math.Pow10(int(power))), nil
}

// readPacket reads an enhanced packet block, or an obsolete packet block.
func (r *Reader) readPacket(kind uint32, body []byte) error {
	if len(body) < packetHeader {
		return fmt.Errorf("a packet block of %d bytes, expected at least %d", len(body), packetHeader)
	}
	id := r.uint32(body)
	if kind == blockPacket {
		id = uint32(r.uint16(body))
	}
	s, err := r.source(id)
	if err != nil {
		return err
	}
	captured, data := r.uint32(body[12:]), body[packetHeader:]
	if captured > MaxFrame || int(captured) > len(data) {
		return fmt.Errorf("a packet of %d bytes in a block that has room for %d, and at most %d are expected",
			captured, len(data), MaxFrame)
	}
	f := &r.frame
	f.Data, f.Wire, f.Link = data[:captured], int(max(r.uint32(body[16:]), captured)), s.link
	f.ID, f.Reception, f.Interface, f.LinkDigest, r.place = 0, 0, id, 0, framePlace{}
	f.ticks, f.clock = uint64(r.uint32(body[4:]))<<32|uint64(r.uint32(body[8:])), s.clock
	if options := (int(captured) + 3) &^ 3; kind == blockEnhanced && options < len(data) {
		r.readPacketOptions(data[options:])
	}
	return nil
}

// readSimple reads a simple packet block. It has no time stamp, so the frame gets that of the
// previous frame.
func (r *Reader) readSimple(body []byte) error {
	if len(body) < 4 {
		return fmt.Errorf("a simple packet block of %d bytes, expected at least 4", len(body))
	}
	s, err := r.source(0)
	if err != nil {
		return err
	}
	wire, data := r.uint32(body), body[4:]
	captured := min(wire, uint32(len(data)))
	if s.snap != 0 {
		captured = min(captured, s.snap)
	}
	if captured > MaxFrame {
		return fmt.Errorf("a packet of %d bytes, expected at most %d", captured, MaxFrame)
	}
	f := &r.frame
	f.Data, f.Wire, f.Link = data[:captured], int(wire), s.link
	f.ID, f.Reception, f.Interface, f.LinkDigest, r.place = 0, 0, 0, 0, framePlace{}
	r.unstamped++
	return nil
}

func (r *Reader) source(id uint32) (*source, error) {
	if uint64(id) >= uint64(len(r.sources)) {
		return nil, fmt.Errorf("a packet of interface %d, of which the file has %d so far", id, len(r.sources))
	}
	return &r.sources[id], nil
}

func (r *Reader) uint64(b []byte) uint64 {
	if r.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}
