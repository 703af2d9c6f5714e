package engine

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// fixedCondition is a condition with a fixed answer.
type fixedCondition Verdict

func (s fixedCondition) Check(*Call) (Verdict, error) { return Verdict(s), nil }
func (s fixedCondition) String() string               { return "says: what it says" }
func (s fixedCondition) Name() string                 { return "says" }

func TestOrderAtCompletion(t *testing.T) {
	var asked []CallKind
	d := scripted(classic(t), HookStage|HookOpen, func(m *Call) (Decision, error) {
		asked = append(asked, m.Kind)
		return Decision{Operations: []Operation{Log{Text: "hello"}}}, nil
	})
	w := newWorld(t, d)
	w.knock(alice, "tcp/7000", "udp/8000", "tcp/9000")
	w.want(
		"0s stage ssh 203.0.113.9 1/3",
		"0s stage ssh 203.0.113.9 2/3", "0s effect ssh 203.0.113.9 log (hello)",
		"0s stage ssh 203.0.113.9 3/3", "0s effect ssh 203.0.113.9 log (hello)",
		"0s open ssh 203.0.113.9", "0s effect ssh 203.0.113.9 log (hello)",
	)
	if len(asked) != 3 || asked[2] != CallOpen {
		t.Errorf("asked %v", asked)
	}
}

func TestConditionsRefuse(t *testing.T) {
	d := classic(t)
	d.When = []Condition{fixedCondition{Outcome: Yes}, fixedCondition{Detail: "hours: never"}}
	w := newWorld(t, d)
	w.knock(alice, "tcp/7000", "udp/8000")
	w.got = nil
	w.knock(alice, "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 3/3", "0s refuse ssh 203.0.113.9 when (hours: never)")
}

func TestAFaultNeverOpens(t *testing.T) {
	replies := map[string]handlerFunc{
		"an error":               func(*Call) (Decision, error) { return Decision{}, errors.New("boom") },
		"with half its effects":  func(*Call) (Decision, error) { return Decision{Operations: []Operation{Allow{}}}, errors.New("boom") },
		"a door that is not":     always(Allow{}, Close{"nowhere"}),
		"a handler that is not":  always(Allow{}, After{Delay: time.Second, Name: "nobody"}),
		"a command without argv": always(Allow{}, Exec{Timeout: time.Second}),
		"a command without end":  always(Allow{}, Exec{Argv: []string{"/bin/true"}}),
		"a network that is not":  always(Allow{Bits4: 33}),
		"hardly a delay":         always(After{Delay: time.Millisecond, Name: "nobody"}),
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, reply))
			w.knock(alice, "udp/501")
			if len(w.got) != 3 || w.got[1].Kind != EventError || w.got[2].Reason != ScriptError {
				t.Errorf("events %v", w.got)
			}
			if c := w.e.Counts(); c.Opens != 0 || c.Errors != 1 || c.Refusals != 1 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

func TestAFaultNamesItsLine(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, func(*Call) (Decision, error) {
		return Decision{}, &Fault{Script: "a.lua", Line: 14, Detail: "boom"}
	}))
	w.knock(alice, "udp/501")
	if got := w.got[1]; got.Script != "a.lua" || got.Line != 14 || got.Detail != "boom" {
		t.Errorf("event %+v", got)
	}
}

func TestAStageCanRefuse(t *testing.T) {
	w := newWorld(t, scripted(classic(t), HookStage, func(*Call) (Decision, error) { return Decision{Refused: true, Verdict: Verdict{Detail: "no"}}, nil }))
	w.knock(alice, "tcp/7000", "udp/8000", "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "0s refuse ssh 203.0.113.9 when (no)")
}

func TestARefusalCountsButGivesNothing(t *testing.T) {
	refuse := func(operations ...Operation) handlerFunc {
		return func(*Call) (Decision, error) {
			return Decision{Refused: true, Verdict: Verdict{Detail: "no"}, Operations: operations}, nil
		}
	}
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, refuse(Put{Key: "bad", Value: 1.0}, Log{Text: "again"})))
	w.knock(alice, "udp/501")
	w.want("0s stage a 203.0.113.9 1/1", "0s refuse a 203.0.113.9 when (no)", "0s effect a 203.0.113.9 log (again)")
	if got := w.e.store.Get("a.lua", netip.Addr{}, "bad", w.now); got != 1.0 {
		t.Errorf("stored %v", got)
	}

	w = newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, refuse(Allow{})))
	w.knock(alice, "udp/501")
	w.want("0s stage a 203.0.113.9 1/1", "0s error a 203.0.113.9 (the function allowed and then refused)",
		"0s refuse a 203.0.113.9 script_error")
}

