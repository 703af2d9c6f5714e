package effect

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/packet"
)

// consume is what comes first when a one-time sequence was used.
func consume(id uint64, source netip.Prefix, line string) []engine.Event {
	use := &engine.Consumed{File: "/once", Line: line}
	return []engine.Event{{
		Kind: engine.EventEffect, Effect: engine.EffectConsume, Door: "a", ID: id, Source: source, File: use.File, Text: line,
		Persist: &engine.Record{Consumed: use},
	}}
}

func commentOutLine(id uint64, line string) []engine.Event {
	return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectCommentOut, Door: "a", ID: id, File: "/once", Text: line}}
}

func TestAUseIsWrittenBeforeAnythingIsGiven(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.lines = []string{"501"}
		h.give(decide(consume(1, alice, "501"), h.allow(2, alice, ssh, 30*time.Second), run(3, alice, "/notify")))
		h.want(t, "1, 2, 3", "0s apply 203.0.113.9 tcp/22 30s", "0s run /notify", "0s persist used 501 +2")
		h.give(commentOutLine(4, "501"))
		h.want(t, "4", "0s comment out 501")
		if err := h.stop(); err != nil || h.r.places.all != 0 || h.lines[0] != "#01" {
			t.Errorf("stopping: %v, %d places taken, the file %v", err, h.r.places.all, h.lines)
		}
	})
}

func TestAUseThatCannotBeWrittenGivesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.change(func() { h.diskFull = true })
		refused := "1 (no_journal: what must survive a restart cannot be recorded: no space left on device)"
		h.give(decide(consume(1, alice, "501"), h.allow(2, alice, ssh, 30*time.Second), script("hello"), run(3, alice, "/notify")))
		h.want(t, refused, "0s persist fails")
		t.Log("# nor soon after; others go on")
		h.give(decide(consume(1, bob, "502"), run(3, bob, "/notify")))
		h.give(run(4, bob, "/others"))
		h.want(t, refused+", 4", "0s run /others")
		t.Log("# that it was used is written once there is room")
		h.change(func() { h.diskFull = false })
		later(time.Second)
		h.want(t, "", "500ms persist used 501 +2 used 502")
		h.wantNothingLeft(t)
	})
}

func TestEachUseOfALineIsPendingByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.change(func() { h.diskFull = true })
		commentedOut := func(line string) []engine.Event {
			return []engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectPersist,
				Persist: &engine.Record{Consumed: &engine.Consumed{File: "/once", Line: line}, Ended: true}}}
		}
		h.give(decide(consume(1, alice, "501")))
		h.give(decide(consume(2, alice, "501")))
		h.give(commentedOut("501"))
		h.change(func() { h.diskFull = false })
		later(time.Second)
		h.change(func() {
			h.happened = slices.DeleteFunc(h.happened, func(s string) bool { return strings.Contains(s, "fails") })
		})
		full := "no_journal: what must survive a restart cannot be recorded: no space left on device"
		h.want(t, "1 ("+full+"), 2 ("+full+")", "500ms persist used 501 used 501 commented out 501")
	})
}

func TestAUseNeedsNoRoomInTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{Queue: 1})
		h.programs["/first"] = program{takes: time.Second}
		h.r.Enqueue(run(9, bob, "/first"))
		h.r.Enqueue(decide(consume(1, alice, "501"), h.allow(2, alice, ssh, 30*time.Second)))
		h.start()
		defer h.cancel()
		h.want(t, "2 (too many effects wait to be carried out), 1", "0s run /first", "0s persist used 501 +2")
		later(time.Second)
		h.want(t, "9", "1s end /first")
	})
}

func TestLinesAreCommentedOutOneByOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hangs := make(chan struct{})
		h := newHost(t, Config{Grace: time.Second})
		var begun []string
		h.r.commentOut = func(file, line string) error {
			h.change(func() { begun = append(begun, file+" "+line) })
			if line == "501" {
				<-hangs
			}
			return nil
		}
		other := commentOutLine(3, "1")
		other[0].File = "/other"
		h.give(slices.Concat(commentOutLine(1, "501"), commentOutLine(2, "502"), other))
		h.want(t, "3")
		h.give(run(4, alice, "/notify"))
		h.want(t, "4", "0s run /notify")
		if !slices.Contains(begun, "/other 1") || slices.Contains(begun, "/once 502") {
			t.Errorf("begun: %v", begun)
		}
		close(hangs)
		h.want(t, "1, 2")
	})
}

func TestAHangingFileDoesNotHoldUpTheStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{Grace: time.Second})
		hangs := make(chan struct{})
		h.r.commentOut = func(string, string) error { <-hangs; return nil }
		h.give(slices.Concat(commentOutLine(1, "501"), commentOutLine(2, "502")))
		if err := h.stop(); err == nil || err.Error() != "stopping: 1 commands did not end, and 0 records could not be written" {
			t.Errorf("got %v", err)
		}
		h.want(t, "")
		close(hangs)
		synctest.Wait()
	})
}

