package firewall

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// TestRealServiceAtAnotherAddress: a program that waits at the loopback address only is named.
func TestRealServiceAtAnotherAddress(t *testing.T) {
	w := newCabled(t)
	w.listen("127.0.0.1:22")
	g := NewGuard(GuardConfig{})
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, tcp80}}, nil))
	w.measure(g)
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	apply(t, g, element(clientAddress, tcp80, time.Hour))
	w.tryAgain(clientAddress, tcp22)
	r := w.result(g, clientAddress, tcp22, reach.Answered)
	if want := "# a program waits at 127.0.0.1 only: let it listen at " + serverAddress + ", too"; !r.Closed || strings.Join(r.Lines, "\n") != want {
		t.Errorf("%+v, want the line %s", r, want)
	}
	w.tryAgain(clientAddress, tcp80)
	if r := w.result(g, clientAddress, tcp80, reach.Answered); !r.Closed || r.Lines != nil {
		t.Errorf("%+v, want no line", r)
	}
}

// TestRealNoRoute: only an address without a route has none.
func TestRealNoRoute(t *testing.T) {
	newCabled(t)
	for address, want := range map[string]bool{clientAddress: false, client6Address: false, "192.0.2.77": true, "2001:db8:77::1": true} {
		if got := hasNoRoute(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t, want %t", address, got, want)
		}
	}
}

// FuzzDiagAddress: any answer of the kernel is read without a crash.
func FuzzDiagAddress(f *testing.F) {
	f.Add(make([]byte, diagReplySize), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, port uint16) {
		if a, ok := diagAddress(data, port); ok != a.IsValid() {
			t.Errorf("%v, %t", a, ok)
		}
	})
}