func TestNobodyButACompletedSequenceAllows(t *testing.T) {
	d := scripted(classic(t), HookMiss, always(Allow{}))
	w := newWorld(t, d)
	w.knock(alice, "tcp/7000", "udp/8000", "tcp/7000")
	for _, event := range w.got {
		if event.Effect == EffectAllow {
			t.Errorf("allowed: %s", brief(event))
		}
	}
	if w.e.Counts().Errors != 1 {
		t.Errorf("%d errors", w.e.Counts().Errors)
	}
}

func TestAListenerOpensOnlyWhenItChangesSomething(t *testing.T) {
	d := guarding(t, aDoor(t, "beacon", "udp/62201"), "tcp/22")
	d.Listen = true
	w := newWorld(t, scripted(d, HookKnock, func(m *Call) (Decision, error) {
		switch string(m.Packet.Payload) {
		case "open":
			return Decision{Operations: []Operation{Allow{}}}, nil
		case "no":
			return Decision{Refused: true, Verdict: Verdict{Detail: "bad magic"}}, nil
		}
		return Decision{}, nil
	}))
	for _, payload := range []string{"open", "no", "noise"} {
		p := w.packet(alice, "udp/62201")
		p.Payload = []byte(payload)
		w.record(w.e.Packet(&p))
	}
	w.want("0s open beacon 203.0.113.9", "0s effect beacon 203.0.113.9 allow #1 tcp/22 30s",
		"0s refuse beacon 203.0.113.9 when (bad magic)")
}

func TestDelayedWorkSurvivesAReload(t *testing.T) {
	door := scripted(aDoor(t, "a", "udp/501"), HookOpen, always(After{Delay: time.Minute, Name: "later", Value: "v"}))
	timer := func(text string) Timer {
		return Timer{Script: "a.lua", Name: "later", Handler: handlerFunc(func(m *Call) (Decision, error) {
			return Decision{Operations: []Operation{Log{Text: text + " " + m.Value.(string)}}}, nil
		})}
	}
	w := newWorld(t)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{door}, Timers: []Timer{timer("old")}}))
	w.knock(alice, "udp/501")
	w.got = nil
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{door}, Timers: []Timer{timer("new")}}))
	w.tick(time.Minute)
	w.want("1m0s effect a 203.0.113.9 log (new v)")
}

func TestAClockThatLeapsCannotHangUs(t *testing.T) {
	again := After{Delay: time.Second, Name: "again"}
	door := scripted(aDoor(t, "a", "udp/501"), HookOpen, always(again))
	w := newWorld(t)
	w.e.Swap(w.now, &Set{Doors: []*Door{door}, Timers: []Timer{{Script: "a.lua", Name: "again", Handler: always(again)}}})
	w.knock(alice, "udp/501")
	w.got = nil
	w.tick(100 * 365 * 24 * time.Hour)
	if len(w.got) != 1 || w.got[0].Kind != EventError || !strings.Contains(w.got[0].Detail, "dropped") {
		t.Errorf("%d events, the first %v", len(w.got), w.got)
	}
}

func TestAClosingGrantBeginsNoOther(t *testing.T) {
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookClose, always(mount)))
	w.knock(alice, "udp/501")
	w.got = nil
	w.tick(time.Hour)
	w.want("30s close a 203.0.113.9 #1 tcp/22 expired",
		"30s error a 203.0.113.9 (exec: a grant that ends cannot begin another, and this command has an undo)")
}

