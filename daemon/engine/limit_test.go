package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// limited gives a door a limit.
func limited(d *Door, count int, per time.Duration, perSource bool) *Door {
	d.Limit = &Limit{Count: count, Per: per, PerSource: perSource, Text: fmt.Sprintf("%d/%v", count, per)}
	return d
}

// flood sends one knock from each of n sources, which nobody has seen before.
func (w *world) flood(n int, port string) {
	for range n {
		w.knock(netip.AddrFrom4([4]byte{198, 18, byte(w.sent >> 8), byte(w.sent)}).String(), port)
	}
}

// Each source of a flood has an allowance, like an honest one: the bound of memory refuses nobody.
func TestAFloodOfSourcesRefusesNobody(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 16}, monday)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{limited(aDoor(t, "bell", "udp/500"), 1, time.Hour, true)}}))
	w.flood(100, "udp/500")
	w.knock(alice, "udp/500")
	if c := w.e.Counts(); c.Opens != 101 || c.Refusals != 0 {
		t.Errorf("counts %+v", c)
	}
	if n := w.e.limits.used; n != 16 {
		t.Errorf("%d buckets, want 16", n)
	}
}

// Whoever tries again and again is remembered. It is the sources with one knock that make room.
func TestAFloodDoesNotHideWhoTriesAgain(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 16}, monday)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{
		limited(aDoor(t, "bell", "udp/500"), 3, time.Hour, true), limited(aDoor(t, "gong", "udp/501"), 20, time.Second, true),
		limited(aDoor(t, "horn", "udp/502"), 1, time.Hour, false)}}))
	w.knock(alice, "udp/500", "udp/500", "udp/502", "udp/501")
	w.flood(100, "udp/500")
	w.knock(alice, "udp/500", "udp/500", "udp/502")
	got := []string{}
	for _, event := range w.got {
		if event.Kind == EventRefuse {
			got = append(got, brief(event))
		}
	}
	want := []string{"0s refuse bell 203.0.113.9 limit (3/1h0m0s)", "0s refuse horn 203.0.113.9 limit (1/1h0m0s)"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	if a := w.e.limits.byLimit[limitKey{"gong", 20, time.Second}]; len(a.queue) != 1 {
		t.Errorf("the flood at one door removed the bucket of another")
	}
}

// What a flood has left behind goes when as many have come again, without a reload.
func TestWholeAllowancesAreForgotten(t *testing.T) {
	w := newWorld(t, limited(aDoor(t, "bell", "udp/500"), 20, time.Second, true))
	w.flood(100, "udp/500")
	w.advance(49 * time.Millisecond)
	w.flood(1, "udp/500")
	if n := w.e.limits.used; n != 101 {
		t.Errorf("%d buckets, want 101", n)
	}
	w.advance(time.Millisecond)
	w.flood(99, "udp/500")
	if n := w.e.limits.used; n != 100 {
		t.Errorf("%d buckets, want 100: a hundred were whole again, and as many of the others are new", n)
	}
	w.advance(time.Second)
	w.record(w.e.Swap(w.now, &Set{}))
	if n := len(w.e.limits.byLimit); n != 0 || w.e.limits.used != 0 {
		t.Errorf("after a reload %d limits with %d buckets", n, w.e.limits.used)
	}
}

// A state leaves out what is whole again. At the capacity, an engine that was resumed from it must
// refuse the same sources as the one that still has it.
func TestWholeAllowancesDecideNothing(t *testing.T) {
	doors := []*Door{limited(aDoor(t, "bell", "udp/500"), 1, time.Second, true), limited(aDoor(t, "gong", "udp/501"), 1, time.Hour, true)}
	source := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, 0, byte(n)}) }
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		live, now := newLimits(12), int64(1e18)
		var replayed *limits
		for i := range 60 {
			if i == 30 {
				replayed = newLimits(12)
				if err := replayed.resume(live.state(now)); err != nil {
					t.Fatal(err)
				}
			}
			d, s := doors[r.IntN(2)], source(r.IntN(20))
			ok, report := live.allow(d, s, now)
			if replayed != nil {
				if ok2, report2 := replayed.allow(d, s, now); ok2 != ok || report2 != report {
					t.Fatalf("seed %d, knock %d at %s of %v: live %v, %v; replayed %v, %v", seed, i, d.Name, s, ok, report, ok2, report2)
				}
			}
			now += r.Int64N(int64(300 * time.Millisecond))
		}
	}
}

