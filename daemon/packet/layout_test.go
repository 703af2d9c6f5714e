package packet

import "testing"

// The layout is that of the innermost packet, whatever stands before, in and after its headers.
func TestLayout(t *testing.T) {
	tcp := []byte("\x46\x00\x00\x2e\x00\x00\x00\x00\x40\x06\x00\x00\xcb\x00\x71\x09\xc0\x00\x02\x01\x01\x01\x01\x00" +
		"\x04\x57\x1c\xfd\x00\x00\x00\x01\x00\x00\x00\x00\x50\x02\x00\x00\x00\x00\x00\x00hi")
	udp := []byte("\x60\x00\x00\x00\x00\x12\x3c\x40" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x11\x00\x01\x04\x00\x00\x00\x00" + "\x04\x57\x1c\xfd\x00\x0a\x00\x00hi")
	for name, tt := range map[string]struct {
		link  LinkType
		frame []byte
		want  Layout
	}{
		"options of IPv4": {Raw, append(tcp, "behind"...), Layout{Transport: 24, Payload: 44, Length: 46, Protocol: 6}},
		"an extension":    {Raw, udp, Layout{Transport: 48, Payload: 56, Length: 58, Protocol: 17}},
		"behind a header": {Ethernet, append([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x86\xdd"), udp...), Layout{Transport: 48, Payload: 56, Length: 58, Protocol: 17}},
	} {
		var p Packet
		d := NewDecoder()
		if drop := d.Decode(tt.link, tt.frame, len(tt.frame), &p); drop != NotDropped || string(p.Payload) != "hi" && name != "options of IPv4" {
			t.Errorf("%s: %v, payload %q", name, drop, p.Payload)
		}
		if got := d.Layout(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
