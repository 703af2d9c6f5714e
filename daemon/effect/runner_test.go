package effect

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
)

func TestAnAllowIsRememberedThenDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.give(h.allow(1, alice, ssh, 30*time.Second))
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 30s", "0s persist +1")
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAllThatIsQueuedIsDoneTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{})
		h.r.Enqueue(h.allow(1, alice, ssh, 30*time.Second))
		h.r.Enqueue(run(9, bob, "/notify"))
		h.r.Enqueue(h.allow(2, bob, ssh, 30*time.Second))
		h.r.Enqueue(slices.Concat(closed(1, alice, ssh), ended(1)))
		h.start()
		defer h.cancel()
		h.want(t, "1, 2, 9",
			"0s apply 203.0.113.9 tcp/22 30s; 203.0.113.77 tcp/22 30s; 203.0.113.9 tcp/22 gone", "0s run /notify", "0s persist +2 -1")
	})
}

func TestWhatNeedsNothingWakesNobody(t *testing.T) {
	r := New(Config{})
	r.Enqueue([]engine.Event{{Kind: engine.EventStage}, {Kind: engine.EventMiss}})
	r.Enqueue(nil)
	if len(r.wake) != 0 {
		t.Error("the worker was woken")
	}
}

func TestEffectsOfOneDecisionFollowEachOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: 5 * time.Second}
		h.give(decide(h.allow(1, alice, ssh, 30*time.Second), run(2, alice, "/slow"), h.allow(3, alice, web, 30*time.Second), run(4, alice, "/after")))
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 30s", "0s run /slow", "0s persist +1 +3")
		t.Log("# others do not wait, not even for the same source")
		h.give(h.allow(5, bob, ssh, 30*time.Second))
		h.want(t, "5", "0s apply 203.0.113.77 tcp/22 30s", "0s persist +5")
		later(5 * time.Second)
		h.want(t, "2, 3, 4", "5s end /slow", "5s apply 203.0.113.9 tcp/80 25s", "5s run /after")
	})
}

func TestAfterAFailureTheRestOfADecisionIsLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/fails"] = program{takes: time.Second, fails: errNo}
		h.give(decide(run(1, alice, "/fails"), h.allow(2, alice, ssh, 30*time.Second), run(3, alice, "/after")))
		later(time.Second)
		h.want(t, "1 (exit status 1)", "0s run /fails", "0s persist +2", "1s end /fails")

		t.Log("# an element that fails, too")
		h.refuse = func(e Element) error {
			if e.Source == alice {
				return errNo
			}
			return nil
		}
		h.give(decide(h.allow(4, alice, ssh, 30*time.Second), h.allow(5, alice, web, 30*time.Second), script("done"), run(6, alice, "/after"), run(7, alice, "/last")))
		h.give(h.allow(8, bob, ssh, 30*time.Second))
		later(0)
		h.want(t, "4 (exit status 1), 8", "1s apply 203.0.113.9 tcp/22 30s; 203.0.113.9 tcp/80 30s", "1s apply 203.0.113.77 tcp/22 30s",
			"1s persist +4 +5", "1s persist +8")
		if h.r.places.all != 0 {
			t.Errorf("%d places are taken", h.r.places.all)
		}
	})
}

func TestAnUndoNeverOvertakesItsCommand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/mount"] = program{takes: 5 * time.Second}
		h.programs["/umount"] = program{takes: 500 * time.Millisecond}
		h.give(mount(1, "a", alice))
		h.give(umount(2, 1, "b", alice))
		h.give(mount(3, "c", alice))
		later(time.Second)
		h.give(mount(4, "a", bob))
		later(time.Minute)
		h.want(t, "1, 2, 4, 3", "0s run /mount", "0s persist +1", "0s persist +3", "1s run /mount", "1s persist +4",
			"5s end /mount", "5s run /umount", "5.5s end /umount", "5.5s run /mount", "6s end /mount", "10.5s end /mount")
	})
}

