package effect

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/engine"
)

// While a write hangs, ports open and close on time. What must survive waits a second for its
// record, and is refused then.
func TestAHangingDiskHoldsUpNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.hang()
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.give(run(2, alice, "/notify"))
		h.give(mount(3, "a", alice))
		h.give(decide(consume(4, bob, "501"), h.allow(5, bob, ssh, time.Minute)))
		h.want(t, "1, 2", "0s apply 203.0.113.9 tcp/22 1m0s", "0s run /notify")
		later(journalPatience)
		hangs := "no_journal: what must survive a restart cannot be recorded: the disk does not answer"
		h.want(t, "3 ("+hangs+"), 4 ("+hangs+")")
		if s := h.r.Journal(); !errors.Is(s.Err, errHangs) || s.Pending != 4 || !s.Since.Equal(h.began.Add(journalPatience)) {
			t.Errorf("the journal is %+v", s)
		}
		t.Log("# from now on at once")
		h.give(mount(6, "a", alice))
		h.want(t, "6 ("+hangs+")")
		h.give(slices.Concat(closed(1, alice, ssh), ended(1), h.allow(7, bob, web, time.Minute)))
		h.want(t, "7", "1s apply 203.0.113.9 tcp/22 gone; 203.0.113.77 tcp/80 1m0s")
		t.Log("# and all is written when the disk answers again")
		h.goOn()
		h.want(t, "", "1s persist +1", "1s persist +3 used 501 +5 +6 -1 +7")
		h.give(mount(8, "a", alice))
		h.want(t, "8", "1s run /mount", "1s persist +8")
		if s := h.r.Journal(); s != (JournalState{}) {
			t.Errorf("the journal is %+v", s)
		}
	})
}

// A command with an undo, and what is given for a one-time sequence, waits for its record, also
// when a write without it was under way. Nothing that is decided later overtakes them.
func TestWhatMustSurviveWaitsForItsRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/mount"] = program{takes: 100 * time.Millisecond}
		h.hang()
		h.give(h.allow(1, alice, ssh, time.Minute)) // its write hangs
		h.give(decide(mount(2, "a", alice), h.allow(3, alice, web, time.Minute)))
		h.give(umount(4, 2, "b", alice))
		h.give(decide(consume(5, bob, "501"), h.allow(6, bob, ssh, time.Minute)))
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s")
		later(journalPatience / 2)
		h.goOn()
		h.want(t, "5, 6", "500ms apply 203.0.113.77 tcp/22 59.5s", "500ms run /mount", "500ms persist +1", "500ms persist +2 +3 used 501 +6")
		later(time.Second)
		h.want(t, "2, 3, 4", "600ms end /mount", "600ms apply 203.0.113.9 tcp/80 59.4s", "600ms run /umount")
	})
}

// The undo of a command that waits for its record comes behind it, and a command that was refused
// leaves its queues although others stand before it.
func TestARefusedCommandLeavesItsQueues(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: 5 * time.Second}
		h.give(run(1, alice, "/slow"))
		h.hang()
		h.give(mount(2, "a", alice))
		h.give(umount(3, 2, "b", alice))
		h.want(t, "", "0s run /slow")
		later(journalPatience)
		hangs := "no_journal: what must survive a restart cannot be recorded: the disk does not answer"
		h.want(t, "2 ("+hangs+"), 3", "1s run /umount")
		h.goOn()
		later(time.Minute)
		h.want(t, "1", "1s persist +2", "5s end /slow")
		h.wantNothingLeft(t)
	})
}

// A daemon whose disk hangs stops within its grace.
func TestAHangingDiskDoesNotHoldUpTheStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{Grace: 4 * time.Second})
		h.hang()
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.give(mount(2, "a", alice))
		if err := h.stop(); err != nil {
			t.Errorf("got %v", err)
		}
		if took := time.Since(h.began); took != journalPatience {
			t.Errorf("it took %v", took)
		}
		h.want(t, "1, 2 (no_journal: what must survive a restart cannot be recorded: the disk does not answer)", "0s apply 203.0.113.9 tcp/22 1m0s")
		h.goOn()
		later(0)
	})
}