// The limits agree with a model that keeps the times of all completions that it can still need,
// and each row of refusals is reported once.
func TestLimitsAgreeWithAModel(t *testing.T) {
	type key struct {
		door   int
		source netip.Addr
	}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		doors := []*Door{
			limited(aDoor(t, "a", "udp/1"), 1+r.IntN(4), time.Second, true),
			limited(aDoor(t, "b", "udp/2"), 1+r.IntN(4), 3*time.Second, false),
			limited(aDoor(t, "c", "udp/3"), 1+r.IntN(4), 7*time.Second, true),
			aDoor(t, "d", "udp/4"),
		}
		e := New(Config{}, monday)
		set := &Set{Doors: doors}
		e.Swap(monday, set)
		now, used, refusing := monday, map[key]float64{}, map[key]bool{} // seconds of Per used; as of last
		last := map[key]time.Time{}
		for i := range 600 {
			now = now.Add(time.Duration(r.IntN(400)) * time.Millisecond)
			n := r.IntN(len(doors))
			p := packet.Packet{Time: now, Number: i, Dest: netip.MustParseAddr("198.51.100.1"), Port: doors[n].Sequence[0].Port,
				Source: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))}), SourcePort: uint16(i)}
			switch r.IntN(40) {
			case 0:
				e.Swap(now, set)
			case 1:
				next, err := Resume(Config{}, e.State(), set)
				if err != nil {
					t.Fatal(err)
				}
				e = next
			}
			opened, reported := false, false
			for _, event := range e.Packet(&p) {
				opened = opened || event.Kind == EventOpen
				reported = reported || event.Kind == EventRefuse
			}
			want, wantReport := true, false
			if limit := doors[n].Limit; limit != nil {
				k := key{door: n}
				if limit.PerSource {
					k.source = p.Source
				}
				cost := (limit.Per / time.Duration(limit.Count)).Seconds()
				level := max(0, used[k]-now.Sub(last[k]).Seconds())
				want = level+cost <= limit.Per.Seconds()+1e-9
				if want {
					level += cost
				}
				wantReport = !want && !refusing[k]
				used[k], last[k], refusing[k] = level, now, !want
			}
			if opened != want || reported != wantReport {
				t.Fatalf("seed %d, packet %d: opened %v, want %v; reported %v, want %v", seed, i, opened, want, reported, wantReport)
			}
		}
	}
}

// Status names a door that refuses, for an hour.
func TestDoorsThatRefuseAreNamed(t *testing.T) {
	w := newWorld(t, limited(aDoor(t, "bell", "udp/500"), 1, time.Minute, false), limited(aDoor(t, "gong", "udp/501"), 1, time.Minute, true))
	want := func(want ...Limiting) {
		t.Helper()
		if diff := gocmp.Diff(want, w.e.Limiting(), gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("limiting (-want +got):\n%s", diff)
		}
	}
	w.knock(alice, "udp/500", "udp/501")
	want()
	w.advance(time.Second)
	w.knock(alice, "udp/500", "udp/501")
	w.advance(time.Second)
	w.knock(bob, "udp/500")
	at := func(s int) time.Time { return monday.Add(time.Duration(s) * time.Second) }
	bell := Limiting{Door: "bell", Bound: "limit", Detail: "1/1m0s", Now: true, ByAnyone: true, Since: at(1), Last: at(2), Source: netip.MustParseAddr(bob), Count: 2}
	gong := Limiting{Door: "gong", Bound: "limit", Detail: "1/1m0s", ByAnyone: true, Since: at(1), Last: at(1), Source: netip.MustParseAddr(alice), Count: 1}
	want(bell, gong)

	t.Log("# the allowance is whole again")
	w.tick(58 * time.Second)
	bell.Now = false
	want(bell, gong)

	t.Log("# an hour after the latest refusal, and a new row")
	w.tick(time.Hour - 59*time.Second)
	want(bell)
	w.tick(time.Second)
	want()
	w.knock(alice, "udp/500", "udp/500")
	want(Limiting{Door: "bell", Bound: "limit", Detail: "1/1m0s", Now: true, ByAnyone: true, Since: w.now, Last: w.now, Source: netip.MustParseAddr(alice), Count: 1})

	t.Log("# its door goes")
	w.record(w.e.Swap(w.now, &Set{}))
	want()
	if n := len(w.e.limiting); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

// A scan of ports completes one knock, and knows neither a sequence nor the bytes of a payload.
func TestWhatAnyoneCompletes(t *testing.T) {
	long, secret := &PayloadTest{Min: 4, Max: AnyLength}, &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{Text: "SESAME"}}}
	for name, c := range map[string]struct {
		door Door
		want bool
	}{
		"one knock":              {Door{Sequence: make([]Knock, 1)}, true},
		"two":                    {Door{Sequence: make([]Knock, 2)}, false},
		"any of two":             {Door{Sequence: make([]Knock, 2), Listen: true}, true},
		"a one-time knock":       {Door{Sequence: make([]Knock, 1), OneTime: &OneTime{}}, false},
		"a payload of a length":  {Door{Sequence: make([]Knock, 1), Payload: long}, true},
		"a payload to be known":  {Door{Sequence: make([]Knock, 1), Payload: secret}, false},
		"the same of a listener": {Door{Sequence: make([]Knock, 1), Listen: true, Payload: secret}, false},
	} {
		if got := c.door.ByAnyone(); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}
