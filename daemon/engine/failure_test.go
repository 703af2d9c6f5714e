package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/packet"
)

var errNo = errors.New("exit status 1")

// takeAwaited returns the effects of what came out since the last want that await a
// result, and forgets the events.
func (w *world) takeAwaited() (ids []uint64) {
	for _, event := range w.got {
		if event.ID != 0 {
			ids = append(ids, event.ID)
		}
	}
	w.got = nil
	return ids
}

func TestAFailedEffectTakesBackTheOthers(t *testing.T) {
	second := Exec{Argv: []string{"/bin/second"}, Timeout: time.Second, Required: true}
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, mount, second, Allow{Ports: ports(t, "tcp/80")})))
	w.knock(alice, "udp/501")
	ids := w.takeAwaited()
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[1], nil))
	w.record(w.e.Result(w.now, ids[2], errNo))
	t.Log("# answers that come after that change nothing")
	w.record(w.e.Result(w.now, ids[3], errNo))
	w.record(w.e.Result(w.now, ids[1], errNo))
	w.tick(time.Hour)
	w.want(
		"0s failed a 203.0.113.9 exec (exit status 1)",
		"0s close a 203.0.113.9 #3 tcp/80 failed",
		"0s close a 203.0.113.9 #2 failed", "0s effect a 203.0.113.9 undo #2 /bin/umount /mnt",
		"0s close a 203.0.113.9 #1 tcp/22 failed",
	)
}

func TestResultsInAnyOrder(t *testing.T) {
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, mount)))
	w.knock(alice, "udp/501")
	ids := w.takeAwaited()
	w.record(w.e.Result(w.now, ids[1], errNo))
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, 12345, errNo))
	w.want("0s failed a 203.0.113.9 exec #2 (exit status 1)",
		"0s close a 203.0.113.9 #2 failed", "0s close a 203.0.113.9 #1 tcp/22 failed")
}

func TestACommandThatNeverRanNeedsNoUndo(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(mount)), scripted(aDoor(t, "b", "udp/502"), HookOpen, always(mount)))
	w.knock(alice, "udp/501", "udp/502")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], errNo))
	w.tick(time.Hour)
	w.want("0s failed a 203.0.113.9 exec #1 (exit status 1)", "0s close a 203.0.113.9 #1 failed", "0s close b 203.0.113.9 #2 failed")
}

func TestALateFailureLeavesALaterRunAlone(t *testing.T) {
	short := mount
	short.TTL = 5 * time.Second
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(short)))
	w.knock(alice, "udp/501")
	first := w.takeAwaited()[0]
	w.tick(5 * time.Second)
	w.advance(time.Second)
	w.knock(alice, "udp/501")
	w.got = nil
	w.record(w.e.Result(w.now, first, errNo))
	w.tick(time.Hour)
	w.want("6s failed a 203.0.113.9 exec #1 (exit status 1)",
		"11s close a 203.0.113.9 #2 expired", "11s effect a 203.0.113.9 undo #2 /bin/umount /mnt")
}

func TestNoElementEndsNow(t *testing.T) {
	wide := func(bits int) handlerFunc {
		return always(Allow{Ports: ports(t, "tcp/22"), Bits4: bits, TTL: 30 * time.Second})
	}
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, wide(16)), scripted(aDoor(t, "b", "udp/502"), HookOpen, wide(24)))
	w.knock(alice, "udp/501", "udp/502")
	w.got = nil
	w.tick(time.Minute)
	w.want("30s close a 203.0.0.0/16 #1 tcp/22 expired", "30s close b 203.0.113.0/24 #2 tcp/22 expired")
}

func TestMassExpiryDropsNoDelay(t *testing.T) {
	d := scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}))
	late := scripted(aDoor(t, "b", "udp/502"), HookOpen, always(After{Delay: 40 * time.Second, Name: "late"}))
	w := newWorld(t)
	w.e.Swap(w.now, &Set{Doors: []*Door{d, late}, Timers: []Timer{{Script: "b.lua", Name: "late", Handler: always(Log{Text: "woken"})}}})
	for i := range 40_000 {
		p := w.packet(fmt.Sprintf("10.0.%d.%d", i>>8, i&255), "udp/501")
		w.record(w.e.Packet(&p))
		w.answerAll()
		w.got = nil
	}
	w.knock(alice, "udp/502")
	events := w.e.Tick(w.now.Add(time.Minute))
	if last := events[len(events)-1]; last.Detail != "woken" {
		t.Errorf("the last event is %s", brief(last))
	}
}

