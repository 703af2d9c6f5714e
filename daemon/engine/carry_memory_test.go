package engine

import (
	"net/netip"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// What tells a copy and a resent packet from a new one is as before.
func TestMemoriesOfPacketsSurviveARestart(t *testing.T) {
	door := aDoor(t, "ssh", "tcp/501", "tcp/502")
	w := newWorld(t, door)
	p := packet.Packet{
		Time: w.now, Source: netip.MustParseAddr(alice), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: 1024, Port: ports(t, "tcp/501")[0], Flags: packet.SYN, Sequence: 7, Digest: 8,
	}
	w.e.Packet(&p)
	w.e.flows.add(7) // only packets of this host itself are remembered there
	before := w.e.Carry()
	w.restart(door)
	after := w.e.Carry()
	for name, both := range map[string][2]any{
		"flows": {before.Flows, after.Flows}, "copies": {before.Copies, after.Copies}, "resends": {before.Resends, after.Resends},
	} {
		if diff := gocmp.Diff(both[0], both[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	empty := New(w.e.cfg, w.now).Carry()
	if gocmp.Equal(before.Flows, empty.Flows) || gocmp.Equal(before.Copies, empty.Copies) || gocmp.Equal(before.Resends, empty.Resends) {
		t.Errorf("nothing was remembered: %+v %+v", before.Copies, before.Resends)
	}
}
