package capture

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Packets whose link headers differ in what the kernel tells have other digests. Without a header
// there is none.
func TestLinkDigest(t *testing.T) {
	base := func() arrival {
		return arrival{packetType: unix.PACKET_HOST, sender: [9]byte{6, 2, 0, 0, 0, 0, 1}}
	}
	seen := map[uint64]string{}
	for _, tt := range []struct {
		name string
		set  func(*arrival)
	}{
		{"plain", func(*arrival) {}},
		{"another sender", func(a *arrival) { a.sender[6] = 2 }},
		{"a longer address", func(a *arrival) { a.sender[0], a.sender[8] = 8, 1 }},
		{"broadcast", func(a *arrival) { a.packetType = unix.PACKET_BROADCAST }},
		{"multicast", func(a *arrival) { a.packetType = unix.PACKET_MULTICAST }},
		{"a VLAN", func(a *arrival) { a.tag = Tag{vlan1q, 7} }},
		{"another VLAN", func(a *arrival) { a.tag = Tag{vlan1q, 8} }},
		{"a VLAN of a provider", func(a *arrival) { a.tag = Tag{vlan1ad, 7} }},
		{"a VLAN in a VLAN", func(a *arrival) { a.tag, a.inner = Tag{vlan1q, 7}, 9 }},
		{"no sender, in a VLAN", func(a *arrival) { a.sender, a.tag = [9]byte{}, Tag{vlan1q, 7} }},
	} {
		a, again := base(), base()
		tt.set(&a)
		tt.set(&again)
		digest := a.linkDigest()
		if digest == 0 || digest != again.linkDigest() || seen[digest] != "" {
			t.Errorf("%s: digest %x, also of %q", tt.name, digest, seen[digest])
		}
		seen[digest] = tt.name
	}
	if bare := (arrival{}); bare.linkDigest() != 0 {
		t.Errorf("without a link header: digest %x, want 0", bare.linkDigest())
	}
}

func TestRealLinkDigest(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	w := plug(t, "there", "here")
	w.knock(t, "one", 4)
	w.knock(t, "again", 4)
	other := *w
	other.source = net.HardwareAddr{2, 0, 0, 0, 0, 99}
	other.knock(t, "another sender", 4)
	other.source, other.dest = w.source, net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	other.knock(t, "broadcast", 4)
	w.knock(t, "tagged", 4, [2]uint16{vlan1q, 10})
	w.knock(t, "last", 4)
	seen := map[uint64][]string{}
	for _, f := range frames(t, s, func(text string) bool { return text == "last" }) {
		seen[f.LinkDigest] = append(seen[f.LinkDigest], f.text)
	}
	if len(seen) != 4 || seen[0] != nil {
		t.Errorf("got the digests %v, want one of one, again and last, and three others", seen)
	}
}
