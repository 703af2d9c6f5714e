package opening

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// door returns a door of knockd's with a sequence of ports.
func door(name string, flags engine.FlagTest, ports ...string) *engine.Door {
	d := &engine.Door{Name: name, Policy: engine.PolicyKnockd, Group: "knockd.lua", Flags: flags, Within: 5 * time.Second, TTL: time.Second}
	for _, text := range ports {
		port, err := packet.ParsePort(text)
		if err != nil {
			port = packet.Port{Proto: packet.TCP}
		}
		d.Sequence = append(d.Sequence, engine.Knock{Port: port, Flags: flags})
	}
	return d
}

// replay returns the frames of a capture as text, and the openings of its doors.
func replay(t *testing.T, file []byte, doors []*engine.Door) (packets, opened []string) {
	t.Helper()
	r, err := record.NewReader(bytes.NewReader(file), -1, "the capture")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	decoder, e := packet.NewDecoder(), engine.New(engine.Config{}, start)
	e.Swap(start, &engine.Set{Doors: doors})
	for f, err := r.Next(); err != io.EOF; f, err = r.Next() {
		if err != nil {
			t.Fatal(err)
		}
		var p packet.Packet
		if drop := decoder.Decode(f.Link, f.Data, f.Wire, &p); drop != packet.NotDropped {
			t.Fatalf("packet %d is dropped: %v", f.Number, drop)
		}
		p.Time, p.Number = f.Time(), f.Number
		packets = append(packets, fmt.Sprintf("%s %s > %s %s %#x", p.Time.Sub(start), p.Source, p.Dest, p.Port, p.Flags))
		for _, event := range e.Packet(&p) {
			if event.Kind == engine.EventOpen {
				opened = append(opened, event.Door+" "+event.Source.Addr().String())
			}
		}
	}
	return packets, opened
}

// TestCapture knocks at doors of all kinds.
func TestCapture(t *testing.T) {
	syn := engine.FlagTest{Set: packet.SYN}
	elsewhere, six := door("elsewhere", syn, "tcp/3"), door("six", syn, "udp/4", "tcp/5")
	elsewhere.Target, six.Target = netip.MustParseAddr("203.0.113.3"), netip.MustParseAddr("2001:db8:ffff::4")
	hasty := door("hasty", syn, "tcp/7", "tcp/8")
	hasty.Within = 100 * time.Millisecond
	never, once, used := door("never", syn, "tcp/1", "tcp/2"), door("once", syn), door("used", syn)
	never.Within = 0
	once.OneTime = &engine.OneTime{Sequences: []engine.OneTimeSequence{{Knocks: door("", syn, "tcp/9", "tcp/10").Sequence}}}
	used.OneTime = &engine.OneTime{}
	doors := []*engine.Door{
		door("plain", syn, "tcp/1", "tcp/2"), door("odd", engine.FlagTest{Set: packet.FIN | packet.ACK, Clear: packet.SYN}, "tcp/6"),
		elsewhere, six, hasty, door("null", engine.FlagTest{Clear: packet.SYN}, "tcp/16"), never, door("zero", syn, "tcp/0"), once, used,
		door("any", engine.FlagTest{}, "udp/20", "tcp/6"),
	}
	file, visits, err := Capture(doors)
	if err != nil {
		t.Fatal(err)
	}
	packets, opened := replay(t, file, doors)
	want := `
0s 203.0.113.1 > 192.0.2.1 tcp/1 0x2
500ms 203.0.113.1 > 192.0.2.1 tcp/2 0x2
1m1s 203.0.113.2 > 192.0.2.1 tcp/6 0x11
2m1.5s 192.0.2.254 > 203.0.113.3 tcp/3 0x2
3m2s 2001:db8:fffe::1 > 2001:db8:ffff::4 udp/4 0x0
3m2.5s 2001:db8:fffe::1 > 2001:db8:ffff::4 tcp/5 0x2
4m3s 203.0.113.5 > 192.0.2.1 tcp/7 0x2
4m3.025s 203.0.113.5 > 192.0.2.1 tcp/8 0x2
5m3.05s 203.0.113.6 > 192.0.2.1 tcp/16 0x0
6m3.55s 203.0.113.9 > 192.0.2.1 tcp/9 0x2
6m4.05s 203.0.113.9 > 192.0.2.1 tcp/10 0x2
7m4.55s 203.0.113.11 > 192.0.2.1 udp/20 0x0
7m5.05s 203.0.113.11 > 192.0.2.1 tcp/6 0x2`
	if diff := cmp.Diff(strings.TrimSpace(want), strings.Join(packets, "\n")); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
	var open, why []string
	for _, v := range visits {
		if v.Why != "" {
			why = append(why, v.Door.Name+": "+v.Why)
			continue
		}
		open = append(open, v.Door.Name+" "+v.Source.String())
	}
	if diff := cmp.Diff(open, opened); diff != "" {
		t.Errorf("opened (-visited +opened):\n%s", diff)
	}
	wantWhy := []string{"never: its timeout is over when its first knock is done", "zero: no ordinary program sends a packet to port 0", "used: no sequence is left that was not used"}
	if diff := cmp.Diff(wantWhy, why); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if again, _, _ := Capture(doors); !bytes.Equal(again, file) {
		t.Error("the same doors give another capture")
	}
}

// TestManyDoors has more doors than one network has addresses.
func TestManyDoors(t *testing.T) {
	var doors []*engine.Door
	for i := range 500 {
		doors = append(doors, door(fmt.Sprint(i), engine.SYN, fmt.Sprintf("tcp/%d", 1+i), fmt.Sprintf("udp/%d", 1+i)))
	}
	file, visits, err := Capture(doors)
	if err != nil {
		t.Fatal(err)
	}
	sources := map[netip.Addr]bool{}
	for _, v := range visits {
		if sources[v.Source] {
			t.Errorf("%s knocks twice", v.Source)
		}
		sources[v.Source] = true
	}
	if _, opened := replay(t, file, doors); len(opened) != len(doors) {
		t.Errorf("%d of %d doors opened", len(opened), len(doors))
	}
}

// TestPayloads: what is sent passes the payload test of its door.
func TestPayloads(t *testing.T) {
	for name, test := range map[string]*engine.PayloadTest{
		"any":               nil,
		"none":              {},
		"of a length":       {Min: 20, Max: 20},
		"up to a length":    {Max: 20},
		"with a beginning":  {Max: engine.AnyLength, Bytes: []engine.PayloadBytes{{At: 0, Text: "SESA"}}},
		"with bytes beyond": {Min: 3, Max: 30, Bytes: []engine.PayloadBytes{{At: 20, Text: "x"}, {At: 0, Text: "SESA"}}},
	} {
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			d := &engine.Door{Listen: true, Payload: test, Sequence: []engine.Knock{{Port: packet.Port{Proto: proto, Number: 7}, Flags: engine.SYN}}}
			knocks, err := Knocks(d)
			if err != nil || len(knocks) != 1 {
				t.Fatalf("%s: %v, %v", name, knocks, err)
			}
			if why := test.Misfit(&packet.Packet{Payload: knocks[0].Payload}); why != "" {
				t.Errorf("%s over %v: %s", name, proto, why)
			}
		}
	}
}