// On a full disk the stop tries once more, and ends.
func TestAFullDiskDoesNotHoldUpTheStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{Grace: 4 * time.Second})
		h.change(func() { h.diskFull = true })
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s", "0s persist fails")
		if err := h.stop(); err != nil {
			t.Errorf("got %v", err)
		}
		h.want(t, "", "0s persist fails")

		t.Log("# and what can be written then is")
		h = newHost(t, Config{Grace: 4 * time.Second})
		h.change(func() { h.diskFull = true })
		h.give(h.allow(1, alice, ssh, time.Minute))
		h.change(func() { h.diskFull = false })
		if err := h.stop(); err != nil {
			t.Errorf("got %v", err)
		}
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s", "0s persist fails", "0s persist +1")
	})
}

// Whoever waits for the disk hears when it has all records from before the call, or that it cannot
// have them now.
func TestWaitingForTheDisk(t *testing.T) {
	value := []engine.Record{{Script: "a.lua", Store: &engine.Put{Key: "k"}}}
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		if err := <-h.r.Written(); err != nil {
			t.Errorf("without a record: %v", err)
		}
		h.r.Record(value)
		if err := <-h.r.Written(); err != nil || len(h.records) != 1 {
			t.Errorf("%v, with %d records on the disk", err, len(h.records))
		}
		t.Log("# a write that began before has not the record")
		h.hang()
		h.r.Record(value)
		first := h.r.Written()
		later(journalPatience / 4)
		h.r.Record(value)
		second := h.r.Written()
		later(journalPatience / 4)
		h.goOn()
		if err := errors.Join(<-first, <-second); err != nil || len(h.records) != 3 {
			t.Errorf("%v, with %d records on the disk", err, len(h.records))
		}
		t.Log("# when the disk is full or hangs")
		h.change(func() { h.diskFull = true })
		h.r.Record(value)
		if err := <-h.r.Written(); !errors.Is(err, ErrNoJournal) || !errors.Is(err, errDisk) {
			t.Errorf("on a full disk: %v", err)
		}
		h.change(func() { h.diskFull = false })
		later(time.Minute)
		h.hang()
		h.r.Record(value)
		begun := time.Now()
		if err := <-h.r.Written(); !errors.Is(err, errHangs) || time.Since(begun) != journalPatience {
			t.Errorf("after %v on a disk that hangs: %v", time.Since(begun), err)
		}
		h.goOn()
	})
}

// A step of the wall clock is written although there is no record.
func TestAClockStepIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.r.WriteJournal()
		h.want(t, "", "0s persist")
		h.change(func() { h.diskFull = true })
		h.r.WriteJournal()
		h.want(t, "", "0s persist fails")
		h.change(func() { h.diskFull = false })
		later(time.Minute)
		h.want(t, "", "500ms persist")
	})
}

// While the disk hangs for long, values that are over and old ends are dropped, and what is live
// stays. The records that wait are looked through seldom.
func TestPendingRecordsAreBounded(t *testing.T) {
	j, now := newJournal(), time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	value := func(n int, until time.Time) engine.Record {
		return engine.Record{Script: "a.lua", Source: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), Store: &engine.Put{Key: "n", Value: 1.0, Until: until}}
	}
	const live = 1000
	for n := range live {
		j.add(value(n, now.Add(24*time.Hour)), now)
	}
	looked, before := 0, 0
	for n := range 6 * maxPending {
		at := now.Add(time.Duration(n) * time.Millisecond)
		j.add(value(live+n, at.Add(time.Second)), at)
		if len(j.pending) > maxPending {
			t.Fatalf("%d records are pending", len(j.pending))
		}
		if len(j.pending) < before {
			looked++
		}
		before = len(j.pending)
	}
	if looked < 3 || looked > 10 {
		t.Errorf("the records were looked through %d times", looked)
	}
	for n := range live {
		if _, kept := j.pending[subjectOf(value(n, now))]; !kept {
			t.Fatal("a live value was dropped")
		}
	}

	t.Log("# what cannot be dropped is not looked through each time")
	j, looked = newJournal(), 0
	room := 0
	for n := range 2*maxPending - 1 {
		j.add(engine.Record{Grant: &engine.Grant{ID: uint64(n + 1)}}, now)
		if j.room != room {
			looked, room = looked+1, j.room
		}
	}
	if looked != 1 || len(j.pending) != 2*maxPending-1 {
		t.Errorf("looked %d times, %d are pending", looked, len(j.pending))
	}
}
