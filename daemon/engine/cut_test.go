package engine

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// cutting makes the door end sessions with its grants.
func cutting(d *Door) *Door {
	d.Cut = true
	return d
}

func TestSessionsEndWithTheGrantOfADoorThatCuts(t *testing.T) {
	w := newWorld(t, cutting(guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22", "udp/53")))
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired cut", "30s close bell 203.0.113.9 #2 udp/53 expired cut")
}

func TestSessionsGoOnWithoutCut(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22", "udp/53"))
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired", "30s close bell 203.0.113.9 #2 udp/53 expired")
}

// A UDP flow has no end of its own, so what ends its grant early ends it.
func TestWhatEndsAGrantEarlyEndsItsFlow(t *testing.T) {
	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	failing := scripted(guarding(t, aDoor(t, "failing", "udp/502"), "udp/53"), HookOpen, always(Allow{}, Exec{Argv: []string{"/bin/false"}, Timeout: time.Second, Required: true}))
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22", "udp/53"),
		scripted(aDoor(t, "shut", "udp/501"), HookOpen, always(Close{"bell"})), failing)
	w.knock(alice, "udp/500")
	w.got = nil
	w.record(w.e.Revoke(w.now, everywhere, packet.Port{}, false))
	w.want("0s close bell 203.0.113.9 #1 tcp/22 revoked", "0s close bell 203.0.113.9 #2 udp/53 revoked cut")
	w.knock(alice, "udp/500")
	w.got = nil
	w.knock(alice, "udp/501")
	w.want("0s stage shut 203.0.113.9 1/1", "0s open shut 203.0.113.9",
		"0s close bell 203.0.113.9 #3 tcp/22 closed_by_door", "0s close bell 203.0.113.9 #4 udp/53 closed_by_door cut")
	w.knock(alice, "udp/502")
	run := w.got[len(w.got)-1].ID
	w.got = nil
	w.record(w.e.Result(w.now, run, errors.New("exit status 1")))
	w.want("0s failed failing 203.0.113.9 exec (exit status 1)", "0s close failing 203.0.113.9 #5 udp/53 failed cut")
}

func TestNothingIsCutWhileAnotherGrantHolds(t *testing.T) {
	long := guarding(t, aDoor(t, "long", "udp/501"), "tcp/22")
	long.TTL = time.Minute
	wide := scripted(aDoor(t, "wide", "udp/502"), HookOpen, always(Allow{Ports: ports(t, "tcp/22"), Bits4: 24, TTL: 2 * time.Minute}))
	w := newWorld(t, cutting(guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22")), cutting(long), cutting(wide))
	w.knock(alice, "udp/500", "udp/501")
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired", "1m0s close long 203.0.113.9 #2 tcp/22 expired cut")
	t.Log("# nor while a network around it does")
	w.knock(alice, "udp/500", "udp/501")
	w.knock(bob, "udp/502")
	w.got = nil
	w.tick(time.Hour)
	w.want("1h0m30s close bell 203.0.113.9 #3 tcp/22 expired", "1h1m0s close long 203.0.113.9 #4 tcp/22 expired",
		"1h2m0s close wide 203.0.113.0/24 #5 tcp/22 expired cut")
}

func TestAPersonCutsSessions(t *testing.T) {
	observing := guarding(t, aDoor(t, "dry", "udp/501"), "tcp/80")
	observing.Observe = true
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22", "udp/53"), observing)
	source := netip.MustParsePrefix(alice + "/32")
	w.knock(alice, "udp/500")
	w.got = nil
	t.Log("# with the grant")
	w.record(w.e.Revoke(w.now, source, ports(t, "tcp/22")[0], true))
	w.want("0s close bell 203.0.113.9 #1 tcp/22 revoked cut")
	t.Log("# the rest, of which one has a grant")
	w.record(w.e.Revoke(w.now, source, packet.Port{}, true))
	w.want("0s close bell 203.0.113.9 #2 udp/53 revoked cut", "0s effect  203.0.113.9 cut tcp/22")
	t.Log("# a network, long after the grants")
	w.record(w.e.Revoke(w.now, netip.MustParsePrefix("203.0.113.0/24"), ports(t, "tcp/22")[0], true))
	w.want("0s effect  203.0.113.0/24 cut tcp/22")
	t.Log("# a network, with the grant of one of its addresses")
	w.knock(alice, "udp/500")
	w.got = nil
	w.record(w.e.Revoke(w.now, netip.MustParsePrefix("203.0.113.0/24"), ports(t, "tcp/22")[0], true))
	w.want("0s close bell 203.0.113.9 #3 tcp/22 revoked cut", "0s effect  203.0.113.0/24 cut tcp/22")
	t.Log("# no door guards these, or none that does anything")
	w.record(w.e.Revoke(w.now, source, ports(t, "tcp/443")[0], true))
	w.record(w.e.Revoke(w.now, source, ports(t, "tcp/80")[0], true))
	w.want()
}

// The option is that of the door when it opened last, so a reload changes no grant.
func TestAGrantKeepsItsCut(t *testing.T) {
	plain := func() *Door { return guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22") }
	w := newWorld(t, cutting(plain()))
	w.knock(alice, "udp/500")
	w.record(w.e.Swap(w.now, &Set{}))
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired cut")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{cutting(plain())}}))
	w.knock(alice, "udp/500")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{plain()}}))
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Minute)
	w.want("1h0m30s close bell 203.0.113.9 #2 tcp/22 expired")
}

// The daemon was dead when the grant ended. The cut is made when it starts again.
func TestACutIsMadeAfterARestart(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	source := netip.MustParseAddr(alice)
	w.record(w.e.Restore(w.now, []Record{{Grant: &Grant{
		ID: 7, Door: "bell", By: source, Source: single(source), Port: ports(t, "tcp/22")[0], TTL: time.Minute, End: monday.Add(-time.Hour), Cut: true,
	}}}))
	w.want("0s close bell 203.0.113.9 #7 tcp/22 expired cut")
}

func TestADoorThatOnlyObservesCutsNothing(t *testing.T) {
	d := cutting(guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	d.Observe = true
	w := newWorld(t, d)
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired")
}
