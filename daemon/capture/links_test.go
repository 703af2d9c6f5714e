package capture

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// host returns a snapshot with an interface of each kind.
func host() *Links {
	on := func(index int, name, kind string, master int) Link {
		return Link{Index: index, Name: name, Kind: kind, Master: master, Up: true, Carrier: true}
	}
	tagged := on(20, "eth0.10", "vlan", 0)
	tagged.Parent, tagged.VLAN = 2, Tag{packet.EtherTypeVLAN, 10}
	hardware := on(2, "eth0", "", 0)
	hardware.Others = []string{"enp0s3"}
	off := on(8, "eth8", "", 0)
	off.Up = false
	unplugged := on(9, "eth9", "", 0)
	unplugged.Carrier = false
	return NewLinks([]Link{
		tagged, on(1, "lo", "", 0), hardware, on(3, "br0", "bridge", 0), on(4, "port", "veth", 3),
		on(5, "vrf0", "vrf", 0), on(6, "inside", "veth", 5), on(7, "ghostly", "veth", 99), off, unplugged,
		on(10, "vrf1", "vrf", 0),
	}, nil)
}

func TestCaptured(t *testing.T) {
	for _, tt := range []struct {
		names, captured, missing []string
	}{
		{nil, []string{"lo", "eth0", "br0", "vrf0", "inside", "vrf1", "eth0.10"}, nil},
		{[]string{"eth0"}, []string{"eth0"}, nil},
		{[]string{"enp0s3", "eth0.10"}, []string{"eth0", "eth0.10"}, nil},
		{[]string{"vrf0"}, []string{"vrf0", "inside"}, nil},
		{[]string{"vrf1"}, []string{"vrf1"}, []string{"vrf1 has no port that is up"}},
		{[]string{"eth8", "eth9", "wlan0", "lo"}, []string{"lo"}, []string{"eth8 is down", "eth9 has no carrier", "wlan0 does not exist"}},
		{[]string{"port", "ghostly"}, nil, []string{"port is a port of br0, where its packets count", "ghostly is a port of another interface, where its packets count"}},
		{[]string{}, []string{"lo", "eth0", "br0", "vrf0", "inside", "vrf1", "eth0.10"}, nil},
	} {
		captured, missing := host().Captured(tt.names)
		if diff := cmp.Diff([][]string{tt.captured, tt.missing}, [][]string{captured, missing}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.names, diff)
		}
	}
}

func TestCounting(t *testing.T) {
	ten, twenty := Tag{packet.EtherTypeVLAN, 10}, Tag{packet.EtherTypeVLAN, 20}
	for _, tt := range []struct {
		name  string
		names []string
		links *Links
		a     arrival
		want  bool
	}{
		{"hardware", nil, host(), arrival{iface: 2}, true},
		{"a broadcast", nil, host(), arrival{iface: 2, packetType: unix.PACKET_BROADCAST}, true},
		{"a multicast", nil, host(), arrival{iface: 2, packetType: unix.PACKET_MULTICAST}, true},
		{"for another host", nil, host(), arrival{iface: 2, packetType: unix.PACKET_OTHERHOST}, false},
		{"our own", nil, host(), arrival{iface: 2, packetType: unix.PACKET_OUTGOING}, false},
		{"a type that nobody knows", nil, host(), arrival{iface: 2, packetType: 200}, false},
		{"a bridge", nil, host(), arrival{iface: 3}, true},
		{"its port", nil, host(), arrival{iface: 4}, false},
		{"a port of something unknown", nil, host(), arrival{iface: 7}, false},
		{"a port of a VRF", nil, host(), arrival{iface: 6}, true},
		{"an interface newer than the snapshot", nil, host(), arrival{iface: 77}, true},
		{"a VLAN with an interface", nil, host(), arrival{iface: 2, tag: ten}, false},
		{"that interface", nil, host(), arrival{iface: 20}, true},
		{"a VLAN without one", nil, host(), arrival{iface: 2, tag: twenty}, true},
		{"the same VLAN elsewhere", nil, host(), arrival{iface: 3, tag: ten}, true},
		{"the same id in tags of another kind", nil, host(), arrival{iface: 2, tag: Tag{packet.EtherTypeQinQ, 10}}, true},
		{"a priority", nil, host(), arrival{iface: 2, tag: Tag{packet.EtherTypeVLAN, 0}}, true},
		{"one that was asked for", []string{"eth0"}, host(), arrival{iface: 2}, true},
		{"by another name", []string{"enp0s3"}, host(), arrival{iface: 2}, true},
		{"one that was not", []string{"eth0"}, host(), arrival{iface: 1}, false},
		{"one newer than the snapshot, when some are asked for", []string{"eth0"}, host(), arrival{iface: 77}, false},
		{"a port asked for", []string{"port"}, host(), arrival{iface: 4}, false},
		{"a port of a VRF asked for", []string{"vrf0"}, host(), arrival{iface: 6}, true},
		{"nothing known, all asked for", nil, nil, arrival{iface: 2}, true},
		{"nothing known, one asked for", []string{"eth0"}, nil, arrival{iface: 2}, false},
	} {
		if got := newCounting(tt.links, tt.names).packet(&tt.a); got != tt.want {
			t.Errorf("%s: counts is %v", tt.name, got)
		}
	}
}

