package engine

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/packet"
)

func TestARepeatKeepsItsGrant(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	w.knock(alice, "udp/500")
	w.advance(20 * time.Second)
	w.knock(alice, "udp/500")
	w.tick(time.Hour)
	w.want(
		"0s stage bell 203.0.113.9 1/1", "0s open bell 203.0.113.9", "0s effect bell 203.0.113.9 allow #1 tcp/22 30s",
		"20s stage bell 203.0.113.9 1/1", "20s open bell 203.0.113.9", "20s effect bell 203.0.113.9 allow #1 tcp/22 30s",
		"50s close bell 203.0.113.9 #1 tcp/22 expired")
}

func TestAShorterRepeatNeverMovesTheEndForward(t *testing.T) {
	ttl := time.Hour
	w := newWorld(t, scripted(aDoor(t, "bell", "udp/500"), HookOpen, func(*Call) (Decision, error) {
		return Decision{Operations: []Operation{Allow{Ports: ports(t, "tcp/22"), TTL: ttl}}}, nil
	}))
	w.knock(alice, "udp/500")
	ttl = time.Minute
	w.knock(alice, "udp/500")
	if until := w.got[len(w.got)-1].Until; !until.Equal(monday.Add(time.Hour)) {
		t.Errorf("the element ends at %v", until)
	}
	w.got = nil
	w.tick(2 * time.Hour)
	w.want("1h0m0s close bell 203.0.113.9 #1 tcp/22 expired")
}

func TestTheElementOutlivesTheShorterOfTwoGrants(t *testing.T) {
	long := guarding(t, aDoor(t, "b", "udp/502"), "tcp/22")
	long.TTL = time.Minute
	w := newWorld(t, guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), long)
	w.knock(alice, "udp/501", "udp/502")
	w.got = nil
	w.tick(30 * time.Second)
	if until := w.got[0].Until; !until.Equal(monday.Add(time.Minute)) {
		t.Errorf("after the first close the element ends at %v", until)
	}
	w.tick(time.Minute)
	w.want("30s close a 203.0.113.9 #1 tcp/22 expired", "1m0s close b 203.0.113.9 #2 tcp/22 expired")
}

var mount = Exec{Argv: []string{"/bin/mount", "/mnt"}, Undo: []string{"/bin/umount", "/mnt"}, TTL: time.Minute, Timeout: time.Second, Required: true}

func TestACommandRunsOnceUntilItsUndo(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(mount)), scripted(aDoor(t, "b", "udp/502"), HookOpen, always(mount)))
	w.knock(alice, "udp/501")
	w.advance(30 * time.Second)
	w.knock(alice, "udp/501", "udp/502")
	w.tick(time.Hour)
	w.want(
		"0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9", "0s effect a 203.0.113.9 exec #1 1m0s /bin/mount /mnt",
		"30s stage a 203.0.113.9 1/1", "30s open a 203.0.113.9", "30s effect a 203.0.113.9 exec #1 1m0s",
		"30s stage b 203.0.113.9 1/1", "30s open b 203.0.113.9", "30s effect b 203.0.113.9 exec #2 1m0s",
		"1m30s close a 203.0.113.9 #1 expired",
		"1m30s close b 203.0.113.9 #2 expired", "1m30s effect b 203.0.113.9 undo #2 /bin/umount /mnt",
	)
}

func TestWhatMustSurviveComesBeforeWhatHangsOnIt(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(Put{Key: "k", Value: true}, mount)))
	w.knock(alice, "udp/501")
	order := []Effect{}
	for _, event := range w.got {
		if event.Kind == EventEffect {
			order = append(order, event.Effect)
		}
	}
	if len(order) != 3 || order[0] != EffectPersist || order[1] != EffectPersist || order[2] != EffectExec {
		t.Errorf("effects in the order %v", order)
	}
}

func TestAFailedCommandNeedsNoUndo(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(mount)))
	w.knock(alice, "udp/501")
	id := w.got[len(w.got)-1].ID
	w.got = nil
	w.record(w.e.Result(w.now, id, errors.New("no such device")))
	w.tick(time.Hour)
	w.want("0s failed a 203.0.113.9 exec #1 (no such device)", "0s close a 203.0.113.9 #1 failed")
}

