package firewall

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

func TestRealForeignFlushIsRepaired(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	guards, elements := effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{element(client6Address, tcp22, time.Minute)}
	must(t, g.Install(guards, elements))
	var calls atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	w.beside(func() {
		if err := g.Monitor(ctx, func() {
			calls.Add(1)
			if err := g.Install(guards, elements); err != nil {
				t.Errorf("repairing: %v", err)
			}
		}); err != nil {
			t.Errorf("monitoring: %v", err)
		}
	})
	defer cancel()
	eventually(t, "the first call", func() bool { return calls.Load() == 1 })
	for _, damage := range []string{
		"flush ruleset", "delete table inet sesame", "flush chain inet sesame guard", "flush set inet sesame guarded",
		"delete element inet sesame guarded { tcp . 22 }", "add table inet sesame { flags dormant; }",
		"insert rule inet sesame guard accept", "add chain inet sesame other; add set inet sesame mine { type mark; }",
		"add element inet sesame grants4 { 198.51.100.2 . tcp . 22 timeout 1h }", "add element inet sesame grants4 { 198.51.100.2 . sctp . 22 }",
		"add element inet sesame networks4 { 198.51.100.1-198.51.100.9 . tcp . 20-30 }", "add element inet sesame trusted4 { 198.51.100.0/24 }",
		"add element inet sesame interfaces { cable }",
	} {
		before := calls.Load()
		w.run("", "nft", damage)
		eventually(t, "a call after "+damage, func() bool { return calls.Load() > before })
		eventually(t, "the repair of "+damage, func() bool { return !w.slips("", server4) && w.reaches("", server6) })
	}
	// Our own changes, and what others do elsewhere, lead to no call.
	w.run("", "nft", "add table ip elsewhere")
	before := calls.Load()
	for i := range 100 {
		apply(t, g, element("192.0.2.1", tcp22, time.Duration(i%2)*time.Minute))
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp53}}, elements))
	w.run("", "nft", "add chain ip elsewhere none; add rule ip elsewhere none accept")
	must(t, g.Install(guards, elements))
	w.run("", "nft", "add chain ip elsewhere base { type filter hook input priority 0; }")
	eventually(t, "a call after a base chain of another", func() bool { return calls.Load() > before })
	if n := calls.Load(); n != before+1 {
		t.Errorf("%d calls for one change of another", n-before)
	}
}

// hammer sends the first packet of a connection to tcp/22 as often as it can until
// stop is called, which returns how many were answered. It counts what it sends: at
// some 50,000 a second hardly a moment passes without one.
func (w *cabled) hammer(sent *atomic.Int64) (stop func() (opened int)) {
	end, done := make(chan struct{}), make(chan struct{})
	opened := 0
	started := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := netns.Set(w.client); err != nil {
			w.t.Error(err)
		}
		close(started)
		var waiting []unix.PollFd
		for running := true; running; {
			select {
			case <-end:
				running = false
			default:
			}
			for range 200 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					w.t.Error(err)
					return
				}
				_ = unix.Connect(fd, &unix.SockaddrInet4{Port: 22, Addr: netip.MustParseAddr(serverAddress).As4()}) // in progress
				waiting = append(waiting, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
			}
			sent.Add(int64(len(waiting)))
			_, _ = unix.Poll(waiting, 0)
			for _, one := range waiting {
				if one.Revents&unix.POLLOUT != 0 && one.Revents&unix.POLLERR == 0 {
					opened++
				}
				_ = unix.Close(int(one.Fd))
			}
			waiting = waiting[:0]
		}
	}()
	<-started
	return func() int { close(end); <-done; return opened }
}

