package scrub

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/simulate"
	"sesame/simulate/pcaptest"
)

const knockedDoor = `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22", ttl = "30s" }
`

// However a script writes its ports, none is left, also of a door that nobody knocked at. Where
// they cannot be replaced, nothing is written.
func TestNoPortIsLeft(t *testing.T) {
	for _, tt := range []struct{ name, script, file, gone, refused string }{
		{"a list over several lines", "sesame.door \"secret\" {\n  sequence = {\n    7654,\n    8123, -- the second\n  },\n  guards = \"tcp/25\" }", "", "7654 8123", ""},
		{"a variable", `local ports = { 7654, 8123 } sesame.door "secret" { sequence = ports, guards = "tcp/25" }`, "", "7654 8123", ""},
		{"a number that is UDP", `local port = 7654 sesame.door "secret" { sequence = { "udp/" .. port, port }, guards = "tcp/25" }`, "", "7654", ""},
		{"small ports", `sesame.door "secret" { sequence = { 211, 233 }, guards = "tcp/25" }`, "", "211 233", ""},
		{"a file that a variable names", `local f = "/var/lib/once" sesame.door "once" { one_time_sequences = f, guards = "tcp/25" }`, "#4001,4002\n 5001,5002:udp\n", "4001 4002 5001 5002", ""},
		{"a number in another form", `sesame.door "secret" { sequence = { 0x1de6, 8123 }, guards = "tcp/25" }`, "", "", `--keep ports leaves them as they are): those of the door "secret", a.lua:2, do not stand there as numbers`},
		{"a computed one", `sesame.door "secret" { sequence = { 7600 + 54, 8123 }, guards = "tcp/25" }`, "", "", `those of the door "secret"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scripts := record.Scripts{Base: "/s", Values: wire.Options{}, Files: []wire.File{{Path: "a.lua", Source: []byte(knockedDoor + tt.script)}}}
			if tt.file != "" {
				scripts.Files = append(scripts.Files, wire.File{Path: "/var/lib/once", Source: []byte(tt.file)})
			}
			recording := recorded(t, "0s 203.0.113.9 tcp/7421 seq=1\n1s 203.0.113.9 udp/9133\n2s 203.0.113.9 tcp/2904 seq=2", scripts)
			result, err := scrubbed(recording, nil)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v", err)
				}
				if _, err := Scrub(recording, map[Part]bool{Ports: true}); err != nil {
					t.Error(err)
				}
				return
			}
			must(t, err)
			items, err := read(result.File)
			must(t, err)
			for _, f := range scriptsOf(items)[0].Files {
				for _, gone := range strings.Fields(tt.gone) {
					if regexp.MustCompile(`\b` + gone + `\b`).Match([]byte(f.Source)) {
						t.Errorf("%s is left:\n%s", gone, f.Source)
					}
				}
			}
		})
	}
}

// A range of addresses is none afterwards. That is said of the list that the user has.
func TestRangesAreRefused(t *testing.T) {
	scripts := record.Scripts{Base: "/s", Values: wire.Options{}, Files: []wire.File{
		{Path: "a.lua", Source: []byte(strings.Replace(knockedDoor, "ttl =", `when = sesame.networks { file = "/l.txt" }, ttl =`, 1))},
		{Path: "/l.txt", Source: []byte("192.0.2.0/24\n198.51.100.5 - 198.51.100.90\n")},
	}}
	recording := recorded(t, "0s 203.0.113.9 tcp/7421 seq=1\n1s 203.0.113.9 tcp/7421 seq=2", scripts)
	if _, err := Scrub(recording, nil); err == nil || !strings.Contains(err.Error(), "/l.txt:2 has the range 198.51.100.5-198.51.100.90") {
		t.Errorf("error %v", err)
	}
	if _, err := Scrub(recording, map[Part]bool{Addresses: true}); err != nil {
		t.Error(err)
	}
}

// A one-time sequence that was used is known again by its line.
func TestUsedSequencesAreScrubbed(t *testing.T) {
	const opens = "0s 198.51.100.7 tcp/7421 seq=1\n1s 203.0.113.9 tcp/5001 seq=2\n2s 203.0.113.9 udp/5002\n3s 203.0.113.9 tcp/5001 seq=9\n4s 203.0.113.9 udp/5002 data=b"
	result, err := scrubbed(recorded(t, opens, someScripts), nil)
	must(t, err)
	if bytes.Contains(result.File, []byte("5001,5002")) || result.Decisions < 3 {
		t.Errorf("%d decisions:\n%q", result.Decisions, result.File)
	}
}

// The hashes of packets that came before are left out, and the engine still drops copies.
func TestHashesAreLeftOut(t *testing.T) {
	result, err := scrubbed(recorded(t, someLines, someScripts), nil)
	must(t, err)
	items, err := read(result.File)
	must(t, err)
	state := items[0].Snapshot.State
	if state.Copies == nil || state.Resends == nil {
		t.Fatal("the engine is one of an older version")
	}
	if n := len(state.Copies.Newer) + len(state.Copies.Older) + len(state.Resends.Newer) + len(state.Resends.Older); n > 0 || state.Resends.Last == 0 {
		t.Errorf("%d bytes are left; the last came at %d", n, state.Resends.Last)
	}
}

// What a script stored is replaced too, whatever stands beside it: addresses, ports and options. So
// are the ports and addresses in comments.
func TestStoredTextsAreScrubbed(t *testing.T) {
	scripts := record.Scripts{Base: "/s", Values: wire.Options{"pin": "s3cr3t-pin"}, Files: []wire.File{{Path: "a.lua", Source: []byte(
		"-- knock 7421, 9133 and 2904; from 203.0.113.9\n" + knockedDoor + `local pin = sesame.option "pin" { type = "string", default = "" }`)}}}
	items, err := read(recorded(t, "0s 198.51.100.7 tcp/7421 seq=1\n1s 203.0.113.9 tcp/7421 seq=2", scripts))
	must(t, err)
	state := items[0].Snapshot.State
	state.Values = []wire.Value{
		{Script: "a.lua", Key: "x203.0.113.9", Value: wire.Scalar("sip203.0.113.9_a 7421 [203.0.113.9]:22 2001:db8::9 s3cr3t-pin")},
		{Script: "a.lua", Key: "pin", Value: wire.Scalar("ss3cr3t-pin")},
		{Script: "a.lua", Key: "port", Value: wire.Scalar("stcp/7421")},
	}
	r := record.NewRecorder(0)
	r.Begin(pcaptest.Start, state, scripts)
	var b bytes.Buffer
	_, err = r.Recording().WriteTo(&b)
	must(t, err)
	result, err := scrubbed(b.Bytes(), nil)
	must(t, err)
	for _, gone := range []string{"203.0.113.9", "2001:db8::9", "s3cr3t-pin", "7421", "9133", "2904"} {
		if !bytes.Contains(b.Bytes(), []byte(gone)) {
			t.Errorf("%q is not even in the recording", gone)
		}
		if bytes.Contains(result.File, []byte(gone)) {
			t.Errorf("%q is left:\n%s", gone, result.File)
		}
	}
}

// An address that the replacing misses is found before anything is written.
func TestWhatIsLeftIsFound(t *testing.T) {
	s, from, to := aScrubber(1), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("203.1.2.3")
	s.addresses[from] = to
	for text, want := range map[string]bool{
		"203.0.113.9": true, "ip203.0.113.9_a": true, "a203.0.113.9:22": true, "[::ffff:203.0.113.9]": true, "in 203.0.113.9.": true,
		"203.1.2.3": false, "1203.0.113.9": false, "203.0.113.99": false,
	} {
		if _, got := s.leftAddress(text, map[netip.Addr]bool{to: true}); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// headed returns a UDP packet to port 7421 with extension headers before the datagram.
func headed(extensions []byte, next byte) []byte {
	udp := append([]byte{4, 87, 0x1c, 0xfd, 0, 13, 0, 0}, "hello"...)
	ip := append([]byte{0x60, 0, 0, 0, 0, byte(len(extensions) + len(udp)), next, 64}, netip.MustParseAddr("2001:db8::9").AsSlice()...)
	ip = append(ip, pcaptest.Here6.AsSlice()...)
	sum := 17 + uint32(len(udp)) + sumOf(ip[8:]) + sumOf(udp)
	binary.BigEndian.PutUint16(udp[6:], ^uint16(sum%0xffff))
	return append(append(ip, extensions...), udp...)
}

func sumOf(data []byte) (sum uint32) {
	for i, b := range data {
		sum += uint32(b) << (8 * (1 - i%2))
	}
	return sum
}

// What stands beside the payload is gone too: extension headers, options, what follows a datagram
// and what follows the packet.
func TestNothingIsLeftInHeaders(t *testing.T) {
	behind := headed(nil, 17) // the IP header counts 6 bytes more than the datagram
	behind[5] += 6
	options := []byte{0x47, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 192, 0, 2, 1, 7, 8, 'S', 'E', 'C', 'R', 'E', 'T',
		4, 87, 0x1c, 0xfd, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0}
	unfilled := headed(nil, 17)
	binary.BigEndian.PutUint16(unfilled[46:], uint16((17+13+sumOf(unfilled[8:40]))%0xffff))
	for name, frame := range map[string][]byte{
		"no extension":        headed(nil, 17),
		"an atomic fragment":  headed([]byte{17, 0, 0, 0, 'S', 'E', 'C', 'R'}, 44),
		"options of IPv6":     headed([]byte("\x11\x01\x1e\x0cSECRETSECRET"), 60),
		"authentication":      headed([]byte("\x11\x02\x00\x00SECRETSECRET"), 51),
		"two extensions":      headed([]byte("\x2c\x00\x1e\x04SECR\x11\x00\x00\x00SECR"), 0),
		"behind the packet":   append(headed(nil, 17), "SECRET"...),
		"behind the datagram": append(behind, "SECRET"...),
		"options of IPv4":     options,
		"unfilled checksum":   unfilled,
	} {
		t.Run(name, func(t *testing.T) {
			result, err := scrubbed(received(t, frame), nil)
			must(t, err)
			items, err := read(result.File)
			must(t, err)
			for _, item := range items {
				if f := item.Frame; f != nil {
					if bytes.Contains(f.Data, []byte("SECR")) || bytes.Contains(f.Data, []byte("hello")) {
						t.Errorf("left: %q", f.Data)
					}
					var p packet.Packet
					if drop := packet.NewDecoder().Decode(f.Link, f.Data, f.Wire, &p); drop != packet.NotDropped || p.Port.Number == 7421 {
						t.Errorf("%v, %+v", drop, p)
					}
				}
			}
		})
	}
}

// received returns the recording of a daemon that received two frames without a link header, of
// which the first is in the snapshot.
func received(t *testing.T, frame []byte) []byte {
	t.Helper()
	script := strings.ReplaceAll(knockedDoor, `"tcp/7421"`, `"tcp/7421", "udp/7421"`)
	scripts := record.Scripts{Base: "/s", Values: wire.Options{}, Files: []wire.File{{Path: "a.lua", Source: []byte(script)}}}
	set, err := simulate.LoadRecorded(scripts, false)
	must(t, err)
	defer set.Close()
	e, kept := engine.New(engine.Config{Attempts: 100}, pcaptest.Start), record.NewRecorder(0)
	e.Swap(pcaptest.Start, set.Engine)
	kept.Begin(pcaptest.Start, e.State(), scripts)
	var p packet.Packet
	if drop := packet.NewDecoder().Decode(packet.Raw, frame, len(frame), &p); drop != packet.NotDropped {
		t.Fatal(drop)
	}
	p.Time, p.Number = pcaptest.Start.Add(time.Second), 1
	e.Packet(&p)
	kept.Packet(&p, frame, len(frame))
	var b bytes.Buffer
	_, err = kept.Recording().WriteTo(&b)
	must(t, err)
	return b.Bytes()
}
