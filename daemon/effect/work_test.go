package effect

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// wantWork compares what the runner did and has to do, without its bounds. Times are since the
// beginning.
func (h *host) wantWork(t *testing.T, want Work) {
	t.Helper()
	got := h.r.Work()
	if got.Places != 1<<14 || got.Commands != 16 {
		t.Errorf("%d places and %d commands", got.Places, got.Commands)
	}
	want.Places, want.Commands = got.Places, got.Commands
	if want.Ran == nil {
		want.Ran = map[CommandOutcome]int{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("work (-want +got):\n%s", diff)
	}
}

func TestWorkOfTheJournal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.wantWork(t, Work{})
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.r.WriteJournal() // without a record it counts as no write
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s", "0s persist +1", "0s persist")
		h.wantWork(t, Work{Journal: JournalWork{Writes: 1}})
		t.Log("# a write hangs, and what waits for it too")
		h.hang()
		later(time.Second)
		h.give(mount(2, "a", alice))
		later(journalPatience / 2)
		h.give(mount(3, "b", alice))
		at := h.began.Add(time.Second)
		h.wantWork(t, Work{Queued: 2, Oldest: at, Journal: JournalWork{Writes: 1, Pending: 2, Oldest: at}})
		t.Log("# now and then the journal is written without a record; a write that takes long counts with its time")
		later(journalPatience / 4)
		h.goOn()
		later(0)
		h.results()
		w := h.r.Work().Journal
		if w.Writes != 3 || w.Failures != 0 || w.Took != 3*journalPatience/4 || w.Pending != 0 || !w.Oldest.IsZero() {
			t.Errorf("the journal did %+v", w)
		}
	})
}

func TestWritesThatFailAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.change(func() { h.diskFull = true })
		h.give(h.allow(1, alice, ssh, time.Minute))
		later(0)
		at := h.began
		h.wantWork(t, Work{Journal: JournalWork{Writes: 1, Failures: 1, Pending: 1, Oldest: at}})
		later(retryDelay)
		h.wantWork(t, Work{Journal: JournalWork{Writes: 2, Failures: 2, Pending: 1, Oldest: at}})
		h.change(func() { h.diskFull = false })
		later(maxRetryDelay)
		h.wantWork(t, Work{Journal: JournalWork{Writes: 3, Failures: 2}})
	})
}

func TestCommandsAreCountedByTheirResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: time.Minute}
		h.programs["/fails"] = program{fails: errNo}
		h.programs["/hangs"] = program{fails: HungError{&engine.CommandError{Status: -1, Text: "killed"}}}
		for id := range uint64(20) {
			h.give(run(id+1, elsewhere(int(id)), "/slow"))
		}
		later(30 * time.Second)
		h.wantWork(t, Work{Queued: 20, Running: 12, Oldest: h.began})
		later(2 * time.Minute)
		ran := map[CommandOutcome]int{{Result: CommandSucceeded}: 20}
		h.wantWork(t, Work{Ran: ran})
		h.give(run(31, alice, "/fails"))
		h.give(run(32, alice, "/hangs"))
		h.give(mount(33, "a", alice))
		h.give(umount(34, 33, "a", alice))
		later(0)
		ran[CommandOutcome{Result: CommandSucceeded}]++
		ran[CommandOutcome{Result: CommandFailed}] = 1
		ran[CommandOutcome{Result: CommandHung}] = 1
		ran[CommandOutcome{Undo: true, Result: CommandSucceeded}] = 1
		if diff := cmp.Diff(ran, h.r.Work().Ran); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
		h.results()
	})
}

func TestResultsOfCommands(t *testing.T) {
	exited := func(status int) error { return &engine.CommandError{Status: status, Text: "exited"} }
	for _, tt := range []struct {
		name string
		err  error
		want CommandResult
	}{
		{"none", nil, CommandSucceeded},
		{"a status", exited(1), CommandFailed},
		{"a signal", exited(-1), CommandFailed},
		{"another error", errors.New("no such file"), CommandFailed},
		{"a time limit", HungError{&engine.CommandError{Status: -1, Text: "killed"}}, CommandHung},
		{"a stop", ErrStopped, CommandRefused},
		{"no journal", ErrNoJournal, CommandRefused},
	} {
		if got := resultOf(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// While the worker is in a change of the firewall, what it took and what came since counts.
func TestTheOldestEffectIsKnownWhileTheWorkerWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{})
		h.give(h.allow(1, alice, ssh, time.Minute))
		later(time.Second)
		h.give(h.allow(2, bob, ssh, time.Minute))
		h.wantWork(t, Work{Queued: 2, Oldest: h.began})
		taken := h.r.take()
		h.wantWork(t, Work{Queued: 2, Oldest: h.began})
		h.r.round(t.Context(), taken)
		later(0)
		h.wantWork(t, Work{Journal: JournalWork{Pending: 2}}) // as of the round
	})
}