func TestTheUndoOfASharedCommandWaitsForTheCommandOfAnotherSource(t *testing.T) {
	shared := func(events []engine.Event) []engine.Event {
		for i := range events {
			events[i].Shared = events[i].Argv != nil
		}
		return events
	}
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/mount"] = program{takes: 5 * time.Second}
		h.programs["/umount"] = program{takes: 500 * time.Millisecond}
		h.give(shared(mount(1, "a", alice)))
		later(time.Second)
		h.give(shared(umount(2, 1, "b", bob)))
		h.give(shared(mount(3, "c", alice)))
		later(time.Minute)
		h.want(t, "1, 2, 3", "0s run /mount", "0s persist +1", "1s persist +3", "5s end /mount", "5s run /umount", "5.5s end /umount", "5.5s run /mount", "10.5s end /mount")
		t.Log("# a run that waits in its decision is not done any more when its undo ran, whoever caused that")
		h.programs["/slow"] = program{takes: 5 * time.Second}
		h.give(shared(decide(run(4, alice, "/slow"), mount(5, "a", alice))))
		later(time.Second)
		h.give(shared(umount(6, 5, "b", bob)))
		later(time.Minute)
		if runs := h.ran["/mount"]; runs != 2 {
			t.Errorf("the command ran %d times, want 2", runs)
		}
	})
}

func TestACommandThatIsUndoneBeforeItsTurnNeverRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: 5 * time.Second}
		h.give(decide(run(1, alice, "/slow"), mount(2, "a", alice), run(3, alice, "/after")))
		later(time.Second)
		h.give(umount(4, 2, "b", alice))
		h.give(mount(5, "c", alice))
		later(time.Minute)
		h.want(t, "4, 5, 1, 2, 3", "0s run /slow", "0s persist +2", "1s run /umount", "1s run /mount", "1s persist +5", "5s end /slow", "5s run /after")
	})
}

func TestWhatTheEngineDecidedLastHolds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: 5 * time.Second}
		h.programs["/slower"] = program{takes: 6 * time.Second}
		h.give(decide(run(1, alice, "/slow"), h.allow(2, alice, ssh, time.Minute)))
		h.give(decide(run(3, bob, "/slower"), h.allow(4, bob, ssh, time.Minute)))
		later(time.Second)
		t.Log("# a person revokes what is not there yet, and grants the other")
		h.give(slices.Concat(closed(2, alice, ssh), ended(2)))
		h.give(h.allow(5, bob, ssh, time.Hour))
		later(time.Minute)
		h.want(t, "5, 1, 2, 3, 4", "0s run /slow", "0s run /slower", "0s persist +2", "0s persist +4",
			"1s apply 203.0.113.9 tcp/22 gone", "1s apply 203.0.113.77 tcp/22 1h0m0s", "1s persist -2", "1s persist +5", "5s end /slow", "6s end /slower")
		if open := h.open(); len(open) != 1 || len(h.r.backlog) != 0 {
			t.Errorf("open %v, %d keys are watched", open, len(h.r.backlog))
		}
	})
}

func TestAFullDiskRefusesWhatMustSurvive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.give(mount(1, "a", alice))
		h.want(t, "1", "0s run /mount", "0s persist +1")
		h.change(func() { h.diskFull = true })
		t.Log("# ports open and close, and pending undos run; a command with an undo is refused")
		full := "no_journal: what must survive a restart cannot be recorded: no space left on device"
		h.give(slices.Concat(mount(4, "a", bob), closed(7, bob, web), ended(7)))
		h.want(t, "4 ("+full+")", "0s apply 203.0.113.77 tcp/80 gone", "0s persist fails")
		h.give(decide(h.allow(2, alice, ssh, time.Minute), run(3, alice, "/after")))
		h.want(t, "2, 3", "0s apply 203.0.113.9 tcp/22 1m0s", "0s run /after")
		h.give(umount(5, 1, "a", alice))
		h.want(t, "5", "0s run /umount")
		if f := h.r.CommandReport().Failing; len(f) != 0 {
			t.Errorf("%+v fail: nobody could mend them", f)
		}
		t.Log("# and for a moment the disk is left alone")
		h.give(slices.Concat(ended(4), ended(1), h.allow(9, bob, ssh, time.Minute), mount(10, "a", bob)))
		h.want(t, "9, 10 ("+full+")", "0s apply 203.0.113.77 tcp/22 1m0s")
		later(retryDelay)
		h.want(t, "", "500ms persist fails")
		h.change(func() { h.diskFull = false })
		later(time.Minute)
		h.want(t, "", "1.5s persist -7 +2 -4 -1 +9 +10")
		if s := h.r.Journal(); s != (JournalState{}) {
			t.Errorf("the journal is %+v", s)
		}
		h.give(mount(11, "a", alice))
		h.want(t, "11", "1m0.5s run /mount", "1m0.5s persist +11")
	})
}

