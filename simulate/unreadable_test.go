package simulate

import (
	"testing"

	"sesame/daemon/packet"
)

// A made-up capture can have frames of thousands of kinds. Memory and the summary stay small.
func TestUnreadableKindsAreBounded(t *testing.T) {
	u, total := unreadable{}, 0
	for kind := packet.Kind(0x0600); kind < 0x1600; kind++ {
		if u.add(kind) {
			total++
		}
	}
	names, sum := u.byName(), 0
	for _, n := range names {
		sum += n
	}
	if len(names) != maxKinds+1 || sum != total || names["other"] != total-maxKinds || names["EtherType 0x0600"] != 1 {
		t.Errorf("%d names for %d of %d frames: other %d", len(names), sum, total, names["other"])
	}
	if u.add(0x0806) {
		t.Error("ARP is counted as unreadable")
	}
}
