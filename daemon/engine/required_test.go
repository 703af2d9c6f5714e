package engine

import (
	"testing"
	"time"
)

// note and gate are commands without an undo, of which only the second is required.
var (
	note = Exec{Argv: []string{"/bin/note"}, Timeout: time.Second}
	gate = Exec{Argv: []string{"/bin/gate"}, Timeout: time.Second, Required: true}
)

// optional returns a command that is not required.
func optional(o Exec) Exec {
	o.Required = false
	return o
}

func TestACommandThatFailsLeavesItsDecisionAlone(t *testing.T) {
	for name, failure := range map[string]error{"it never ran": errNo, "it ran": &CommandError{Status: 1, Text: errNo.Error()}, "it hung": &CommandError{Status: -1, Text: errNo.Error()}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, note, Allow{Ports: ports(t, "tcp/80")}, optional(mount))))
			w.knock(alice, "udp/501")
			ids := w.takeAwaited()
			t.Log("# the results may come in any order")
			w.record(w.e.Result(w.now, ids[0], nil))
			w.record(w.e.Result(w.now, ids[2], nil))
			w.record(w.e.Result(w.now, ids[1], failure))
			w.want("0s failed a 203.0.113.9 exec (exit status 1)")
			t.Log("# a grant that is a command ends with its failure, without an undo")
			w.record(w.e.Result(w.now, ids[3], failure))
			w.want("0s failed a 203.0.113.9 exec #3 (exit status 1)", "0s close a 203.0.113.9 #3 failed")
			w.tick(time.Hour)
			w.want("30s close a 203.0.113.9 #1 tcp/22 expired", "30s close a 203.0.113.9 #2 tcp/80 expired")
		})
	}
}

func TestARequiredCommandTakesBackWhatWasGivenBeforeIt(t *testing.T) {
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(optional(mount), Allow{}, note, gate, Allow{Ports: ports(t, "tcp/80")})))
	w.knock(alice, "udp/501")
	ids := w.takeAwaited()
	w.record(w.e.Result(w.now, ids[1], nil))
	w.record(w.e.Result(w.now, ids[3], errNo))
	t.Log("# what ran beside it may have ended by then, or not")
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[2], errNo))
	w.tick(time.Hour)
	w.want("0s failed a 203.0.113.9 exec (exit status 1)", "0s close a 203.0.113.9 #3 tcp/80 failed",
		"0s close a 203.0.113.9 #2 tcp/22 failed", "0s close a 203.0.113.9 #1 failed", "0s effect a 203.0.113.9 undo #1 /bin/umount /mnt")
}

// The access itself is required in any case.
func TestAFailedAllowTakesBackACommandThatIsNotRequired(t *testing.T) {
	w := newWorld(t, scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(optional(mount), Allow{})))
	w.knock(alice, "udp/501")
	ids := w.takeAwaited()
	w.record(w.e.Result(w.now, ids[0], nil))
	w.record(w.e.Result(w.now, ids[1], errNo))
	w.want("0s failed a 203.0.113.9 allow #2 tcp/22 (exit status 1)", "0s close a 203.0.113.9 #2 tcp/22 failed",
		"0s close a 203.0.113.9 #1 failed", "0s effect a 203.0.113.9 undo #1 /bin/umount /mnt")
}

// A command that others joined fails for all who joined it, and for nobody else.
func TestAFailureEndsTheGrantsThatShareTheRun(t *testing.T) {
	w := newWorld(t, scripted(aDoor(t, "a", "udp/501"), HookOpen, always(optional(mount))),
		scripted(guarding(t, aDoor(t, "b", "udp/502"), "tcp/22"), HookOpen, always(Allow{}, optional(mount))))
	w.knock(alice, "udp/501", "udp/502")
	w.record(w.e.Result(w.now, w.takeAwaited()[0], errNo))
	w.tick(time.Hour)
	w.want("0s failed a 203.0.113.9 exec #1 (exit status 1)", "0s close a 203.0.113.9 #1 failed", "0s close b 203.0.113.9 #3 failed",
		"30s close b 203.0.113.9 #2 tcp/22 expired")
}

// The wall clock is set while a command runs that is not required: the element follows at once.
func TestAStepDoesNotWaitForACommandThatIsNotRequired(t *testing.T) {
	w := newWorld(t, scripted(ending(t, "desk", "udp/500", 40*time.Minute), HookOpen, always(note, Allow{})))
	w.knock(alice, "udp/500")
	w.got = nil
	w.record(w.e.Step(w.now, 10*time.Minute))
	if got := w.lastElement(); got != 20*time.Minute {
		t.Errorf("the element ends after %v, want 20m", got)
	}
}

// A state that an older version wrote continues as that version did: each command is required,
// those that are awaited and those of later decisions.
func TestAnOlderStateRequiresEachCommand(t *testing.T) {
	for _, older := range []bool{false, true} {
		door := scripted(guarding(t, aDoor(t, "a", "udp/501"), "tcp/22"), HookOpen, always(Allow{}, note))
		w := newWorld(t, door)
		w.knock(alice, "udp/501")
		ids := w.takeAwaited()
		s := w.e.State()
		if !s.Required {
			t.Fatal("a new state looks like an older one")
		}
		if older {
			s.Required = false
		}
		for range 2 { // its own state is older, too
			var err error
			if w.e, err = Resume(Config{}, s, &Set{Doors: []*Door{door}}); err != nil {
				t.Fatal(err)
			}
			s = w.e.State()
		}
		w.record(w.e.Result(w.now, ids[1], errNo))
		w.knock(bob, "udp/501")
		w.record(w.e.Result(w.now, w.got[len(w.got)-1].ID, errNo))
		want := 2
		if older {
			want = 0
		}
		if n := w.e.grants.count(); n != want {
			t.Errorf("older %t: %d grants live after each command failed, want %d", older, n, want)
		}
	}
}