func TestPendingRecordsHaveAnOrderThatLosesNoUndo(t *testing.T) {
	j := newJournal()
	grant := func(id uint64, ttl time.Duration) engine.Record {
		return engine.Record{Grant: &engine.Grant{ID: id, TTL: ttl}}
	}
	end := func(id uint64) engine.Record { return engine.Record{Grant: &engine.Grant{ID: id}, Ended: true} }
	put := func(key string, v any) engine.Record {
		return engine.Record{Script: "s.lua", Store: &engine.Put{Key: key, Value: v}}
	}
	for _, r := range []engine.Record{grant(2, 1), put("n", 1), end(1), grant(2, 2), grant(3, 1), end(2), put("n", 2), put("m", 1)} {
		j.add(r, time.Time{})
	}
	got := []string{}
	for _, r := range inOrder(j.pending) {
		switch {
		case r.Store != nil:
			got = append(got, r.Store.Key)
		case r.Ended:
			got = append(got, "end")
		default:
			got = append(got, "grant")
		}
	}
	if text := strings.Join(got, " "); text != "n end grant end m" {
		t.Errorf("pending: %s", text)
	}
	j.forget(time.Time{})
	j.forget(time.Time{})
	if n := len(inOrder(j.pending)); n != 4 {
		t.Errorf("%d are pending, want 4: the last end is kept", n)
	}
}

func TestAFullQueueRefusesDecisions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{Queue: 2})
		h.r.Enqueue(decide(run(1, alice, "/a"), run(2, alice, "/b"), run(3, alice, "/c")))
		h.r.Enqueue(slices.Concat(
			decide(h.allow(4, bob, ssh, time.Minute), run(5, bob, "/d")), script("dropped"),
			umount(6, 1, "a", alice), closed(4, bob, ssh), ended(4)))
		h.want(t, "4 (too many effects wait to be carried out)")
		h.start()
		defer h.cancel()
		h.want(t, "1, 6, 2, 3", "0s apply 203.0.113.77 tcp/22 gone", "0s run /a", "0s run /umount", "0s run /b", "0s run /c", "0s persist -4")
		h.give(h.allow(7, bob, ssh, time.Minute))
		h.want(t, "7", "0s apply 203.0.113.77 tcp/22 1m0s", "0s persist +7")
	})
}

func TestSixteenCommandsRunAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: time.Second}
		for i := range uint64(4000) {
			h.r.Enqueue(run(i+1, alice, "/slow"))
			e := run(i+5001, bob, "/slow")
			e[0].Door = string(rune('b' + i%40))
			e[0].Owner = e[0].Door
			h.r.Enqueue(e)
		}
		later(9000 * time.Second)
		if n := h.ran["/slow"]; n != 8000 || h.mostRunning != 16 || len(h.r.jobs.queues) != 0 {
			t.Errorf("%d ran, %d at once, %d queues are left", n, h.mostRunning, len(h.r.jobs.queues))
		}
		if results := h.r.Results(); len(results) != 8000 {
			t.Errorf("%d results", len(results))
		}
	})
}

func TestAnElementWithoutTableWaitsForARepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.change(func() { h.table = false })
		h.give(decide(h.allow(1, alice, ssh, time.Minute), script("x"), run(2, alice, "/after"), h.allow(3, alice, web, time.Minute)))
		h.give(closed(9, bob, ssh))
		h.want(t, "", "0s apply 203.0.113.9 tcp/22 1m0s", "0s apply 203.0.113.77 tcp/22 gone", "0s persist +1 +3")
		<-h.r.Repair()
		later(time.Second)
		done := h.r.Install(Guards{}, []engine.Element{{Source: alice, Port: ssh, Until: time.Now().Add(time.Minute)}, {Source: bob, Port: ssh, Until: time.Now()}})
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.want(t, "1, 2, 3", "1s install 1", "1s run /after", "1s apply 203.0.113.9 tcp/80 59s")

		t.Log("# which does not come")
		h.change(func() { h.table = false })
		h.give(decide(h.allow(4, alice, ssh, time.Minute), run(5, alice, "/after")))
		later(parkDelay)
		h.want(t, "4 (the firewall's table is gone)", "1s apply 203.0.113.9 tcp/22 1m0s", "1s persist +4")
		if len(h.r.Repair()) != 1 {
			t.Errorf("%d repairs are asked for, want 1", len(h.r.Repair()))
		}
		h.wantNothingLeft(t)
	})
}

func TestARepairThatFailsIsTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.change(func() { h.table, h.install = false, errNo })
		h.give(decide(h.allow(1, alice, ssh, time.Minute), h.allow(2, alice, web, time.Minute), run(3, alice, "/after")))
		if err := <-h.r.Install(Guards{}, nil); err != errNo {
			t.Errorf("got %v", err)
		}
		h.want(t, "1 (exit status 1)", "0s apply 203.0.113.9 tcp/22 1m0s; 203.0.113.9 tcp/80 1m0s", "0s install fails", "0s persist +1 +2")

		t.Log("# one that succeeds brings only what is not refused")
		h.change(func() { h.install, h.table, h.diskFull = nil, true, true })
		h.give(decide(h.allow(5, alice, ssh, time.Minute)[1:], mount(4, "a", alice), h.allow(6, alice, web, time.Minute)))
		<-h.r.Install(Guards{}, nil)
		h.want(t, "5, 4 (no_journal: what must survive a restart cannot be recorded: no space left on device)",
			"0s apply 203.0.113.9 tcp/22 1m0s", "0s install 0", "0s persist fails")
		h.change(func() { h.diskFull = false })
		later(time.Minute)
	})
}

func TestAnInstallGivesNothingThatStillWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/gate"] = program{takes: 5 * time.Second}
		h.give(decide(run(1, alice, "/gate"), h.allow(2, alice, ssh, time.Minute)))
		later(time.Second)
		until := time.Now().Add(time.Minute)
		wanted := []engine.Element{{Source: alice, Port: ssh, Until: until}, {Source: alice, Port: web, Until: until}}
		<-h.r.Install(Guards{}, wanted)
		h.want(t, "", "0s run /gate", "0s persist +2", "1s install 1")
		h.give(h.allow(3, alice, ssh, time.Minute))
		<-h.r.Install(Guards{}, wanted)
		h.want(t, "3", "1s apply 203.0.113.9 tcp/22 1m0s", "1s install 2", "1s persist +3")
		later(time.Minute)
		h.want(t, "1, 2", "5s end /gate")
	})
}

func TestAFailureThatTheEngineDoesNotTakeBackAsksForARepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.refuse = func(Element) error { return errNo }
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.want(t, "1 (exit status 1)", "0s apply 203.0.113.9 tcp/22 1m0s", "0s persist +1")
		if len(h.r.Repair()) != 0 {
			t.Error("the engine takes it back, and a repair is asked for")
		}
		h.give(closed(1, alice, ssh))
		h.want(t, "", "0s apply 203.0.113.9 tcp/22 gone")
		<-h.r.Repair()
	})
}

func TestAnElementThatEndedMeanwhileGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{})
		h.r.Enqueue(h.allow(1, alice, ssh, time.Second))
		later(2 * time.Second)
		h.start()
		defer h.cancel()
		h.want(t, "1", "2s apply 203.0.113.9 tcp/22 gone", "2s persist +1")
	})
}

func TestAnObservedDoorDoesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		events := slices.Concat(h.allow(1, alice, ssh, time.Minute)[1:], mount(2, "a", alice)[1:], run(3, alice, "/notify"), umount(4, 2, "a", alice))
		for i := range events {
			events[i].Observed, events[i].Decision = true, 0
		}
		h.give(events)
		t.Log("# its commands are answered and do not run; its access is the firewall's, which lets nobody in for it")
		h.want(t, "2, 3, 4, 1", "0s apply 203.0.113.9 tcp/22 1m0s observed")
	})
}

