package simulate

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/packet"
	"sesame/simulate/pcaptest"
)

// wrapped returns a capture in which each frame stands behind a header.
func wrapped(t *testing.T, lines string, header func(frame []byte) []byte) []byte {
	t.Helper()
	data, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	out, data := slices.Clone(data[:24]), data[24:]
	for len(data) > 0 {
		n := 16 + binary.LittleEndian.Uint32(data[8:])
		frame := data[16:n]
		whole := append(header(frame), frame...)
		out = append(out, data[:8]...)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(whole)))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(whole)))
		out, data = append(out, whole...), data[n:]
	}
	return out
}

// mirrored is the header of a mirror port: ERSPAN of type I.
func mirrored(frame []byte) []byte {
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 47, 0, 0, 198, 51, 100, 7, 198, 51, 100, 8}
	binary.BigEndian.PutUint16(ip[2:], uint16(24+len(frame)))
	return slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip, []byte{0, 0, 0x88, 0xbe})
}

const decapLines = "0s 203.0.113.9 tcp/7000\n1s 203.0.113.9 tcp/8000\n2s 203.0.113.9 tcp/9"

// What a mirror port sent is read when that is asked for, and only then.
func TestDecap(t *testing.T) {
	path := writeBytes(t, wrapped(t, decapLines, mirrored))
	for _, test := range []struct {
		decap         packet.Tunnels
		opens, other  int
		unwatched     int
		hidden, named int
	}{
		{decap: 0, other: 3},
		{decap: packet.ERSPAN, opens: 1, unwatched: 1},
		{decap: packet.GRE, hidden: 3, named: 3},
	} {
		report, _ := run(t, Config{Captures: []string{path}, Set: set(door("ssh", 7000, 8000)), Decap: test.decap})
		if report.Opens != test.opens || report.Dropped[packet.OtherProtocol] != test.other || report.Dropped[packet.NotWatched] != test.unwatched ||
			report.Dropped[packet.NotIP] != test.hidden || report.Summary.Unreadable["ERSPAN"] != test.named {
			t.Errorf("%d: %+v", test.decap, report.Summary)
		}
		if report.Tunnels["erspan"] != test.other || len(report.Unread) != min(1, test.other+test.hidden) {
			t.Errorf("%d: tunnels %v, %v", test.decap, report.Tunnels, report.Unread)
		}
	}
}

// Frames of another protocol than IP are counted by name when they may hide packets.
func TestFramesThatHidePackets(t *testing.T) {
	macsec := func([]byte) []byte { return []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xe5} }
	arp := func([]byte) []byte { return []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6} }
	s := set(door("ssh", 7000, 8000))
	report, _ := run(t, Config{Captures: []string{writeBytes(t, wrapped(t, decapLines, macsec))}, Set: s})
	if report.Summary.Unreadable["MACsec"] != 3 || len(report.Unread) != 1 || !strings.Contains(report.Unread[0].Error(), "none of its 3 packets can be read") {
		t.Errorf("MACsec: %+v, %v", report.Summary, report.Unread)
	}
	mixed := slices.Concat(wrapped(t, decapLines, macsec), wrapped(t, "3s 203.0.113.9 tcp/9", arp)[24:])
	if report, _ = run(t, Config{Captures: []string{writeBytes(t, mixed)}, Set: s}); len(report.Unread) != 1 {
		t.Errorf("MACsec and ARP: %+v", report.Summary)
	}
	seen := slices.Concat(mixed, wrapped(t, "4s 203.0.113.9 tcp/9", func([]byte) []byte { return nil })[24:])
	if report, _ = run(t, Config{Captures: []string{writeBytes(t, seen)}, Set: s}); len(report.Unread) != 0 {
		t.Errorf("MACsec and TCP: %v", report.Unread)
	}
	cut := write(t, strings.ReplaceAll(decapLines, "\n", " snap=6\n")+" snap=6")
	if report, _ = run(t, Config{Captures: []string{cut}, Set: s}); len(report.Unread) != 1 || !strings.HasSuffix(report.Unread[0].Error(), "none of its 3 packets can be read; 3 packets cut short: record with tcpdump -s 0") {
		t.Errorf("cut short: %v", report.Unread)
	}
	report, _ = run(t, Config{Captures: []string{writeBytes(t, wrapped(t, decapLines, arp))}, Set: s})
	if report.Summary.Unreadable != nil || report.Unread != nil || report.Dropped[packet.NotIP] != 3 {
		t.Errorf("ARP: %+v, %v", report.Summary, report.Unread)
	}
}
