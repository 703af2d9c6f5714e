package capture

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Without CAP_NET_ADMIN the kernel gives no more than net.core.rmem_max. The capture works all the
// same, and counts what it loses.
func TestRealBufferWithoutTheRightToForceIt(t *testing.T) {
	namespace(t)
	cable(t, "here", "there")
	w := plug(t, "there", "here")
	withoutNetAdmin(t)
	s := open(t, Config{Program: udpFilter(7000), Links: snapshot(t)})
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	must(t, err)
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	want := min(defaultBuffer, 2*most) // the kernel doubles it (socket(7))
	if size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF); size != want || err != nil {
		t.Errorf("a buffer of %d bytes, %v: expected %d", size, err, want)
	}
	for range 1000 {
		w.knock(t, "many", 4)
	}
	got := 0
	for f := (Frame{}); s.Next(&f); {
		got++
	}
	if lost, err := s.Lost(); got == 0 || got+int(lost) != 1000 || err != nil {
		t.Errorf("got %d, lost %d, %v: expected 1000 in all", got, lost, err)
	}
}

// withoutNetAdmin takes CAP_NET_ADMIN from this thread, which is not used by any other test.
func withoutNetAdmin(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	must(t, unix.Capget(&header, &sets[0]))
	sets[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	must(t, unix.Capset(&header, &sets[0]))
}
