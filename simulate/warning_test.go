package simulate

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate/pcaptest"
)

// A capture of an unknown link type is read, and the report counts the packets that cannot be
// decoded.
func TestLinksThatCannotBeRead(t *testing.T) {
	data, err := pcaptest.Capture("0s 203.0.113.9 tcp/7000\n1s 203.0.113.9 tcp/7000")
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(data[20:], 105)
	report, _ := run(t, Config{Captures: []string{writeBytes(t, data)}, Set: set(door("ssh", 7000, 8000))})
	if report.Unreadable[packet.LinkType(105).Kind()] != 2 || report.Dropped[packet.NotIP] != 2 {
		t.Errorf("got %+v", report)
	}
}

// The report counts packets whose payload the snap length cut, since scripts see less of them.
func TestPayloadsThatAreCut(t *testing.T) {
	data, err := pcaptest.Capture("0s 203.0.113.9 udp/7000 data=hello")
	if err != nil {
		t.Fatal(err)
	}
	captured := binary.LittleEndian.Uint32(data[24+8:]) - 3
	binary.LittleEndian.PutUint32(data[24+8:], captured)
	listener := door("ssh", 7000)
	listener.Sequence[0].Port.Proto = packet.UDP
	report, _ := run(t, Config{Captures: []string{writeBytes(t, data[:24+16+captured])}, Set: set(listener)})
	if report.Cut != 1 || report.Knocks != 1 {
		t.Errorf("got %+v", report)
	}
}

// Time ends with the latest packet, also if the last packet has an earlier time.
func TestTheLatestPacketEndsTheCapture(t *testing.T) {
	d := door("ssh", 7000)
	d.Handler, d.Hooks = later{}, engine.HookOpen
	s := &engine.Set{Doors: []*engine.Door{d}, Timers: []engine.Timer{{Script: d.Script, Name: "later", Handler: logs{}}}}
	path := write(t, "0s 203.0.113.9 tcp/7000\n100s 203.0.113.9 tcp/7000\n1s 203.0.113.9 udp/9")
	_, got := run(t, Config{Captures: []string{path}, Set: s, Until: time.Minute})
	if n := strings.Count(got, `"effect":"log"`); n != 2 {
		t.Errorf("%d delays came due, want 2:\n%s", n, got)
	}
}

// later requests a call in ten seconds, and logs is called.
type later struct{}

func (later) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: []engine.Operation{engine.After{Delay: 10 * time.Second, Name: "later"}}}, nil
}

type logs struct{}

func (logs) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: []engine.Operation{engine.Log{Text: "late"}}}, nil
}