func TestTheStoreIsAppliedWholeAndBounded(t *testing.T) {
	fail := false
	d := scripted(aDoor(t, "a", "udp/501"), HookOpen, func(m *Call) (Decision, error) {
		n, _ := m.Store.Get("a.lua", m.Source, "n", m.Time).(float64)
		r := Decision{Operations: []Operation{
			Put{PerSource: true, Key: "n", Value: n + 1, Until: m.Time.Add(time.Hour)},
			Log{Text: strings.Repeat("x", int(n))},
		}}
		if fail {
			r.Operations = append(r.Operations, Close{"nowhere"})
		}
		return r, nil
	})
	w := newWorld(t, d)
	get := func() any { return w.e.store.Get("a.lua", netip.MustParseAddr(alice), "n", w.now) }
	w.knock(alice, "udp/501", "udp/501")
	if get() != 2.0 {
		t.Errorf("stored %v", get())
	}
	fail = true
	w.knock(alice, "udp/501")
	if get() != 2.0 {
		t.Errorf("a failed reply stored %v", get())
	}
	w.advance(time.Hour)
	if get() != nil {
		t.Errorf("an expired value is %v", get())
	}

	t.Log("# a full store refuses; values that expired make room")
	w.e = New(Config{Grants: 1}, w.now)
	fail = false
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{d}}))
	w.got = nil
	w.knock(alice, "udp/501")
	w.knock(bob, "udp/501")
	w.advance(2 * time.Hour)
	w.knock(bob, "udp/501")
	kinds := []Kind{}
	for _, event := range w.got {
		if event.Kind == EventOpen || event.Kind == EventRefuse {
			kinds = append(kinds, event.Kind)
		}
	}
	if len(kinds) != 3 || kinds[0] != EventOpen || kinds[1] != EventRefuse || kinds[2] != EventOpen {
		t.Errorf("kinds %v", kinds)
	}
}

func TestWallClockStepsChangeNoDuration(t *testing.T) {
	var wall time.Time
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, func(m *Call) (Decision, error) {
		wall = m.Wall
		return Decision{Operations: []Operation{Allow{}}}, nil
	}))
	w.e.Step(w.now, -time.Hour)
	w.knock(alice, "udp/501")
	if !wall.Equal(monday.Add(-time.Hour)) {
		t.Errorf("wall clock %v", wall)
	}
	w.got = nil
	w.e.Step(w.now, 48*time.Hour)
	w.tick(time.Minute)
	w.want("30s close a 203.0.113.9 #1 tcp/22 expired")
}

func TestReload(t *testing.T) {
	w := newWorld(t, classic(t), aDoor(t, "b", "tcp/1", "tcp/2", "tcp/3"))
	w.knock(alice, "tcp/7000", "udp/8000", "tcp/1", "tcp/2")
	w.knock(bob, "tcp/1")
	w.got = nil
	changed := aDoor(t, "b", "tcp/1", "tcp/2", "tcp/4")
	same := classic(t)
	same.TTL = time.Hour
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{aDoor(t, "a", "tcp/5", "tcp/6"), changed, same}}))
	w.knock(alice, "tcp/3", "tcp/9000")
	w.knock(bob, "tcp/2")
	w.want("0s miss b 203.0.113.9 2/3 reload",
		"0s stage ssh 203.0.113.9 3/3", "0s open ssh 203.0.113.9", "0s effect ssh 203.0.113.9 allow #1 tcp/22 1h0m0s")
}

func TestEndOfCapture(t *testing.T) {
	w := newWorld(t, classic(t))
	w.knock(bob, "tcp/7000", "udp/8000")
	w.knock(alice, "tcp/7000", "udp/8000")
	w.knock("203.0.113.1", "tcp/7000")
	w.got = nil
	w.record(w.e.End(w.now, w.now))
	w.want("0s miss ssh 203.0.113.9 2/3 end_of_capture", "0s miss ssh 203.0.113.77 2/3 end_of_capture")
	if n := w.e.Counts().Misses; n != 3 {
		t.Errorf("%d misses, want 3", n)
	}
	if _, ok := w.e.Next(); ok {
		t.Error("a timer is left")
	}
}

func TestOnlyPacketsToUsCount(t *testing.T) {
	w := newWorld(t, classic(t))
	w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	w.knock(alice, "tcp/7000")
	w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.1/32")})
	w.knock(alice, "tcp/7000")
	w.want("0s stage ssh 203.0.113.9 1/3")
	if n := w.e.Counts().Dropped[packet.NotLocal]; n != 1 {
		t.Errorf("%d not local, want 1", n)
	}
}

func TestAnswersToOurOwnFlowsDisturbNoStrictDoor(t *testing.T) {
	d := classic(t)
	d.Strict = true
	w := newWorld(t, d)
	w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")})
	w.knock(alice, "tcp/7000", "udp/8000")
	query := w.packet("198.51.100.1", "udp/53")
	query.Dest = netip.MustParseAddr(alice)
	w.record(w.e.Packet(&query))
	answer := w.packet(alice, "udp/53")
	answer.SourcePort, answer.Port.Number = 53, query.SourcePort
	w.record(w.e.Packet(&answer))
	w.got = nil
	w.knock(alice, "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 3/3", "0s open ssh 203.0.113.9", "0s effect ssh 203.0.113.9 allow #1 tcp/22 30s")
}