func TestRealReinstallLeavesNoGap(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	kept := element("192.0.2.1", tcp22, time.Hour)
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{kept}))
	// What an older version may have left: other rules, other sets, another chain.
	older := []string{
		"add rule inet sesame guard accept",
		"add set inet sesame old { type ipv4_addr; }; insert rule inet sesame guard ip saddr @old accept",
		"add chain inet sesame older { type filter hook prerouting priority -200; policy accept; }; add rule inet sesame older tcp dport 22 tcp flags & (syn|ack) == syn drop",
		"flush chain inet sesame guard; delete chain inet sesame guard; add chain inet sesame guard { type filter hook prerouting priority -140; policy accept; }; add rule inet sesame guard tcp dport 22 tcp flags & (syn|ack) == syn drop",
	}
	var sent atomic.Int64
	stop := w.hammer(&sent)
	for i := 0; i < 60 || sent.Load() < 1000; i++ {
		if i%5 == 0 {
			w.run("", "nft", older[i/5%len(older)])
		}
		fresh := NewGuard(GuardConfig{}) // as after a restart: it does not know what it left
		guards := effect.Guards{Drop: []packet.Port{tcp22}}
		if i%2 == 0 {
			guards.Drop = append(guards.Drop, tcp80, udp53)
		}
		must(t, fresh.Install(guards, []effect.Element{kept}))
		must(t, fresh.Close())
	}
	if opened := stop(); opened > 0 {
		t.Errorf("of %d packets %d opened a guarded port while the guard was installed again", sent.Load(), opened)
	}
	got, err := g.Elements()
	must(t, err)
	if len(got) != 1 || got[0].Source != kept.Source {
		t.Errorf("elements: %v", got)
	}
}

func TestRealReinstallLeavesWhatIsRight(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	guards := effect.Guards{Drop: []packet.Port{tcp22}}
	elements := []effect.Element{element("192.0.2.1", tcp22, time.Hour), element("192.0.2.128/25", tcp22, time.Hour), element("2001:db8:7::/48", udp53, time.Hour)}
	must(t, g.Install(guards, elements))
	if w.slips("", server4) {
		t.Fatal("the port is open")
	}
	before := w.run("", "nft", "-a", "list", "table", "inet", "sesame")
	handles := func(s string) string { // without the times that are left
		var lines []string
		for line := range strings.Lines(s) {
			if !strings.Contains(line, "expires") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	must(t, g.Install(guards, elements))
	if diff := cmp.Diff(handles(before), handles(w.run("", "nft", "-a", "list", "table", "inet", "sesame"))); diff != "" {
		t.Errorf("an install of what is there already changed the table (-before +after):\n%s", diff)
	}
	fresh := NewGuard(GuardConfig{})
	defer fresh.Close()
	must(t, fresh.Install(guards, append(elements[:1:1], element("192.0.2.7", tcp22, time.Minute))))
	shown, _, err := fresh.Show()
	must(t, err)
	if shown.Dropped == 0 {
		t.Error("a new install forgets what was counted")
	}
	if got := len(shown.Elements); got != 2 {
		t.Errorf("%d elements: %v", got, shown.Elements)
	}
}

// TestRealListingLoads loads what nft prints: people keep their rulesets so.
func TestRealListingLoads(t *testing.T) {
	w, g := newGuard(t, GuardConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, TrustedInterfaces: []string{"wg0"}})
	e := element(clientAddress, tcp22, time.Hour)
	e.Door = "a \"door\"; flush ruleset # ünï" + strings.Repeat("é", 100)
	network := element("192.0.2.0/24", tcp22, time.Hour)
	guards := effect.Guards{Drop: []packet.Port{tcp22}, Count: []packet.Port{udp53}}
	must(t, g.Install(guards, []effect.Element{e, network}))
	saved := w.run("", "nft", "list", "ruleset")
	w.run("", "nft", "flush", "ruleset")
	w.run(saved, "nft", "-f", "-")
	got, err := g.Elements()
	must(t, err)
	if len(got) != 2 || got[1].Source != e.Source || !strings.HasPrefix(got[1].Door, "a \"door\"; flush ruleset # ünï") {
		t.Errorf("elements after the listing was loaded: %v", got)
	}
	shown, _, err := g.Show()
	must(t, err)
	if diff := cmp.Diff(guards, shown.Guards); diff != "" {
		t.Errorf("guards (-want +got):\n%s", diff)
	}
	if !w.reaches("198.51.100.2", server4) {
		t.Error("the grant does not open")
	}
}

func TestRealManyElements(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	elements := make([]effect.Element, 20_000)
	for i := range elements {
		elements[i] = element(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), tcp22, time.Hour)
		elements[i].Grant = uint64(i)
	}
	start := time.Now()
	apply(t, g, elements...)
	t.Logf("20,000 elements in %v", time.Since(start))
	start = time.Now()
	got, err := g.Elements()
	must(t, err)
	t.Logf("read back in %v", time.Since(start))
	if len(got) != len(elements) {
		t.Fatalf("%d elements", len(got))
	}
	start = time.Now()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, elements))
	t.Logf("an install of what is there in %v", time.Since(start))
	w.run("", "nft", "flush", "ruleset")
	start = time.Now()
	more := append(slices.Clone(elements), element(clientAddress, tcp22, time.Hour))
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, more))
	t.Logf("a repair in %v", time.Since(start))
	if !w.reaches("", server4) {
		t.Error("the last of many elements is missing")
	}
	for i := range elements {
		elements[i].Remaining = 0
	}
	start = time.Now()
	apply(t, g, elements...)
	t.Logf("removed in %v", time.Since(start))
	if got, err = g.Elements(); err != nil || len(got) != 1 {
		t.Errorf("%d elements are left: %v", len(got), err)
	}
}

