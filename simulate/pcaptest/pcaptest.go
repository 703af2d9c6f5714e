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
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/packet"
	"sesame/simulate/craft"
)

// Start is a Monday at noon.
var Start = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// Here4 and Here6 are the destinations of packets whose line has no "to".
var (
	Here4 = craft.Host4
	Here6 = craft.Host6
)

// Capture returns a pcap file with time stamps in microseconds and Ethernet frames.
func Capture(lines string) ([]byte, error) {
	file := craft.File{SnapLen: craft.SnapLen, Link: packet.Ethernet}
	number := 0
	for line := range strings.Lines(lines) {
		text, _, _ := strings.Cut(line, "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		number++
		l, err := parse(strings.Fields(text), uint32(number))
		if err == nil {
			err = l.record(&file)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
	}
	return file.PCAP(), nil
}

// A line is one packet.
type line struct {
	craft.Packet
	at       time.Duration
	captured int  // bytes of the frame; 0: all
	fragment bool // the first of several, of IPv4
}

func parse(fields []string, number uint32) (l line, err error) {
	if len(fields) < 3 {
		return l, fmt.Errorf("expected TIME SOURCE PORT")
	}
	l = line{Packet: craft.Packet{Flags: packet.SYN, SourcePort: 40000, Sequence: number * 1000}}
	if l.at, err = time.ParseDuration(fields[0]); err != nil {
		return l, err
	}
	if l.Source, err = netip.ParseAddr(fields[1]); err != nil {
		return l, err
	}
	if l.Port, err = packet.ParsePort(fields[2]); err != nil {
		return l, err
	}
	if l.Dest = Here4; l.Source.Is6() {
		l.Dest = Here6
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
		l.Flags, err = packet.ParseFlags(field)
		return err
	}
	n := uint64(0)
	switch key {
	case "to":
		l.Dest, err = netip.ParseAddr(value)
	case "sport":
		n, err = strconv.ParseUint(value, 10, 16)
		l.SourcePort = uint16(n)
	case "seq":
		n, err = strconv.ParseUint(value, 10, 32)
		l.Sequence = uint32(n)
	case "snap":
		l.captured, err = strconv.Atoi(value)
	case "fragment":
		l.fragment = value == "first"
	case "data":
		l.Payload = []byte(value)
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

// record appends the packet to the file.
func (l *line) record(file *craft.File) error {
	frame, err := l.Frame(packet.Ethernet)
	if err != nil {
		return err
	}
	if l.fragment {
		const header, field, more = 14, 6, 0x20 // of IPv4, "more fragments": RFC 791, section 3.1
		frame[header+field] = more
		packet.FillChecksums(frame[header:])
	}
	captured := len(frame)
	if l.captured > 0 {
		captured = min(captured, l.captured)
	}
	file.Frames = append(file.Frames, craft.Frame{Time: Start.Add(l.at), Data: frame[:captured], Length: uint32(len(frame))})
	return nil
}
