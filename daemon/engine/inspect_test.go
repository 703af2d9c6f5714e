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
	if !w.e.Now().Equal(w.now) || w.e.Attempts() != 0 {
		t.Errorf("at %v with %d attempts", w.e.Now(), w.e.Attempts())
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