func TestWhatIsLoggedOfOneTimeSequences(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var text logtest.Buffer
		h := newHost(t, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.readOnly, h.diskFull = true, true
		empty := script("/once has no sequence left")
		empty[0].File = "/once"
		h.give(slices.Concat(commentOutLine(1, "501"), decide(consume(2, alice, "501")), empty))
		later(0)
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		slices.Sort(lines)
		if want := []string{
			`[ERROR] the journal cannot be written: ports open and close all the same, but commands with an undo and one-time sequences are refused: error="no space left on device"`,
			`[WARN]  no one-time sequence left: write new ones into the file: door=a file=/once`,
			`[WARN]  nothing is given for a one-time sequence: its use cannot be recorded: door=a source=203.0.113.9 file=/once error="no_journal: what must survive a restart cannot be recorded: no space left on device"`,
			`[WARN]  used one-time sequence not commented out: that is tried again at the next start: door=a file=/once error="no space left on device"`,
		}; !slices.Equal(lines, want) {
			t.Errorf("logged\n%s", strings.Join(lines, "\n"))
		}
		h.change(func() { h.diskFull = false })
		later(time.Second)
	})
}

func TestACommandThatMayFailLetsTheRestFollow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/start"] = program{takes: time.Second, fails: &engine.CommandError{Status: 1, Text: "exit status 1"}}
		events := decide(run(1, alice, "/start"), run(2, alice, "/after"))
		events[0].AnyStatus = true
		h.give(events)
		later(time.Second)
		h.want(t, "1 (exit status 1), 2", "0s run /start", "1s end /start", "1s run /after")
		t.Log("# but it must have run")
		h.programs["/start"] = program{fails: errNo}
		h.give(events)
		h.want(t, "1 (exit status 1)", "1s run /start")
	})
}

// onceWorld is a world whose door, with the lines that are not commented out in its
// host's file, runs a program for each that is used.
func onceWorld(t *testing.T, h *host) *world {
	door := &engine.Door{
		Name: "a", Script: "a.lua", Within: time.Second, TTL: 10 * time.Second, Guards: []packet.Port{ssh}, Hooks: engine.HookOpen,
		OneTime: &engine.OneTime{File: "/once"},
		Handler: does(func(m *engine.Call) (engine.Decision, error) {
			return engine.Decision{Operations: []engine.Operation{
				engine.Allow{}, engine.Exec{Argv: []string{"/give", fmt.Sprint(m.Packet.Port.Number)}, Timeout: time.Minute},
			}}, nil
		}),
	}
	for _, line := range h.lines {
		if line[0] == '#' {
			continue
		}
		var number uint16
		if _, err := fmt.Sscan(line, &number); err != nil {
			t.Fatal(err)
		}
		door.OneTime.Sequences = append(door.OneTime.Sequences, engine.OneTimeSequence{
			Line: line, Knocks: []engine.Knock{{Port: packet.Port{Proto: packet.UDP, Number: number}}},
		})
	}
	return newWorld(t, h, door)
}

// unfinishedLines returns the consumed lines of a journal that are not commented out.
func unfinishedLines(records []engine.Record) (pending []engine.Record) {
	left := map[engine.Consumed]int{}
	for _, r := range records {
		switch {
		case r.Consumed == nil:
		case r.Ended:
			left[*r.Consumed]--
		default:
			left[*r.Consumed]++
		}
	}
	for use, n := range left {
		for range n {
			pending = append(pending, engine.Record{Consumed: &use})
		}
	}
	return pending
}

// TestACrashAtEachStepOfAUse kills the daemon before and after each single change
// that the use of a sequence makes, on a host that is well, whose disk is full,
// and whose file cannot be written. In whatever life, a line gives once at most; and
// what is not used stays usable.
func TestACrashAtEachStepOfAUse(t *testing.T) {
	for name, fault := range map[string]func(*host){
		"well":      func(*host) {},
		"full disk": func(h *host) { h.diskFull = true },
		"read only": func(h *host) { h.readOnly = true },
	} {
		bubble(t, func(t *testing.T) {
			last := 0
			for crash := 0; crash <= last; crash++ {
				h := newStoppedHost(Config{})
				h.crash, h.lines = crash, []string{"501", "502", "503"}
				fault(h)
				w := onceWorld(t, h)
				h.start()
				w.knock(alice.Addr(), 501)
				w.serve()
				w.pass(time.Second)
				if !w.isDead() {
					last = max(last, w.steps)
				}
				w.change(func() { w.dead = true })
				_ = w.stop()

				next := newStoppedHost(Config{})
				next.kernel, next.records, next.lines = h.kernel, h.records, h.lines
				next.start()
				again := onceWorld(t, next)
				again.enqueue(again.e.Restore(time.Now(), append(pendingIn(next.records), unfinishedLines(next.records)...)))
				again.r.Install(Guards{}, again.e.Elements())
				again.serve()
				for _, port := range []uint16{501, 502, 501, 502} {
					again.knock(bob.Addr(), port)
					again.serve()
				}
				again.pass(time.Minute)
				_ = again.stop()
				gave := maps.Clone(h.ran)
				for program, n := range next.ran {
					gave[program] += n
				}
				if gave["/give 501"] > 1 || gave["/give 502"] != 1 || gave["/give 503"] != 0 {
					t.Errorf("%s, killed before step %d: the lines gave %v", name, crash, gave)
				}
				if !slices.Equal(next.lines, []string{"#01", "#02", "503"}) || len(unfinishedLines(next.records)) != 0 {
					t.Errorf("%s, killed before step %d: the file has %v, the journal %v", name, crash, next.lines, unfinishedLines(next.records))
				}
			}
			if least := map[string]int{"well": 10, "full disk": 4, "read only": 8}[name]; last < least {
				t.Errorf("%s: a life has %d steps, want %d at least", name, last, least)
			}
		})
	}
}
