package firewall

import (
	"encoding/binary"
	"testing"
)

// TestRealFlowLabelsTellNothing holds that guarded ports do not share what the kernel derives from
// a port number: a closed port answers the same packet with the same flow label each time, and two
// ports answer with two.
func TestRealFlowLabelsTellNothing(t *testing.T) {
	a := newAttack(t)
	f := bothFamilies()["IPv6"]
	a.guarded(GuardConfig{}, tcp22, tcp23, tcp80)
	label := func(port uint16) uint32 {
		a.forget()
		answers := a.ask(crafted{from: f.stranger, to: f.server, sport: 41001, dport: port, seq: 1, flags: tcpSYN}.bytes())
		if len(answers) != 1 {
			t.Fatalf("%d answers of tcp/%d: expected one", len(answers), port)
		}
		return binary.BigEndian.Uint32(answers[0]) & 0xfffff
	}
	labels := map[uint32]bool{}
	for _, port := range []uint16{22, 23, 80, 81} {
		first := label(port)
		if again := label(port); again != first {
			t.Errorf("tcp/%d: the flow labels %#x, then %#x: a closed port answers with one", port, first, again)
		}
		labels[first] = true
	}
	if len(labels) != 4 {
		t.Errorf("four ports answer with %d flow labels", len(labels))
	}
}