func TestAGrantThatJoinedACommandIsTakenBackToo(t *testing.T) {
	broken := Exec{Argv: []string{"/bin/false"}, Timeout: time.Second, Required: true}
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(mount)), scripted(aDoor(t, "b", "udp/502"), HookOpen, always(mount, broken)))
	w.knock(alice, "udp/501")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], nil))
	w.advance(30 * time.Second)
	w.knock(alice, "udp/502")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], errNo))
	w.tick(time.Hour)
	w.want("30s failed b 203.0.113.9 exec (exit status 1)", "30s close b 203.0.113.9 #2 failed",
		"1m0s close a 203.0.113.9 #1 expired", "1m0s effect a 203.0.113.9 undo #1 /bin/umount /mnt")
}

func TestAFailedProlongingGivesTheFormerEndBack(t *testing.T) {
	w := newWorld(t, guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"))
	var ids []uint64
	for range 3 {
		w.knock(alice, "udp/500")
		ids = append(ids, w.takeAwaited()...)
		w.advance(10 * time.Second)
	}
	t.Log("# the second failed, but the third has prolonged it since")
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[1], errNo))
	w.want("30s failed bell 203.0.113.9 allow #1 tcp/22 (exit status 1)")
	t.Log("# when the third fails, its end is that of the second")
	w.record(w.e.Result(w.now, ids[2], errNo))
	w.tick(time.Hour)
	w.want("30s failed bell 203.0.113.9 allow #1 tcp/22 (exit status 1)",
		"30s effect bell 203.0.113.9 element #1 tcp/22 until 40s", "40s close bell 203.0.113.9 #1 tcp/22 expired")
}

func TestACoveredNetworkHasNoElementWhenItsGrantsEnd(t *testing.T) {
	wide := func(bits int, ttl time.Duration) handlerFunc {
		return always(Allow{Ports: ports(t, "tcp/22"), Bits4: bits, TTL: ttl})
	}
	w := newWorld(t,
		scripted(aDoor(t, "a", "udp/501"), HookOpen, wide(24, 20*time.Minute)),
		scripted(aDoor(t, "b", "udp/502"), HookOpen, wide(24, 30*time.Minute)),
		scripted(aDoor(t, "wide", "udp/503"), HookOpen, wide(16, 10*time.Minute)),
		scripted(aDoor(t, "close", "udp/504"), HookOpen, always(Close{"a"})))
	w.knock(alice, "udp/501", "udp/502", "udp/503")
	w.got = nil
	w.knock(alice, "udp/504")
	for _, event := range w.got {
		if event.Kind == EventClose && !event.Until.IsZero() {
			t.Errorf("asks for an element inside another: %s until %v", brief(event), event.Until)
		}
	}
	w.got = nil
	w.tick(10 * time.Minute)
	w.want("10m0s close wide 203.0.0.0/16 #3 tcp/22 expired", "10m0s effect b 203.0.113.0/24 element #2 tcp/22 until 30m0s")
}

func TestBoundsCountWhatIsNewAlone(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 1}, monday)
	store := scripted(aDoor(t, "s", "udp/502"), HookOpen, func(m *Call) (Decision, error) {
		n, _ := m.Store.Get("s.lua", netip.Addr{}, "n", m.Time).(float64)
		if n == 2 {
			return Decision{Operations: []Operation{Put{Key: "n"}}}, nil
		}
		return Decision{Operations: []Operation{Put{Key: "n", Value: n + 1}}}, nil
	})
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"), store}}))
	w.knock(alice, "udp/500")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], nil))
	t.Log("# who is in may stay, others must wait")
	w.knock(alice, "udp/500")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], nil))
	w.knock(bob, "udp/500")
	w.want("0s stage bell 203.0.113.77 1/1", "0s refuse bell 203.0.113.77 limit (1 grants are live, which is the limit)")
	t.Log("# a full store can be changed and emptied")
	w.knock(alice, "udp/502", "udp/502", "udp/502", "udp/502")
	if c := w.e.Counts(); c.Refusals != 1 || c.Opens != 6 {
		t.Errorf("counts %+v", c)
	}
}

