package engine

import (
	"net/netip"
	"testing"
	"time"
)

// What an observed door gives is reported as ever, labelled, kept apart from what is
// real, and forgotten by a restart.
func TestAnObservedDoorGivesNothing(t *testing.T) {
	observed := guarding(t, aDoor(t, "dry", "udp/500"), "tcp/22")
	observed.Observe = true
	real := guarding(t, aDoor(t, "wet", "udp/600"), "tcp/22")
	w := newWorld(t, observed, real)
	var all []Event
	w.knock(alice, "udp/500")
	all = append(all, w.got...)
	w.want("0s stage dry 203.0.113.9 1/1", "0s open dry 203.0.113.9", "0s effect dry 203.0.113.9 allow #1 tcp/22 30s")
	if w.e.grants.reaches(netip.MustParseAddr(alice), ports(t, "tcp/22")[0]) {
		t.Error("the engine counts on access that nobody has")
	}

	t.Log("# a real grant of the same access has an element of its own, with its own end")
	w.tick(10 * time.Second)
	w.knock(alice, "udp/600")
	elements := w.e.Elements()
	if len(elements) != 2 || !elements[0].Observed || elements[1].Observed || elements[0].Until.Equal(elements[1].Until) {
		t.Errorf("the elements are %+v, want an observed and a real one, each with its own end", elements)
	}
	all = append(all, w.got...)
	w.got = nil
	w.tick(time.Minute)
	all = append(all, w.got...)
	w.want("30s close dry 203.0.113.9 #1 tcp/22 expired", "40s close wet 203.0.113.9 #2 tcp/22 expired")

	for _, e := range all {
		switch {
		case e.Kind == EventEffect && e.Effect == EffectPersist && e.Persist.Grant.Door == "dry":
			t.Errorf("a restart would give what was only observed: %+v", e.Persist.Grant)
		case (e.Kind == EventEffect && e.Effect == EffectAllow || e.Kind == EventClose) && e.Observed != (e.Door == "dry"):
			t.Errorf("observed is %v in %+v", e.Observed, e)
		}
	}
}

// Neither a close nor delayed work of an observed door touches what is real.
func TestAnObservedDoorEndsNothingReal(t *testing.T) {
	real := guarding(t, aDoor(t, "wet", "udp/600"), "tcp/22")
	dry := scripted(aDoor(t, "dry", "udp/500"), HookOpen, always(Close{Door: "wet"}, After{Delay: time.Minute, Name: "later"}))
	dry.Observe = true
	w := newWorld(t, real, dry)
	later := []Timer{{Script: dry.Script, Name: "later", Handler: always(mount)}}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{real, dry}, Timers: later}))
	w.knock(alice, "udp/600", "udp/500")
	if !w.e.grants.reaches(netip.MustParseAddr(alice), ports(t, "tcp/22")[0]) {
		t.Error("an observed door has ended a real grant")
	}

	t.Log("# the door goes before its delayed work is due")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{real}, Timers: later}))
	w.got = nil
	w.tick(2 * time.Minute)
	for _, e := range w.got {
		if e.Kind == EventEffect && e.Effect == EffectExec && !e.Observed {
			t.Errorf("a command runs that was only observed: %+v", e)
		}
	}
}
