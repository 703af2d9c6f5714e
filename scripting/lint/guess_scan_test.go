package lint

import (
	"testing"

	"sesame/daemon/packet"
)

// TestGuessOf: a scan that somebody else runs has the figures of check --guess.
func TestGuessOf(t *testing.T) {
	tcp, udp := []packet.Proto{packet.TCP}, []packet.Proto{packet.UDP}
	both := []packet.Proto{packet.UDP, packet.TCP}
	of := GuessOf(load(t, `
sesame.door "a"      { sequence = { 7000, 3000, 55000 }, within = "5s", guards = 22 }
sesame.door "b"      { sequence = { 7421, "udp/9133" }, tripwires = 0, guards = 22 }
sesame.door "fin"    { sequence = { 100, 200 }, flags = "fin", tripwires = 0, guards = 22 }
sesame.door "any"    { sequence = { { 300, flags = "any" }, "udp/300" }, tripwires = 0, guards = 22 }
sesame.door "twice"  { sequence = { 400, 400 }, tripwires = 0, guards = 22 }
sesame.door "bytes"  { sequence = { "udp/500" }, prefix = "x", guards = 22 }
sesame.listen "l"    { on = "udp/600", on_knock = function(k) end }
`))
	for _, tt := range []struct {
		door string
		scan Scanned
		want string // scans for one opening; "": no scan opens it
	}{
		{"a", Scanned{tcp, packet.SYN, 1, 65535}, "4422"},
		{"a", Scanned{tcp, packet.SYN, 3000, 55000}, "1332"}, // 34 tripwires: 36 x 37
		{"a", Scanned{tcp, packet.SYN, 3001, 65535}, ""},
		{"a", Scanned{tcp, packet.SYN, 1, 54999}, ""},
		{"a", Scanned{udp, packet.SYN, 1, 65535}, ""},
		{"a", Scanned{tcp, packet.FIN, 1, 65535}, ""},
		{"a", Scanned{tcp, packet.SYN | packet.ACK, 1, 65535}, ""},
		{"b", Scanned{both, packet.SYN, 1, 65535}, "2"},
		{"b", Scanned{tcp, packet.SYN, 1, 65535}, ""},
		{"fin", Scanned{tcp, packet.FIN, 1, 65535}, "2"},
		{"any", Scanned{both, packet.SYN, 1, 65535}, "2"},
		{"twice", Scanned{tcp, packet.SYN, 1, 65535}, ""},
		{"bytes", Scanned{udp, packet.SYN, 1, 65535}, ""},
		{"l", Scanned{udp, packet.SYN, 1, 65535}, ""},
		{"nobody", Scanned{tcp, packet.SYN, 1, 65535}, ""},
	} {
		got, ok := of(tt.door, tt.scan)
		if got.Scans != tt.want || ok != (tt.want != "") {
			t.Errorf("%s by %+v: once in %q scans (%v), want %q", tt.door, tt.scan, got.Scans, ok, tt.want)
		}
	}
}
