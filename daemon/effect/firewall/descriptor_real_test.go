package firewall

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A process that has no file descriptor left opens and shuts ports all the same, also after the
// kernel has refused something.
func TestRealGrantsWithoutDescriptors(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	lower := limit
	lower.Cur = min(limit.Cur, 200)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lower))
	var all []*os.File
	free := func() {
		for _, file := range all {
			_ = file.Close()
		}
		all = nil
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	}
	defer free()
	for {
		file, err := os.Open(os.DevNull)
		if errors.Is(err, unix.EMFILE) {
			break
		}
		must(t, err)
		all = append(all, file)
	}
	apply(t, g, element(clientAddress, tcp22, time.Minute))
	if err := g.socket.transact([]message{{what: "nothing that is known", kind: 250}}); err == nil {
		t.Fatal("the kernel takes what it must refuse")
	}
	apply(t, g, element(client6Address, tcp22, time.Minute))
	elements, err := g.Elements()
	must(t, err)
	if len(elements) != 2 {
		t.Errorf("the kernel has %v, want 2 elements", elements)
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, tcp80}}, elements))
	gone := element(clientAddress, tcp22, 0)
	gone.Cut = true
	apply(t, g, gone)
	free()
	if w.slips("", server4) || !w.slips("", server6) {
		t.Error("the ports are not as they were set")
	}
}
