package engine

import (
	"net/netip"
	"testing"
	"time"
)

// twoPeople are the doors ana and bob. Each opens tcp/22 for both of them when the other was
// completed within five minutes.
func twoPeople(t *testing.T) (ana, bob *Door) {
	ana, bob = aDoor(t, "ana", "tcp/1", "tcp/2"), aDoor(t, "bob", "tcp/3", "tcp/4")
	for _, d := range []*Door{ana, bob} {
		guarding(t, d, "tcp/22")
		d.NoteCompletions = true
	}
	with := func(other string) handlerFunc {
		return func(c *Call) (Decision, error) {
			wanted := Completion{Door: other, Within: 5 * time.Minute}
			if !c.Completed(wanted) {
				return Decision{Refused: true, Verdict: Verdict{Detail: "waiting for " + other}}, nil
			}
			return Decision{Operations: []Operation{Allow{}, Allow{For: wanted}}}, nil
		}
	}
	scripted(ana, HookOpen, with("bob"))
	scripted(bob, HookOpen, with("ana"))
	return ana, bob
}

const (
	anaAt = "203.0.113.9"
	bobAt = "198.51.100.7"
)

func TestWhoeverComesSecondOpensForBoth(t *testing.T) {
	ana, bob := twoPeople(t)
	w := newWorld(t, ana, bob)
	w.knock(anaAt, "tcp/1", "tcp/2")
	w.want("0s stage ana 203.0.113.9 1/2", "0s stage ana 203.0.113.9 2/2", "0s refuse ana 203.0.113.9 when (waiting for bob)")
	w.tick(5*time.Minute - 1)
	w.knock(bobAt, "tcp/3", "tcp/4")
	w.want("4m59.999999999s stage bob 198.51.100.7 1/2", "4m59.999999999s stage bob 198.51.100.7 2/2",
		"4m59.999999999s open bob 198.51.100.7",
		"4m59.999999999s effect bob 198.51.100.7 allow #1 tcp/22 30s",
		"4m59.999999999s effect bob 203.0.113.9 allow #2 tcp/22 30s")

	// The second grant is Ana's: she has it, and its repeat extends it.
	if end := w.e.grants.held("bob", netip.MustParseAddr(anaAt), false); end.IsZero() {
		t.Error("ana holds no grant of bob")
	}
	w.knock(bobAt, "tcp/3", "tcp/4")
	if n := w.e.grants.count(); n != 2 {
		t.Errorf("%d grants after a repeat: want 2", n)
	}
}

