package packet

import "testing"

func TestLinkTypeNames(t *testing.T) {
	for link, want := range map[LinkType]string{
		Null: "NULL", Ethernet: "ETHERNET", RawBSD: "RAW", RawOther: "RAW", Raw: "RAW", Loop: "LOOP",
		SLL: "LINUX_SLL", IPv4: "IPV4", IPv6: "IPV6", SLL2: "LINUX_SLL2", 127: "link type 127",
	} {
		if got := link.String(); got != want {
			t.Errorf("%d: got %q, want %q", link, got, want)
		}
	}
}

// Supported must agree with Network: frames of a supported type can carry IP, and others never do.
func TestLinkTypeSupported(t *testing.T) {
	frames := [][]byte{
		ethernet(t, typeIPv4, syn4(t, "")), sll(typeIPv4, 6, syn4(t, "")), sll2(typeIPv4, syn4(t, "")),
		append([]byte{2, 0, 0, 0}, syn4(t, "")...), syn4(t, ""),
	}
	for l := range 1 << 16 {
		link, carries := LinkType(l), false
		for _, frame := range frames {
			etherType, _ := link.Network(frame)
			carries = carries || etherType == EtherTypeIPv4
		}
		if link == IPv6 {
			carries = true
		}
		if carries != link.Supported() {
			t.Errorf("%v: supported is %v", link, link.Supported())
		}
	}
}
