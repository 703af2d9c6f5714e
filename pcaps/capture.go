package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"sesame/daemon/packet"
	"sesame/simulate/craft"
)

const (
	microMagic = 0xa1b2c3d4
	nanoMagic  = 0xa1b23c4d
)

// parseCapture reads what tcpdump recorded: a classic pcap in this machine's byte order
// (draft-ietf-opsawg-pcap).
func parseCapture(b []byte) (*craft.File, error) {
	order := binary.NativeEndian
	if len(b) < 24 {
		return nil, errors.New("no file header: tcpdump wrote nothing")
	}
	magic := order.Uint32(b)
	if magic != microMagic && magic != nanoMagic {
		return nil, fmt.Errorf("magic number %#x: expected a pcap", magic)
	}
	c := &craft.File{Nano: magic == nanoMagic, SnapLen: order.Uint32(b[16:]), Link: packet.LinkType(order.Uint32(b[20:]))}
	unit := time.Microsecond
	if c.Nano {
		unit = time.Nanosecond
	}
	for b = b[24:]; len(b) > 0; {
		if len(b) < 16 || len(b)-16 < int(order.Uint32(b[8:])) {
			return nil, io.ErrUnexpectedEOF
		}
		end := 16 + order.Uint32(b[8:])
		fraction := time.Duration(order.Uint32(b[4:])) * unit
		c.Frames = append(c.Frames, craft.Frame{
			Time:   time.Unix(int64(order.Uint32(b)), 0).Add(fraction),
			Data:   b[16:end],
			Length: order.Uint32(b[12:]),
		})
		b = b[end:]
	}
	if len(c.Frames) == 0 {
		return nil, errors.New("not one packet was recorded")
	}
	return c, nil
}
