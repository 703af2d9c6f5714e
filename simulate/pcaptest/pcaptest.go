// Package pcaptest turns lines of text into captures, for tests.
//
// A line is one packet:
//
//	0s 203.0.113.9 tcp/7000
//	1.5s 203.0.113.9 tcp/8000 syn,ack sport=5555 seq=7 to=198.51.100.1
//	2s 2001:db8::9 udp/53 data=hello
//	3s 203.0.113.9 tcp/9000 snap=48
//	4s 203.0.113.9 udp/53 fragment=first
//
// It holds the time since [Start], the source and the port. TCP packets have the flag SYN unless
// the line names other flags. Snap is how many bytes of the frame the capture holds. Empty lines
// and comments after # are skipped.
package pcaptest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// Start is a Monday at noon.
var Start = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// Here4 and Here6 are the destinations of packets whose line has no "to".
var (
	Here4 = netip.MustParseAddr("192.0.2.1")
	Here6 = netip.MustParseAddr("2001:db8::1")
)

// Capture returns a pcap file with time stamps in microseconds and Ethernet frames.
func Capture(lines string) ([]byte, error) {
	var file bytes.Buffer
	file.Write(binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4))
	file.Write([]byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	file.Write(binary.LittleEndian.AppendUint32(nil, 262144))
	file.Write(binary.LittleEndian.AppendUint32(nil, 1)) // LINKTYPE_ETHERNET
	number := 0
	for line := range strings.Lines(lines) {
		text, _, _ := strings.Cut(line, "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		number++
		l, err := parse(strings.Fields(text), uint32(number))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
		l.record(&file)
	}
	return file.Bytes(), nil
}

// A line is one packet.
type line struct {
	at           time.Duration
	source, dest netip.Addr
	sourcePort   uint16
	port         packet.Port
	flags        packet.Flags
	sequence     uint32
	data         string
	captured     int  // bytes of the frame; 0: all
	fragment     bool // the first of several, of IPv4
}

var flagNames = map[string]packet.Flags{
	"fin": packet.FIN, "syn": packet.SYN, "rst": packet.RST, "psh": packet.PSH, "ack": packet.ACK, "urg": packet.URG,
}

func parse(fields []string, number uint32) (l line, err error) {
	if len(fields) < 3 {
		return l, fmt.Errorf("expected TIME SOURCE PORT")
	}
	l = line{flags: packet.SYN, sourcePort: 40000, sequence: number * 1000}
	if l.at, err = time.ParseDuration(fields[0]); err != nil {
		return l, err
	}
	if l.source, err = netip.ParseAddr(fields[1]); err != nil {
		return l, err
	}
	if l.port, err = packet.ParsePort(fields[2]); err != nil {
		return l, err
	}
	if l.dest = Here4; l.source.Is6() {
		l.dest = Here6
	}
	for _, field := range fields[3:] {
		if err := l.set(field); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l *line) set(field string) (err error) {
	key, value, found := strings.Cut(field, "=")
	if !found {
		l.flags = 0
		for name := range strings.SplitSeq(field, ",") {
			flag, known := flagNames[name]
			if !known {
				return fmt.Errorf("unknown flag %q", name)
			}
			l.flags |= flag
		}
		return nil
	}
	n := uint64(0)
	switch key {
	case "to":
		l.dest, err = netip.ParseAddr(value)
	case "sport":
		n, err = strconv.ParseUint(value, 10, 16)
		l.sourcePort = uint16(n)
	case "seq":
		n, err = strconv.ParseUint(value, 10, 32)
		l.sequence = uint32(n)
	case "snap":
		l.captured, err = strconv.Atoi(value)
	case "fragment":
		l.fragment = value == "first"
	case "data":
		l.data = value
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

// record appends the packet with its header in the file.
func (l *line) record(file *bytes.Buffer) {
	frame := l.frame()
	at := Start.Add(l.at)
	header := binary.LittleEndian.AppendUint32(nil, uint32(at.Unix()))
	header = binary.LittleEndian.AppendUint32(header, uint32(at.Nanosecond()/1000))
	captured := len(frame)
	if l.captured > 0 {
		captured = min(captured, l.captured)
	}
	header = binary.LittleEndian.AppendUint32(header, uint32(captured))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(frame)))
	file.Write(header)
	file.Write(frame[:captured])
}

// frame returns an Ethernet frame with IP and TCP or UDP.
func (l *line) frame() []byte {
	segment := l.segment()
	protocol := byte(6)
	if l.port.Proto == packet.UDP {
		protocol = 17
	}
	frame := append(make([]byte, 0, 128), 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9)
	if l.source.Is6() {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(segment)))
		frame = append(frame, protocol, 64)
	} else {
		frame = append(frame, 8, 0, 0x45, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(20+len(segment)))
		flags := byte(0x40) // "don't fragment", RFC 791, section 3.1, as Linux sends
		if l.fragment {
			flags = 0x20 // "more fragments"
		}
		frame = append(frame, 0, 0, flags, 0, 64, protocol, 0, 0)
	}
	frame = append(frame, l.source.AsSlice()...)
	frame = append(frame, l.dest.AsSlice()...)
	frame = append(frame, segment...)
	packet.FillChecksums(frame[14:])
	return frame
}

func (l *line) segment() []byte {
	b := binary.BigEndian.AppendUint16(nil, l.sourcePort)
	b = binary.BigEndian.AppendUint16(b, l.port.Number)
	if l.port.Proto == packet.UDP {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(l.data)))
		return append(append(b, 0, 0), l.data...)
	}
	b = binary.BigEndian.AppendUint32(b, l.sequence)
	b = append(b, 0, 0, 0, 0, 0x50, byte(l.flags), 0xff, 0xff, 0, 0, 0, 0)
	return append(b, l.data...)
}