// A frame in a VLAN is for nobody unless the VLAN has an interface. There it comes again.
func TestVLANs(t *testing.T) {
	const ten, twenty = 10, 20
	priority := Tag{packet.EtherTypeVLAN, 0}
	for _, tt := range []struct {
		name             string
		links            *Links
		a                arrival
		stray, elsewhere bool
	}{
		{"no tag", host(), arrival{iface: 2}, false, false},
		{"a VLAN without an interface", host(), arrival{iface: 2, tag: Tag{packet.EtherTypeVLAN, twenty}}, true, false},
		{"a tag of another kind", host(), arrival{iface: 2, tag: Tag{packet.EtherTypeQinQ, ten}}, true, false},
		{"a VLAN in a VLAN", host(), arrival{iface: 2, tag: Tag{packet.EtherTypeQinQ, twenty}, left: true, inner: ten}, true, false},
		{"a priority", host(), arrival{iface: 2, tag: priority}, false, false},
		{"two priorities", host(), arrival{iface: 2, tag: priority, left: true}, false, false},
		{"a VLAN behind a priority", host(), arrival{iface: 2, tag: priority, left: true, inner: twenty}, true, false},
		{"one with an interface", host(), arrival{iface: 2, tag: priority, left: true, inner: ten}, true, true},
		{"that on another link", host(), arrival{iface: 3, tag: priority, left: true, inner: ten}, true, false},
		{"a tag that the kernel does not take off", host(), arrival{iface: 2, left: true}, true, false},
		{"links that are not known", nil, arrival{iface: 2, tag: Tag{packet.EtherTypeVLAN, twenty}}, false, false},
	} {
		c := newCounting(tt.links, nil)
		if stray, elsewhere := c.stray(&tt.a), c.elsewhere(&tt.a); stray != tt.stray || elsewhere != tt.elsewhere {
			t.Errorf("%s: stray %v, elsewhere %v", tt.name, stray, elsewhere)
		}
	}
}

// Own has the broadcast addresses too, and a change of them is a change of the links.
func TestOwn(t *testing.T) {
	links := NewLinks(nil, prefixes("192.0.2.7/32"))
	same := NewLinks(nil, prefixes("192.0.2.7/32"))
	links.broadcasts = prefixes("192.0.2.255/32")
	if want := prefixes("127.0.0.0/8", "192.0.2.7/32", "192.0.2.255/32"); !slices.Equal(links.Own(), want) {
		t.Errorf("got %v, want %v", links.Own(), want)
	}
	if links.equal(same) || !slices.Equal(links.Addresses(), same.Addresses()) {
		t.Error("a broadcast address changes nothing, or is an address of this host")
	}
}

func TestAddresses(t *testing.T) {
	links := NewLinks(nil, prefixes("2001:db8::1/128", "192.0.2.7/32", "127.0.0.1/32", "192.0.2.7/32", "198.51.100.9/24"))
	want := prefixes("127.0.0.0/8", "127.0.0.1/32", "192.0.2.7/32", "198.51.100.0/24", "2001:db8::1/128")
	got := links.Addresses()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got[0] = want[4]; links.Addresses()[0] != want[0] {
		t.Error("a snapshot was changed through what it returned")
	}
}

func FuzzLocalRoute(f *testing.F) {
	f.Add([]byte{2, 32, 0, 0, 255, 2, 0, 2, 0, 0, 0, 0, 8, 0, 1, 0, 192, 0, 2, 1})
	f.Add([]byte{10, 128, 0, 0, 255, 2, 0, 4, 0, 0, 0, 0, 20, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(_ *testing.T, message []byte) { localRoute(message) })
}