func TestTooMuchAfterAClosingIsAFault(t *testing.T) {
	d := scripted(guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22"), HookClose, func(m *Call) (Decision, error) {
		return Decision{Operations: []Operation{Put{Key: "a", Value: true}, Put{Key: "b", Value: true}}}, nil
	})
	w := newWorld(t)
	w.e = New(Config{Grants: 1}, monday)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{d}}))
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Minute)
	w.want("30s close bell 203.0.113.9 #1 tcp/22 expired", "30s error bell 203.0.113.9 (the store is full)")
}

func TestRestoreLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 1}, monday)
	records := []Record{}
	for i := range 3 {
		records = append(records, Record{Grant: &Grant{ID: uint64(i + 1), Door: "gone", Source: single(netip.MustParseAddr(alice)),
			Argv: []string{"/bin/on", fmt.Sprint(i)}, Undo: []string{"/bin/off", fmt.Sprint(i)}, Timeout: time.Second, End: monday.Add(time.Minute)}})
	}
	w.record(w.e.Restore(w.now, records))
	w.tick(time.Hour)
	undone := slices.DeleteFunc(w.got, func(e Event) bool { return e.Effect != EffectUndo })
	if len(undone) != 3 {
		t.Errorf("%d undone, want 3", len(undone))
	}
}

func TestAPersonCannotGrantNonsense(t *testing.T) {
	w := newWorld(t)
	source := netip.MustParsePrefix("203.0.113.9/32")
	w.record(w.e.Grant(w.now, source, ports(t, "tcp/22")[0], -time.Second))
	w.record(w.e.Grant(w.now, source, packet.Port{}, time.Minute))
	w.record(w.e.Grant(w.now, netip.Prefix{}, ports(t, "tcp/22")[0], time.Minute))
	for _, event := range w.got {
		if event.Kind != EventRefuse || event.Reason != NotGranted {
			t.Errorf("got %s", brief(event))
		}
	}
	if len(w.got) != 3 {
		t.Errorf("%d events, want 3", len(w.got))
	}
}

func TestOneInputMakesABoundedNumberOfEvents(t *testing.T) {
	again := After{Delay: time.Second, Name: "again"}
	var busy []Operation
	for range 255 {
		busy = append(busy, Log{Text: "x"})
	}
	w := newWorld(t)
	w.e.Swap(w.now, &Set{
		Doors:  []*Door{scripted(aDoor(t, "a", "udp/501"), HookOpen, always(again))},
		Timers: []Timer{{Script: "a.lua", Name: "again", Handler: always(append(busy, again)...)}},
	})
	w.knock(alice, "udp/501")
	if n := len(w.e.Tick(w.now.Add(365 * 24 * time.Hour))); n > maxEvents+1000 {
		t.Errorf("%d events", n)
	}
}

func TestALoosenedLimitHolds(t *testing.T) {
	d := guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22")
	d.Limit = &Limit{Count: 1, Per: 24 * time.Hour, Text: "1/d"}
	w := newWorld(t, d)
	w.knock(alice, "udp/500")
	loose := *d
	loose.Limit = &Limit{Count: 20, Per: time.Second, Text: "20/s"}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{&loose}}))
	w.advance(time.Hour)
	w.knock(alice, "udp/500")
	if n := w.e.Counts().Opens; n != 2 {
		t.Errorf("%d opens, want 2", n)
	}
}

// answerAll reports to the engine that all effects so far were carried out.
func (w *world) answerAll() {
	for _, event := range w.got {
		if event.ID != 0 {
			w.e.Result(w.now, event.ID, nil)
		}
	}
}

func TestAReloadedDoorsMissSeesTheOldDoors(t *testing.T) {
	b := guarding(t, aDoor(t, "b", "udp/501"), "tcp/22")
	a := scripted(aDoor(t, "a", "tcp/1", "tcp/2", "tcp/3"), HookMiss, always(Close{"b"}))
	w := newWorld(t, a, b)
	w.knock(alice, "udp/501", "tcp/1", "tcp/2")
	w.got = nil
	w.record(w.e.Swap(w.now, &Set{}))
	w.want("0s miss a 203.0.113.9 2/3 reload", "0s close b 203.0.113.9 #1 tcp/22 closed_by_door")
}

