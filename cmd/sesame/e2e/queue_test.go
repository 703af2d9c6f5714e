//go:build linux

package e2e

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// TestRealTwentyThousandEffects opens a door for 20,000 sources while no command ends. The queue
// refuses what it has no place for. To end access is never refused.
func TestRealTwentyThousandEffects(t *testing.T) {
	const sources = 20_000
	w := newWorld(t, nil)
	gate := w.gate("gate")
	w.write("gate.lua", strings.ReplaceAll(`
local wait = sesame.command { "/bin/cat", "GATE", timeout = "10m" }
sesame.door "gate" { sequence = { "udp/9133" }, guards = "tcp/22", ttl = "3s", on_open = function(a) a:allow() a:exec(wait) end }
sesame.door "ssh"  { sequence = { "tcp/7421", "udp/8133", "tcp/2904" }, guards = "tcp/22", ttl = "10m" }
`, "GATE", gate.path))
	w.start()
	w.knock("tcp/7421", "udp/8133", "tcp/2904")
	w.opens(ssh4)

	var s control.Status
	asks := func(condition func() bool) func() bool { // the daemon may be busy for longer than a client waits
		return func() (ok bool) {
			var err error
			s, err = w.client().Status(w.Context())
			return err == nil && condition()
		}
	}
	// No command ends in between, so they all wait at once. One flood would lose packets.
	for first := 0; first < sources; first += 2000 {
		source := func(i int) netip.Addr { return livetest.Source4(first + i) }
		if _, _, err := w.sender.Send(context.Background(), livetest.Flood(2000, source, 2000, "udp/9133"), 40_000); err != nil {
			t.Fatal(err)
		}
		w.eventually("they are looked at", asks(func() bool { return s.Counts.Opens+int(s.Capture.Lost) > first+2000 }))
	}
	const places = 1 << 14 // of the queue
	if s.Effects.Queued == 0 || s.Effects.Queued > places {
		t.Errorf("%d opens, and %d effects wait", s.Counts.Opens, s.Effects.Queued)
	}
	contains(t, w.answer("status"), "health: degraded: ", "queue-long", "too many effects wait to be carried out")
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
	w.eventually("all grants have ended", asks(func() bool { return s.Live.Grants == 0 }))
	if elements := w.net.Server.Exec("nft", "list", "set", "inet", "sesame", "grants4"); strings.Contains(elements, "198.18.") {
		t.Error("access is left in the firewall")
	}
	contains(t, w.answer("status"), "queue-long") // no command has ended
}