func TestRealGone(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.run("", "nft", "delete table inet sesame")
	errs := g.Apply([]effect.Element{element(clientAddress, tcp22, time.Minute), element("192.0.2.0/24", tcp22, time.Minute)})
	for _, err := range errs {
		if !errors.Is(err, effect.ErrGone) {
			t.Errorf("a change without a table: %v", err)
		}
	}
	if len(errs) != 2 {
		t.Errorf("%d errors", len(errs))
	}
	if got, err := g.Elements(); len(got) != 0 || err != nil {
		t.Errorf("elements without a table: %v, %v", got, err)
	}
	if _, ok, err := g.Show(); ok || err != nil {
		t.Errorf("a table that is gone is shown: %v", err)
	}
	if err := g.GrantDirectly(netip.MustParsePrefix(clientAddress+"/32"), tcp22, time.Minute); !errors.Is(err, effect.ErrGone) {
		t.Errorf("a direct grant without a table: %v", err)
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	apply(t, g, element(clientAddress, tcp22, time.Minute))
	if !w.reaches("", server4) {
		t.Error("after a repair nothing opens")
	}
}

func TestRealGrantDirectly(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	source := netip.MustParsePrefix(clientAddress + "/32")
	must(t, g.GrantDirectly(source, tcp22, time.Hour))
	if !w.reaches("", server4) {
		t.Error("a direct grant does not open")
	}
	must(t, g.GrantDirectly(source, tcp22, time.Minute))
	got, err := g.Elements()
	must(t, err)
	if len(got) != 1 || got[0].Remaining < 50*time.Minute || got[0].Grant != 0 || got[0].Door != "" {
		t.Errorf("a shorter grant after a longer one: %v", got)
	}
	if was, err := g.Remove(); !was || err != nil {
		t.Errorf("removing: %v, %v", was, err)
	}
	if was, err := g.Remove(); was || err != nil {
		t.Errorf("removing again: %v, %v", was, err)
	}
	apply(t, g)
	if !w.reaches("198.51.100.2", server4) {
		t.Error("without the table the port is shut")
	}
}

// BenchmarkApply changes one element: what a knock waits for.
func BenchmarkApply(b *testing.B) {
	newCabled(b)
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(b, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	for b.Loop() {
		must(b, errors.Join(g.Apply([]effect.Element{element(clientAddress, tcp22, time.Minute)})...))
	}
}