func TestADoorClosesAnother(t *testing.T) {
	open := scripted(guarding(t, aDoor(t, "open", "udp/501"), "tcp/22"), HookClose, func(m *Call) (Decision, error) {
		return Decision{Operations: []Operation{Log{"closed: " + string(m.Reason)}}}, nil
	})
	w := newWorld(t, open, scripted(aDoor(t, "shut", "udp/502"), HookOpen, always(Close{"open"})))
	w.knock(alice, "udp/501")
	w.knock(bob, "udp/501")
	w.got = nil
	w.knock(alice, "udp/502")
	w.want("0s stage shut 203.0.113.9 1/1", "0s open shut 203.0.113.9",
		"0s close open 203.0.113.9 #1 tcp/22 closed_by_door", "0s effect open 203.0.113.9 log (closed: closed_by_door)")
}

func TestClosingIsNotEndless(t *testing.T) {
	doors := []*Door{}
	for i := range 12 {
		name := string(rune('a' + i))
		next := string(rune('a' + (i+1)%12))
		d := guarding(t, aDoor(t, name, "udp/501"), "tcp/22")
		doors = append(doors, scripted(d, HookClose, always(Close{next})))
	}
	w := newWorld(t, append(doors, scripted(aDoor(t, "z", "udp/502"), HookOpen, always(Close{"a"})))...)
	w.knock(alice, "udp/501")
	w.got = nil
	w.knock(alice, "udp/502")
	closed, faults := 0, 0
	for _, event := range w.got {
		switch event.Kind {
		case EventClose:
			closed++
		case EventError:
			faults++
		case EventStage, EventOpen, EventEffect, EventMiss, EventRefuse, EventFailed:
		}
	}
	if closed != 9 || faults != 1 {
		t.Errorf("%d closed and %d faults, want 9 and 1", closed, faults)
	}
}

func TestNetworks(t *testing.T) {
	wide := func(bits int, ttl time.Duration) handlerFunc {
		return always(Allow{Ports: ports(t, "tcp/22"), Bits4: bits, TTL: ttl})
	}
	w := newWorld(t,
		scripted(aDoor(t, "narrow", "udp/501"), HookOpen, wide(28, 10*time.Minute)),
		scripted(aDoor(t, "short", "udp/502"), HookOpen, wide(26, 10*time.Second)),
		scripted(aDoor(t, "wide", "udp/503"), HookOpen, wide(24, time.Minute)))
	w.knock(alice, "udp/501", "udp/502", "udp/503")
	w.knock("203.0.113.8", "udp/501")
	w.tick(time.Hour)
	w.want(
		"0s stage narrow 203.0.113.9 1/1", "0s open narrow 203.0.113.9",
		"0s effect narrow 203.0.113.0/28 allow #1 tcp/22 10m0s",
		"0s stage short 203.0.113.9 1/1", "0s open short 203.0.113.9",
		"0s effect narrow 203.0.113.0/28 element #1 tcp/22 gone",
		"0s effect short 203.0.113.0/26 allow #2 tcp/22 10s",
		"0s stage wide 203.0.113.9 1/1", "0s open wide 203.0.113.9",
		"0s effect narrow 203.0.113.0/28 element #1 tcp/22 gone",
		"0s close short 203.0.113.0/26 #2 tcp/22 replaced",
		"0s effect wide 203.0.113.0/24 allow #3 tcp/22 1m0s",
		"0s stage narrow 203.0.113.8 1/1", "0s open narrow 203.0.113.8",
		"0s effect narrow 203.0.113.0/28 allow #4 tcp/22 10m0s covered",
		"1m0s close wide 203.0.113.0/24 #3 tcp/22 expired",
		"1m0s effect narrow 203.0.113.0/28 element #1 tcp/22 until 10m0s",
		"10m0s close narrow 203.0.113.0/28 #1 tcp/22 expired",
		"10m0s close narrow 203.0.113.0/28 #4 tcp/22 expired",
	)
}

func TestAPersonGrantsAndRevokes(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	w.knock(alice, "udp/500")
	w.got = nil
	w.record(w.e.Grant(w.now, netip.MustParsePrefix("203.0.113.9/32"), ports(t, "tcp/22")[0], time.Minute))
	w.record(w.e.Revoke(w.now, netip.MustParsePrefix("203.0.113.0/24"), packet.Port{}, false))
	w.want("0s effect  203.0.113.9 allow #2 tcp/22 1m0s",
		"0s close bell 203.0.113.9 #1 tcp/22 revoked", "0s close  203.0.113.9 #2 tcp/22 revoked")
}