// The sessions of a grant end in the transaction that ends it, and those without a grant in one
// of their own.
func TestSessionsAreCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var text logtest.Buffer
		h := newHost(t, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.give(h.allow(1, alice, ssh, time.Minute))
		end := closed(1, alice, ssh)
		end[0].Cut = true
		h.give(end)
		h.give([]engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectCut, Source: bob, Port: ssh, Cut: true}})
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s", "0s apply 203.0.113.9 tcp/22 gone cut", "0s apply 203.0.113.77 tcp/22 gone cut", "0s persist +1")
		want := `[INFO]  access opened: door=a source=203.0.113.9 port=tcp/22 grant=1 ttl=1m0s
[INFO]  access closed: door=a source=203.0.113.9 port=tcp/22 grant=1 reason=revoked cut=true
[INFO]  sessions cut: source=203.0.113.77 port=tcp/22
`
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, text := infoLog()
		h := newHost(t, Config{Log: log})
		h.programs["/fails"] = program{fails: errNo, writes: "no\x1b[31m disk"}
		h.programs["/works"] = program{writes: "much"}
		h.give(slices.Concat(decide(h.allow(1, alice, ssh, 30*time.Second), script("hello\x1b[2J")), closed(1, alice, ssh), run(3, alice, "/works")))
		h.give(run(4, alice, "/fails"))
		want := `[INFO]  access opened: door=a source=203.0.113.9 port=tcp/22 grant=1 ttl=30s
[INFO]  access closed: door=a source=203.0.113.9 port=tcp/22 grant=1 reason=revoked
[INFO]  script: text="hello�[2J" door=a source=203.0.113.9
[INFO]  commands ran: count=1 doors=a sources=1 last_source=203.0.113.9
[WARN]  command failed: door=a source=203.0.113.9 command=/fails undo=false error="exit status 1" output="no�[31m disk"
`
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}

		t.Log("# who makes commands fail does not fill the log")
		text.Reset()
		for range 1000 {
			h.give(run(5, bob, "/fails"))
		}
		if n := strings.Count(text.String(), "\n"); n != 19 {
			t.Errorf("%d lines, want 19", n)
		}
		text.Reset()
		later(time.Minute)
		h.give(run(6, bob, "/fails"))
		if !strings.Contains(text.String(), "not_logged=981") {
			t.Errorf("logged %s", text)
		}
	})
}

func TestStoppingRunsPendingUndos(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/umount"] = program{takes: 3 * time.Second}
		h.r.Enqueue(umount(1, 1, "a", alice))
		h.r.Enqueue(umount(2, 2, "a", alice))
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		h.want(t, "1, 2", "0s run /umount", "3s end /umount", "3s run /umount", "6s end /umount")
	})
}

func TestStoppingEndsInAnyCase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{Grace: 4 * time.Second, Commands: 1})
		h.programs["/umount"] = program{takes: time.Hour}
		h.r.Enqueue(slices.Concat(umount(1, 1, "a", alice), umount(2, 2, "a", alice), umount(3, 3, "b", bob), run(4, bob, "/notify")))
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		stops := "the daemon stops"
		// The first ends in the moment in which the runner answers all that wait, so the order is
		// that of each source alone.
		results := strings.Split(h.results(), ", ")
		slices.SortStableFunc(results, func(a, b string) int { return int(b[0]/'3') - int(a[0]/'3') })
		if got, want := strings.Join(results, ", "), "3 ("+stops+"), 4 ("+stops+"), 1 ("+stops+"), 2 ("+stops+")"; got != want {
			t.Errorf("results %q, want %q", got, want)
		}
		h.want(t, "", "0s run /umount", "4s end /umount")

		t.Log("# also when something does not end, and the disk is full")
		h = newHost(t, Config{Grace: 4 * time.Second})
		h.change(func() { h.diskFull = true })
		hangs := make(chan struct{})
		h.r.exec = func(_ context.Context, _ Command, answer func(Output, error)) {
			<-hangs
			answer(Output{}, nil)
		}
		h.r.Enqueue(slices.Concat(ended(1), run(1, bob, "/hangs")))
		err := h.stop()
		if err == nil || err.Error() != "stopping: 1 commands did not end, and 1 records could not be written" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(h.began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		close(hangs)
	})
}