func TestSomebodyElsesAnswersDisturbAStrictDoor(t *testing.T) {
	d := classic(t)
	d.Strict = true
	w := newWorld(t, d)
	w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")})
	w.knock(alice, "tcp/7000", "udp/8000")
	query := w.packet("198.51.100.1", "udp/53")
	query.Dest = netip.MustParseAddr(bob)
	w.record(w.e.Packet(&query))
	answer := w.packet(alice, "udp/53")
	answer.SourcePort, answer.Port.Number = 53, query.SourcePort
	w.got = nil
	w.record(w.e.Packet(&answer))
	w.want("0s miss ssh 203.0.113.9 2/3 wrong_port")
}

func TestInactiveDoorsOfAPortBecomeActive(t *testing.T) {
	doors := []*Door{}
	for _, name := range strings.Split("abc", "") {
		doors = append(doors, aDoor(t, name, "tcp/"+fmt.Sprint(int(name[0])), "tcp/9"))
	}
	w := newWorld(t, doors...)
	here := func() int { return len(w.e.index.ports[ports(t, "tcp/9")[0]].active) }
	w.knock(alice, "tcp/98")
	w.knock(bob, "tcp/97", "tcp/98")
	if here() != 2 {
		t.Errorf("%d awake, want 2", here())
	}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{doors[2], doors[1], doors[0]}}))
	w.got = nil
	w.knock(bob, "tcp/9")
	w.knock(alice, "tcp/9")
	w.want("0s stage b 203.0.113.77 2/2", "0s open b 203.0.113.77", "0s stage a 203.0.113.77 2/2", "0s open a 203.0.113.77",
		"0s stage b 203.0.113.9 2/2", "0s open b 203.0.113.9")
	if here() != 0 {
		t.Errorf("%d awake, want none", here())
	}
}

// More effects may be unanswered than the bound: undos are never refused. Who requests none is
// not refused for them.
func TestWhoAsksForNoEffectNeedsNoPlace(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Grants: 1}, monday)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{
		scripted(aDoor(t, "log", "udp/501"), HookOpen, always(Log{Text: "hello"})),
		scripted(aDoor(t, "run", "udp/502"), HookOpen, always(Exec{Argv: []string{"/bin/true"}, Timeout: time.Second})),
	}}))
	for i := range uint64(2) {
		w.record(w.e.Restore(w.now, []Record{{Grant: &Grant{ID: i + 1, Door: "gone", Source: single(netip.MustParseAddr(alice)),
			Argv: []string{"/bin/on", fmt.Sprint(i)}, Undo: []string{"/bin/off"}, Timeout: time.Second, End: monday}}}))
	}
	w.got = nil
	w.knock(alice, "udp/501", "udp/502")
	w.want("0s stage log 203.0.113.9 1/1", "0s open log 203.0.113.9", "0s effect log 203.0.113.9 log (hello)",
		"0s stage run 203.0.113.9 1/1", "0s refuse run 203.0.113.9 limit (2 effects have not been answered yet)")
}

// The bound on what delays may do in one input counts their events, not those before them.
func TestManyDelaysAtOnceAreNotTooMany(t *testing.T) {
	const delays = 1000
	d := scripted(aDoor(t, "a", "udp/501"), HookOpen, always(After{Delay: time.Minute, Name: "late"}))
	w := newWorld(t)
	w.e.Swap(w.now, &Set{Doors: []*Door{d}, Timers: []Timer{{Script: "a.lua", Name: "late", Handler: always(Log{Text: "woken"})}}})
	for range delays {
		w.knock(alice, "udp/501")
	}
	events := w.e.Tick(w.now.Add(time.Minute))
	if n := w.e.Counts().Errors; len(events) != delays || n != 0 {
		t.Errorf("%d events and %d errors of %d delays", len(events), n, delays)
	}
}

func TestPacketsAreCounted(t *testing.T) {
	w := newWorld(t, classic(t))
	w.knock(alice, "tcp/7000", "tcp/1", "udp/8000")
	if n := w.e.Counts().Packets; n != 3 {
		t.Errorf("%d packets, want 3", n)
	}
}
