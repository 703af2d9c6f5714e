package engine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestElementsAreWhatTheKernelMustHold(t *testing.T) {
	wide := func(bits int, ttl time.Duration) handlerFunc {
		return always(Allow{Ports: ports(t, "tcp/22"), Bits4: bits, TTL: ttl})
	}
	w := newWorld(t,
		guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"),
		scripted(aDoor(t, "a", "udp/501"), HookOpen, wide(24, 20*time.Minute)),
		scripted(aDoor(t, "b", "udp/502"), HookOpen, wide(16, 10*time.Minute)),
		scripted(aDoor(t, "c", "udp/503"), HookOpen, always(mount)))
	w.knock(alice, "udp/500", "udp/501", "udp/502", "udp/503")
	w.record(w.e.Grant(w.now, netip.MustParsePrefix("203.0.113.9/32"), ports(t, "tcp/22")[0], time.Hour))
	ssh := ports(t, "tcp/22")[0]
	want := []Element{
		{Source: netip.MustParsePrefix("203.0.113.9/32"), Port: ssh, Until: monday.Add(time.Hour), Grant: 5},
		{Source: netip.MustParsePrefix("203.0.0.0/16"), Port: ssh, Until: monday.Add(10 * time.Minute), Grant: 3, Door: "b"},
	}
	equal := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, w.e.Elements(), equal); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	w.tick(10 * time.Minute)
	want[0], want[1] = Element{Source: netip.MustParsePrefix("203.0.113.0/24"), Port: ssh, Until: monday.Add(20 * time.Minute), Grant: 2, Door: "a"}, want[0]
	if diff := cmp.Diff(want, w.e.Elements(), equal); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	ids := []uint64{}
	for _, g := range w.e.Grants() {
		ids = append(ids, g.ID)
	}
	if diff := cmp.Diff([]uint64{2, 5}, ids); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if !w.e.Now().Equal(w.now) || w.e.attempts.used != 0 {
		t.Errorf("at %v with %d attempts", w.e.Now(), w.e.attempts.used)
	}
}

func TestEffectsOfOneDecisionNameIt(t *testing.T) {
	second := Exec{Argv: []string{"/bin/second"}, Timeout: time.Second, Required: true}
	d := scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Log{"before"}, Allow{}, second, Log{"after"}, mount))
	w := newWorld(t, d)
	for range 2 {
		w.knock(alice, "udp/501")
	}
	w.tick(time.Hour)
	got := [][2]uint64{}
	for _, e := range w.got {
		if e.Kind == EventEffect && e.Effect != EffectPersist {
			got = append(got, [2]uint64{e.ID, e.Decision})
		}
	}
	want := [][2]uint64{{0, 0}, {1, 1}, {2, 1}, {0, 1}, {3, 1}, {0, 0}, {4, 4}, {5, 4}, {0, 4}, {0, 4}, {6, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("id and reply of each effect (-want +got):\n%s", diff)
	}
}

// TestAttemptsThatAreOver: an attempt whose time is over does not count, although no packet came
// since. What a reload made void does not count either.
func TestAttemptsThatAreOver(t *testing.T) {
	slow := aDoor(t, "slow", "udp/501", "udp/502")
	slow.Within = time.Minute
	quick := aDoor(t, "quick", "udp/503", "udp/504")
	quick.Within = 2 * time.Second
	w := newWorld(t, slow, quick)
	w.knock(alice, "udp/501")
	w.knock("203.0.113.8", "udp/503")
	w.advance(time.Second)
	w.knock("203.0.113.9", "udp/503")
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 3}, {999 * time.Millisecond, 3}, {time.Second, 2}, {2 * time.Second, 1}, {59*time.Second - 1, 1}, {59 * time.Second, 0}, {time.Hour, 0}} {
		if n := w.e.Attempts(w.now.Add(tt.after)); n != tt.want {
			t.Errorf("after %s: %d attempts, want %d", tt.after, n, tt.want)
		}
		if n := w.e.Overdue(w.now.Add(tt.after)); n != 3-tt.want {
			t.Errorf("after %s: %d attempts are over, want %d", tt.after, n, 3-tt.want)
		}
	}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{slow}}))
	if n := w.e.Attempts(w.now); n != 1 {
		t.Errorf("%d attempts after a reload without their door, want 1", n)
	}
	if w.e.attempts.used == 0 {
		t.Error("the question changed the engine")
	}
}

// TestEachFirstKnockIsAMissInTheEnd: whether a later knock has taken the room of an attempt that is
// over or not, it counts once.
func TestEachFirstKnockIsAMissInTheEnd(t *testing.T) {
	quick := aDoor(t, "quick", "udp/503", "udp/504")
	quick.Within = 2 * time.Second
	w := newWorld(t, quick)
	p := w.packet(alice, "udp/503")
	for i := range 1000 {
		w.advance(time.Duration(i%7) * time.Millisecond * 100)
		p.Time, p.Source = w.now, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		w.e.Packet(&p)
		if n := w.e.Counts().Misses + w.e.Overdue(w.now) + w.e.Attempts(w.now); n != i+1 {
			t.Fatalf("%d misses and attempts after %d knocks", n, i+1)
		}
	}
	if n := w.e.Counts().Misses + w.e.Overdue(w.now.Add(2*time.Second)); n != 1000 {
		t.Errorf("%d misses after 1000 knocks", n)
	}
}

// TestAttemptsAreCountedWithABound: of more than the bound, those beyond it count.
func TestAttemptsAreCountedWithABound(t *testing.T) {
	const more = 7
	w := &world{t: t, now: monday, e: New(Config{Attempts: maxOverdue + more}, monday)}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{aDoor(t, "a", "udp/501", "udp/502")}}))
	p := w.packet(alice, "udp/501")
	for i := range maxOverdue + more {
		p.Time, p.Source = w.now, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		w.e.Packet(&p)
	}
	if n := w.e.Attempts(w.now); n != maxOverdue+more {
		t.Errorf("%d attempts", n)
	}
	if n := w.e.Attempts(w.now.Add(time.Hour)); n != more {
		t.Errorf("%d attempts after all are over, want the %d beyond the bound", n, more)
	}
}