func TestGrantsOutliveARestart(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	source := netip.MustParseAddr(alice)
	w.record(w.e.Restore(w.now, []Record{
		{Grant: &Grant{ID: 7, Door: "bell", By: source, Source: single(source), Port: ports(t, "tcp/22")[0], TTL: 30 * time.Second, End: monday.Add(20 * time.Second)}},
		{Grant: &Grant{ID: 8, Door: "gone", By: source, Source: single(source), Argv: mount.Argv, Undo: mount.Undo, Timeout: time.Second, End: monday.Add(-time.Hour)}},
		{Grant: &Grant{ID: 20}, Ended: true},
		{Grant: &Grant{ID: 21, Source: single(source)}, Ended: true},
		{Script: "bell.lua", Source: source, Store: &Put{Key: "n", Value: 3.0, PerSource: true}},
	}))
	w.want("0s close gone 203.0.113.9 #8 expired", "0s effect gone 203.0.113.9 undo #8 /bin/umount /mnt")
	w.knock(alice, "udp/500")
	w.got = w.got[len(w.got)-1:]
	w.want("0s effect bell 203.0.113.9 allow #7 tcp/22 30s")
	if n := w.e.store.Get("bell.lua", source, "n", w.now); n != 3.0 {
		t.Errorf("the stored value is %v", n)
	}
	t.Log("# no id is given twice")
	w.record(w.e.Grant(w.now, single(source), ports(t, "tcp/80")[0], time.Minute))
	w.want("0s effect  203.0.113.9 allow #22 tcp/80 1m0s")
}

// After a power cut an undo may be pending for a rule that is not there any more. Who
// knocks again must not wait, in vain, for as long as the former grant was to last.
func TestACommandFromBeforeARestartRunsAgain(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(mount)))
	source := netip.MustParseAddr(alice)
	w.record(w.e.Restore(w.now, []Record{{Grant: &Grant{ID: 7, Door: "a", By: source, Source: single(source),
		Argv: mount.Argv, Undo: mount.Undo, Timeout: time.Second, TTL: time.Hour, End: monday.Add(time.Hour)}}}))
	w.knock(alice, "udp/501")
	var ran []string
	for _, event := range w.got {
		if event.Kind == EventEffect && event.Argv != nil {
			ran = append(ran, event.Argv[0])
		}
	}
	if want := []string{mount.Undo[0], mount.Argv[0]}; !slices.Equal(ran, want) {
		t.Errorf("%q ran, want %q", ran, want)
	}
	t.Log("# once")
	w.got = nil
	w.knock(alice, "udp/501")
	for _, event := range w.got {
		if event.Kind == EventEffect && event.Argv != nil {
			t.Errorf("%q ran", event.Argv)
		}
	}
}

func TestShutdownRunsOnlyWhatOnlyWeCanRun(t *testing.T) {
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, mount)))
	w.knock(alice, "udp/501")
	w.got = nil
	w.record(w.e.Shutdown(w.now))
	w.want("0s close a 203.0.113.9 #2 shutdown", "0s effect a 203.0.113.9 undo #2 /bin/umount /mnt")
}

// Two people's grants share one element, so a wider network changes it once.
func TestAWiderNetworkChangesEachElementOnce(t *testing.T) {
	wide := func(bits int, ttl time.Duration) handlerFunc {
		return always(Allow{Ports: ports(t, "tcp/22"), Bits4: bits, TTL: ttl})
	}
	w := newWorld(t,
		scripted(aDoor(t, "narrow", "udp/501"), HookOpen, wide(25, 10*time.Minute)),
		scripted(aDoor(t, "wide", "udp/502"), HookOpen, wide(24, time.Minute)))
	w.knock(alice, "udp/501")
	w.knock("203.0.113.8", "udp/501")
	w.got = nil
	w.knock(alice, "udp/502")
	w.want(
		"0s stage wide 203.0.113.9 1/1", "0s open wide 203.0.113.9",
		"0s effect narrow 203.0.113.0/25 element #1 tcp/22 gone",
		"0s effect wide 203.0.113.0/24 allow #3 tcp/22 1m0s")
}