func TestACompletionIsForgotten(t *testing.T) {
	for _, tt := range []struct {
		name   string
		happen func(w *world, ana, bob *Door)
	}{
		{"when its time is over", func(w *world, _, _ *Door) { w.tick(5 * time.Minute) }},
		{"when no script asks for it any more", func(w *world, ana, bob *Door) {
			unasked := *ana
			unasked.NoteCompletions = false
			w.e.Swap(w.now, &Set{Doors: []*Door{&unasked, bob}})
			w.e.Swap(w.now, &Set{Doors: []*Door{ana, bob}})
		}},
		{"when its door is gone", func(w *world, ana, bob *Door) {
			w.e.Swap(w.now, &Set{Doors: []*Door{bob}})
			w.e.Swap(w.now, &Set{Doors: []*Door{ana, bob}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ana, bob := twoPeople(t)
			w := newWorld(t, ana, bob)
			w.knock(anaAt, "tcp/1", "tcp/2")
			tt.happen(w, ana, bob)
			w.got = nil
			at := w.now.Sub(monday).String()
			w.knock(bobAt, "tcp/3", "tcp/4")
			w.want(at+" stage bob 198.51.100.7 1/2", at+" stage bob 198.51.100.7 2/2", at+" refuse bob 198.51.100.7 when (waiting for ana)")
		})
	}
}

func TestACompletionSurvivesAReload(t *testing.T) {
	ana, bob := twoPeople(t)
	w := newWorld(t, ana, bob)
	w.knock(anaAt, "tcp/1", "tcp/2")
	ana2, bob2 := twoPeople(t)
	w.e.Swap(w.now, &Set{Doors: []*Door{ana2, bob2}})
	w.knock(bobAt, "tcp/3", "tcp/4")
	if n := w.e.grants.count(); n != 2 {
		t.Errorf("%d grants: want 2", n)
	}
}

// What a door's own conditions or its limit refuse is no completion: else Bob could be let in by
// Ana although his own door refuses him.
func TestARefusedKnockIsNoCompletion(t *testing.T) {
	for name, refuse := range map[string]func(*Door){
		"by a condition": func(d *Door) { d.When = []Condition{fixedCondition{}} },
		"by the unknown": func(d *Door) { d.When = []Condition{fixedCondition{Outcome: Unknown}} },
		"by its limit":   func(d *Door) { d.Limit = &Limit{Count: 1, Per: time.Hour} },
		"by on_stage": func(d *Door) {
			d.Hooks, d.Handler = HookStage, handlerFunc(func(*Call) (Decision, error) { return Decision{Refused: true}, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			ana, bob := twoPeople(t)
			refuse(bob)
			w := newWorld(t, ana, bob)
			w.knock("192.0.2.1", "tcp/3", "tcp/4") // uses up the limit
			w.tick(10 * time.Minute)
			w.knock(bobAt, "tcp/3", "tcp/4")
			w.knock(anaAt, "tcp/1", "tcp/2")
			if n := w.e.grants.count(); n != 0 {
				t.Errorf("%d grants: want none", n)
			}
		})
	}
}

// A door that only observes completes for observers alone.
func TestAnObservedCompletionCountsForObservers(t *testing.T) {
	for _, tt := range []struct {
		ana, bob bool // observes
		grants   int
	}{{false, false, 2}, {true, false, 0}, {false, true, 2}, {true, true, 2}} {
		ana, bob := twoPeople(t)
		ana.Observe, bob.Observe = tt.ana, tt.bob
		w := newWorld(t, ana, bob)
		w.knock(anaAt, "tcp/1", "tcp/2")
		w.knock(bobAt, "tcp/3", "tcp/4")
		if n := w.e.grants.count(); n != tt.grants {
			t.Errorf("ana observes: %t, bob observes: %t: %d grants, want %d", tt.ana, tt.bob, n, tt.grants)
		}
	}
}

// An allow for somebody who completed nothing is a fault, and gives nothing to anybody.
func TestAllowForNobodyIsAFault(t *testing.T) {
	d := scripted(guarding(t, aDoor(t, "ana", "tcp/1", "tcp/2"), "tcp/22"), HookOpen,
		always(Allow{}, Allow{For: Completion{Door: "bob", Within: time.Minute}}))
	w := newWorld(t, d)
	w.knock(anaAt, "tcp/1", "tcp/2")
	w.want("0s stage ana 203.0.113.9 1/2", "0s stage ana 203.0.113.9 2/2",
		`0s error ana 203.0.113.9 (allow: nobody completed door "bob" within 1m0s)`, "0s refuse ana 203.0.113.9 script_error")
}

// The close of a grant is about the one who had the access, and a person finds it by that address.
func TestAGrantForAnotherIsTheirs(t *testing.T) {
	ana, bob := twoPeople(t)
	closed := []string{}
	with := bob.Handler
	scripted(bob, HookOpen|HookClose, func(c *Call) (Decision, error) {
		if c.Kind == CallClose {
			closed = append(closed, c.Source.String())
			return Decision{}, nil
		}
		return with.Handle(c)
	})
	w := newWorld(t, ana, bob)
	w.knock(anaAt, "tcp/1", "tcp/2")
	w.knock(bobAt, "tcp/3", "tcp/4")
	w.e.Revoke(w.now, single(netip.MustParseAddr(anaAt)), ports(t, "tcp/22")[0], false)
	w.tick(time.Minute)
	if len(closed) != 2 || closed[0] != anaAt || closed[1] != bobAt {
		t.Errorf("closes of %v: want %s and then %s", closed, anaAt, bobAt)
	}
}
