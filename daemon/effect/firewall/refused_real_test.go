package firewall

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// TestRealRefusedAreListed: who is refused is listed with port, count and time, whatever is
// answered, over both families. Who has a grant is not, and neither are ports without a guard.
func TestRealRefusedAreListed(t *testing.T) {
	for _, answer := range []Answer{AnswerAuto, AnswerDrop, AnswerReject} {
		w, g := newGuard(t, GuardConfig{Answer: answer})
		must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp53}}, nil))
		w.reaches("", serverAddress+":80")
		var got []Stopped
		eventually(t, "all three are listed", func() bool { // a busy machine may not send in time
			w.slips("", server4)
			w.slips("", server6)
			w.datagram(serverAddress + ":53")
			var err error
			got, err = g.Refused()
			must(t, err)
			return len(got) >= 3
		})
		for _, want := range []Stopped{
			{Source: netip.MustParseAddr(clientAddress), Port: tcp22},
			{Source: netip.MustParseAddr(client6Address), Port: tcp22},
			{Source: netip.MustParseAddr(clientAddress), Port: udp53},
		} {
			i := slices.IndexFunc(got, func(s Stopped) bool { return s.Source == want.Source && s.Port == want.Port })
			if i < 0 || got[i].Packets == 0 || got[i].Ago < 0 || got[i].Ago > time.Minute {
				t.Errorf("answer %s: %v at %v is not listed: %+v", answer, want.Source, want.Port, got)
			}
		}
		if len(got) != 3 || !slices.IsSortedFunc(got, func(a, b Stopped) int { return int(a.Ago - b.Ago) }) {
			t.Errorf("answer %s: %+v", answer, got)
		}
		apply(t, g, element(clientAddress, tcp22, time.Minute))
		before := got
		w.reaches("", server4)
		after, err := g.Refused()
		must(t, err)
		packets := func(all []Stopped) (n uint64) {
			for _, s := range all {
				if s.Source == netip.MustParseAddr(clientAddress) && s.Port == tcp22 {
					n += s.Packets
				}
			}
			return n
		}
		if packets(after) != packets(before) {
			t.Errorf("answer %s: with a grant: %+v, before %+v", answer, after, before)
		}
		shown, _, err := g.Show()
		must(t, err)
		if len(shown.Refused) != 3 || shown.Unlisted != 0 {
			t.Errorf("answer %s: shown %+v", answer, shown)
		}
	}
}

// TestRealAFloodOfRefusedIsBounded: forged sources fill no more than the set, cost no more than the
// rate, and evict nobody who is listed.
func TestRealAFloodOfRefusedIsBounded(t *testing.T) {
	a := newAttack(t)
	g := a.guarded(GuardConfig{Answer: AnswerDrop}, tcp22)
	a.ask(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: 40000, dport: 22, flags: tcpSYN}.bytes())
	const sent = 6000
	var packets [][]byte
	for i := range uint32(sent) {
		forged := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000001+i)))
		packets = append(packets, crafted{from: forged, to: netip.MustParseAddr(serverAddress), sport: 40000, dport: 22, flags: tcpSYN}.bytes())
	}
	for chunk := range slices.Chunk(packets, 500) {
		a.ask(chunk...)
	}
	got, err := g.Refused()
	must(t, err)
	if !slices.ContainsFunc(got, func(s Stopped) bool { return s.Source == netip.MustParseAddr(clientAddress) }) {
		t.Error("who was listed before the flood is gone")
	}
	shown, _, err := g.Show()
	must(t, err)
	listed := uint64(0)
	for _, s := range got {
		listed += s.Packets
	}
	if len(got) > refusedSize || len(got) == sent || shown.Unlisted == 0 || listed+shown.Unlisted != sent+1 {
		t.Errorf("%d sources with %d packets, and %d packets that are not listed, of %d", len(got), listed, shown.Unlisted, sent+1)
	}
	if n, err := g.Unlisted(); err != nil || n != shown.Unlisted {
		t.Errorf("%d packets are not listed, %v; want %d", n, err, shown.Unlisted)
	}
}
