package opening

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
)

// typed returns what lines send, one packet a line.
func typed(t *testing.T, doors []*engine.Door, local []netip.Prefix, lines ...string) string {
	t.Helper()
	var all []Line
	for _, text := range lines {
		line, err := ParseLine(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, line)
	}
	file, err := Type(context.Background(), all, simulate.SessionConfig{Set: &engine.Set{Doors: doors}, Local: local}, start)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	decoder := packet.NewDecoder()
	for _, f := range file.Frames {
		var p packet.Packet
		if drop := decoder.DecodeReceived(file.Link, f.Data, int(f.Length), packet.Live, &p); drop != packet.NotDropped {
			t.Fatalf("dropped: %v", drop)
		}
		fmt.Fprintf(&b, "%s %s > %s %s", f.Time.Sub(start), p.Source, p.Dest, p.Port)
		if p.Port.Proto == packet.TCP {
			fmt.Fprintf(&b, " %s", p.Flags.Names())
		}
		if len(p.Payload) > 0 {
			fmt.Fprintf(&b, " %q", p.Payload)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTypedKnocks(t *testing.T) {
	ssh := door("ssh", engine.SYN, "tcp/7421", "udp/9133")
	hasty, elsewhere := door("hasty", engine.SYN, "tcp/7", "tcp/8"), door("elsewhere", engine.SYN, "tcp/9")
	hasty.Within = 100 * time.Millisecond
	elsewhere.Target = netip.MustParseAddr("198.51.100.77")
	beacon := &engine.Door{Name: "beacon", Listen: true, Sequence: door("", engine.SYN, "udp/62201").Sequence,
		Payload: &engine.PayloadTest{Min: 6, Max: 6, Bytes: []engine.PayloadBytes{{At: 0, Text: "SESA"}}}}
	doors := []*engine.Door{ssh, hasty, elsewhere, beacon}
	local := []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("2001:db8:1::1/128")}
	for _, tt := range []struct {
		name  string
		local []netip.Prefix
		lines []string
		want  string
	}{
		{"ports, and times behind them", nil, []string{"203.0.113.9 tcp/7421 200ms udp/9133 tcp/2904 0s tcp/5"}, `
0s 203.0.113.9 > 192.0.2.1 tcp/7421 syn
200ms 203.0.113.9 > 192.0.2.1 udp/9133
300ms 203.0.113.9 > 192.0.2.1 tcp/2904 syn
300ms 203.0.113.9 > 192.0.2.1 tcp/5 syn`},
		{"a door, a pause, and the door again", nil, []string{"2001:db8::9 ssh 1m ssh"}, `
0s 2001:db8::9 > 2001:db8::1 tcp/7421 syn
100ms 2001:db8::9 > 2001:db8::1 udp/9133 "\x00"
1m0.1s 2001:db8::9 > 2001:db8::1 tcp/7421 syn
1m0.2s 2001:db8::9 > 2001:db8::1 udp/9133 "\x00"`},
		{"a door that leaves little time", nil, []string{"203.0.113.9 hasty tcp/1"}, `
0s 203.0.113.9 > 192.0.2.1 tcp/7 syn
25ms 203.0.113.9 > 192.0.2.1 tcp/8 syn
125ms 203.0.113.9 > 192.0.2.1 tcp/1 syn`},
		{"flags, payloads and destinations", nil, []string{`203.0.113.9 tcp/80 flags=fin,psh to=::ffff:198.51.100.7 tcp/81 flags=none udp/5 payload="a b\x00\\\"" udp/6 payload=`}, `
0s 203.0.113.9 > 198.51.100.7 tcp/80 fin,psh
100ms 203.0.113.9 > 192.0.2.1 tcp/81 none
200ms 203.0.113.9 > 192.0.2.1 udp/5 "a b\x00\\\""
300ms 203.0.113.9 > 192.0.2.1 udp/6`},
		{"the payload that a door asks for, and another one", nil, []string{`203.0.113.9 beacon beacon payload=SESAxy`}, `
0s 203.0.113.9 > 192.0.2.1 udp/62201 "SESA\x00\x00"
100ms 203.0.113.9 > 192.0.2.1 udp/62201 "SESAxy"`},
		{"a target, and another destination", nil, []string{`203.0.113.9 elsewhere elsewhere to=198.51.100.5`}, `
0s 203.0.113.9 > 198.51.100.77 tcp/9 syn
100ms 203.0.113.9 > 198.51.100.5 tcp/9 syn`},
		{"two sources, one after the other", local, []string{"203.0.113.9 tcp/1 5s", "2001:db8::9 tcp/2", "198.51.100.1 tcp/3"}, `
0s 203.0.113.9 > 198.51.100.1 tcp/1 syn
5s 2001:db8::9 > 2001:db8:1::1 tcp/2 syn
5.1s 198.51.100.1 > 192.0.2.1 tcp/3 syn`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n")+"\n", typed(t, doors, tt.local, tt.lines...)); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

// once returns a door with one-time sequences of two ports each.
func once(sequences ...[2]string) *engine.Door {
	d := &engine.Door{Name: "once", Within: 10 * time.Second, TTL: 30 * time.Second, OneTime: &engine.OneTime{File: "/once"}}
	for i, ports := range sequences {
		d.OneTime.Sequences = append(d.OneTime.Sequences, engine.OneTimeSequence{Line: fmt.Sprint(i), Knocks: door("", engine.SYN, ports[0], ports[1]).Sequence})
	}
	return d
}

// TestTypedOneTimeDoors: a name sends the sequence that the door expects at that time. What was
// typed before may have used some, by the name or by its ports, and an unfinished one uses none.
func TestTypedOneTimeDoors(t *testing.T) {
	doors := []*engine.Door{once([2]string{"tcp/1", "tcp/2"}, [2]string{"tcp/11", "tcp/12"}, [2]string{"tcp/21", "tcp/22"})}
	for _, tt := range []struct{ line, want string }{
		{"once once once", "1 2 11 12 21 22"},
		{"tcp/1 tcp/2 1h once", "1 2 11 12"},
		{"tcp/1 1m once", "1 1 2"},
		{"once tcp/1 tcp/2 once", "1 2 1 2 11 12"},
	} {
		var got []string
		for line := range strings.Lines(typed(t, doors, nil, "203.0.113.9 "+tt.line)) {
			_, port, _ := strings.Cut(line, "tcp/")
			got = append(got, strings.Fields(port)[0])
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: sent %s, want %s", tt.line, got, tt.want)
		}
	}
	line, err := ParseLine("203.0.113.9 once once once once")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Type(context.Background(), []Line{line}, simulate.SessionConfig{Set: &engine.Set{Doors: doors}}, start); err == nil || !strings.Contains(err.Error(), "once cannot be opened: no sequence is left that was not used") {
		t.Errorf("error %v", err)
	}
}

func TestMistypedKnocks(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{"", "it is empty: expected a source"},
		{"  ", "it is empty: expected a source"},
		{"ssh", `"ssh" is not an address: expected the source first`},
		{"fe80::1%eth0 1", "is not an address"},
		{"203.0.113.9", "203.0.113.9 sends nothing"},
		{"::ffff:127.0.0.1 tcp/1", "127.0.0.1 cannot knock: no packet from outside has this source"},
		{"203.0.113.9 200ms tcp/1", "the time 200ms stands before the first packet"},
		{"203.0.113.9 tcp/1 200ms 1s", "the time 1s stands behind another one: write their sum"},
		{"203.0.113.9 tcp/1 200 udp/2", "200 may be a port or a time: write tcp/200 or udp/200, or 200ms"},
		{"203.0.113.9 tcp/1 200m200 tcp/2", `"200m200" is not a duration`},
		{"203.0.113.9 tcp/70000", `port "tcp/70000": expected a number from 1 to 65535`},
		{"203.0.113.9 tcp/0", `port "tcp/0": expected a number from 1 to 65535`},
		{"203.0.113.9 flags=syn tcp/1", "flags stands behind no packet"},
		{"203.0.113.9 tcp/1 1s flags=syn", "flags stands behind no packet"},
		{"203.0.113.9 tcp/1 flag=syn", `unknown key "flag": did you mean "flags"?`},
		{"203.0.113.9 tcp/1 flags=sin", `unknown TCP flag "sin"`},
		{"203.0.113.9 udp/1 flags=syn", "udp/1 has no TCP flags: leave flags=syn out"},
		{"203.0.113.9 ssh flags=syn", "flags=syn stands behind the door ssh, which decides that"},
		{"203.0.113.9 tcp/1 to=host", "to=host: expected an address"},
		{"203.0.113.9 tcp/1 to=fe80::1%1", "expected an address"},
		{`203.0.113.9 udp/1 payload="a`, "a quote is not closed"},
		{`203.0.113.9 udp/1 payload="a\`, "a quote is not closed"},
		{`203.0.113.9 udp/1 payload="\q`, `unknown escape \q: expected one of`},
		{`203.0.113.9 udp/1 payload="\x41`, "a quote is not closed"},
		{`203.0.113.9 udp/1 payload="\q"`, `unknown escape \q: expected one of`},
		{`203.0.113.9 udp/1 payload="\x+1"`, `unknown escape \x: expected one of`},
		{"203.0.113.9 udp/1 payload=" + strings.Repeat("x", 65496), "the payload has 65496 bytes: expected at most 65495"},
	} {
		if _, err := ParseLine(tt.text); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseLine(%.60q): error %v, want %q", tt.text, err, tt.err)
		}
	}
}

// A word that begins with a digit and ends with a unit is a time; others may name a door.
func TestWordsThatAreTimes(t *testing.T) {
	for word, want := range map[string]time.Duration{
		"0.5s": 500 * time.Millisecond, "9s": 9 * time.Second, "0s": 0, "1h30m": 90 * time.Minute,
		"ms": -1, ".5s": -1, "9x": -1, ":s": -1, `""`: -1, "s9": -1,
	} {
		line, err := ParseLine("203.0.113.9 tcp/1 " + word)
		switch {
		case err != nil:
			t.Errorf("%s: %v", word, err)
		case want >= 0 && (len(line.Parts) != 1 || line.Parts[0].Pause != want):
			t.Errorf("%s: %+v, want the time %v", word, line.Parts, want)
		case want < 0 && (len(line.Parts) != 2 || line.Parts[1].Door != strings.Trim(word, `"`)):
			t.Errorf("%s: %+v, want a door", word, line.Parts)
		}
	}
}

// The most packets and the latest year that are allowed.
func TestBoundsOfTypedKnocksAreInside(t *testing.T) {
	many := door("many", engine.SYN)
	for i := range 32 {
		many.Sequence = append(many.Sequence, door("", engine.SYN, fmt.Sprintf("tcp/%d", 1+i)).Sequence...)
	}
	for _, text := range []string{"203.0.113.9" + strings.Repeat(" many", MaxPackets/32), "203.0.113.9 tcp/1 36500d tcp/1 36500d tcp/1 9000d"} {
		line, err := ParseLine(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Type(context.Background(), []Line{line}, simulate.SessionConfig{Set: &engine.Set{Doors: []*engine.Door{many}}}, start); err != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// A single knock needs no time behind it, whatever the door says of sequences.
func TestGapOfOneKnock(t *testing.T) {
	beacon := door("beacon", engine.SYN, "tcp/1")
	beacon.Within = 0
	if got := Gap(beacon); got != maxGap {
		t.Errorf("the gap is %v, want %v", got, maxGap)
	}
}

func TestKnocksThatCannotBeSent(t *testing.T) {
	never, many := door("never", engine.SYN, "tcp/1", "tcp/2"), door("many", engine.SYN)
	never.Within = 0
	for i := range 32 {
		many.Sequence = append(many.Sequence, door("", engine.SYN, fmt.Sprintf("tcp/%d", 1+i)).Sequence...)
	}
	doors := []*engine.Door{door("ssh", engine.SYN, "tcp/1"), never, many}
	for _, tt := range []struct{ text, err string }{
		{"203.0.113.9 shs", `"203.0.113.9 shs": "shs" is no port, no time, and no door of the scripts: did you mean "ssh"?`},
		{"203.0.113.9 tcp:7421", `"tcp:7421" is no port: expected one such as tcp/7421, and a space behind it`},
		{"203.0.113.9 never", "never cannot be opened: its timeout is over"},
		{"203.0.113.9 tcp/1 to=2001:db8::1", "expected two addresses of IPv4, or two of IPv6"},
		{"203.0.113.9 tcp/1 36500d tcp/1 36500d tcp/1 36500d tcp/1", "it would last until after the year 2250"},
		{"203.0.113.9" + strings.Repeat(" many", MaxPackets/32+1), "there are more than 100000 packets"},
	} {
		line, err := ParseLine(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Type(context.Background(), []Line{line}, simulate.SessionConfig{Set: &engine.Set{Doors: doors}}, start); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%.60q: error %v, want %q", tt.text, err, tt.err)
		}
	}
}

// FuzzTypedKnocks: whatever a person types is an error or a capture whose packets can be decoded.
func FuzzTypedKnocks(f *testing.F) {
	f.Add("203.0.113.9 tcp/7421 200ms udp/9133 ssh 5m tcp/7 flags=fin,psh to=198.51.100.1")
	f.Add(`2001:db8::9 udp/62201 payload="SESA\x00\n\"" 0s ssh`)
	doors := []*engine.Door{door("ssh", engine.SYN, "tcp/7421", "udp/9133")}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := ParseLine(text)
		if err != nil {
			return
		}
		file, err := Type(context.Background(), []Line{line}, simulate.SessionConfig{Set: &engine.Set{Doors: doors}}, start)
		if err != nil {
			return
		}
		decoder, last := packet.NewDecoder(), start
		for _, frame := range file.Frames {
			var p packet.Packet
			drop := decoder.DecodeReceived(file.Link, frame.Data, int(frame.Length), packet.Live, &p)
			if drop != packet.NotDropped && drop != packet.Malformed {
				t.Fatalf("%q: a packet is dropped: %v", text, drop)
			}
			if frame.Time.Before(last) {
				t.Fatalf("%q: the time goes back to %v", text, frame.Time)
			}
			last = frame.Time
		}
	})
}
