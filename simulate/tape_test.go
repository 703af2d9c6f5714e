package simulate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// TestATapeIsBounded fills a tape. What no door watches needs no room on it.
func TestATapeIsBounded(t *testing.T) {
	var lines strings.Builder
	for i := range 5 {
		fmt.Fprintf(&lines, "%ds 203.0.113.9 udp/1 data=abc\n%ds 203.0.113.9 udp/9 data=abc\n", i, i)
	}
	path := write(t, lines.String())
	listener := door("one", 1)
	listener.Sequence[0].Port.Proto = packet.UDP
	for _, tt := range []struct {
		room     tapeRoom
		payloads bool
		fits     bool
	}{
		{tapeRoom{5, 0}, false, true},
		{tapeRoom{4, 0}, false, false},
		{tapeRoom{5, 15}, true, true},
		{tapeRoom{5, 14}, true, false},
	} {
		if listener.Payload = nil; tt.payloads {
			listener.Payload = &engine.PayloadTest{Min: 1}
		}
		tape, err := readTape(t.Context(), Config{Captures: []string{path}, Set: set(listener)}, tt.room)
		switch {
		case tt.fits && (err != nil || tape.packets() != 5 || tape.Report.Packets != 10):
			t.Errorf("%+v: %v", tt, err)
		case !tt.fits && (err == nil || !strings.Contains(err.Error(), "editcap")):
			t.Errorf("%+v: %v, want that there is no room", tt, err)
		case tt.fits && tt.payloads != (string(tape.Inputs[0].Packet.Payload) == "abc"):
			t.Errorf("%+v: the payload is %q", tt, tape.Inputs[0].Packet.Payload)
		}
	}
}

func TestATapeOfNothing(t *testing.T) {
	if _, err := ReadTape(t.Context(), Config{Captures: []string{"missing.pcap"}, Set: set(door("ssh", 1))}); err == nil {
		t.Error("no error for a capture that is missing")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tape, err := ReadTape(ended, Config{Captures: []string{write(t, "0s 203.0.113.9 tcp/1")}, Set: set(door("ssh", 1))})
	if err != nil {
		t.Fatal(err)
	}
	if tape.packets() > 1 {
		t.Errorf("%d packets of one", tape.packets())
	}
}

// TestClampedPacketsAreCounted has a packet that is stamped before another one.
func TestClampedPacketsAreCounted(t *testing.T) {
	tape, err := ReadTape(t.Context(), Config{Captures: []string{write(t, "1s 203.0.113.9 tcp/1\n900ms 203.0.113.9 tcp/1 seq=2")}, Set: set(door("ssh", 1))})
	if err != nil || tape.Report.Clamped != 1 || tape.Inputs[1].At.Before(tape.Inputs[0].At) {
		t.Errorf("%+v, %v", tape, err)
	}
}
