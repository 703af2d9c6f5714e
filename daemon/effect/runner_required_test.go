package effect

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A command that is not required delays nothing: not the access after it, and not that of
// others. It is reported when it fails, and the rest stands.
func TestAnOptionalCommandHoldsUpNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/hangs"] = program{takes: 10 * time.Second, fails: &engine.CommandError{Status: -1, Text: "hung"}}
		h.give(decide(beside(1, alice, "/hangs"), h.allow(2, alice, ssh, 30*time.Second), run(3, alice, "/after")))
		h.want(t, "2", "0s apply 203.0.113.9 tcp/22 30s", "0s run /hangs", "0s persist +2")
		h.give(decide(run(4, bob, "/gate"), h.allow(5, bob, ssh, 30*time.Second)))
		h.want(t, "4, 5", "0s run /gate", "0s apply 203.0.113.77 tcp/22 30s", "0s persist +5")
		later(time.Minute)
		t.Log("# commands of one door and source keep their order")
		h.want(t, "1 (hung), 3", "10s end /hangs", "10s run /after")
		h.wantNothingLeft(t)
	})
}

func TestAnOptionalCommandBesideWhatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		h.programs["/slow"] = program{takes: time.Second}
		h.refuse = func(e Element) error {
			if e.Port == web {
				return errNo
			}
			return nil
		}
		t.Log("# what was decided before the failure runs, and what comes after it does not")
		h.give(decide(beside(1, alice, "/slow"), h.allow(2, alice, ssh, time.Minute), h.allow(3, alice, web, time.Minute), beside(4, alice, "/after")))
		later(2 * time.Second)
		h.want(t, "2, 3 (exit status 1), 1", "0s apply 203.0.113.9 tcp/22 1m0s; 203.0.113.9 tcp/80 1m0s", "0s run /slow", "0s persist +2 +3", "1s end /slow")
		h.wantNothingLeft(t)

		t.Log("# the same while an element waits for an install")
		h.change(func() { h.table = false })
		h.give(decide(beside(5, alice, "/slow"), h.allow(6, alice, ssh, time.Minute), beside(7, alice, "/after")))
		later(1500 * time.Millisecond)
		h.want(t, "5", "2s apply 203.0.113.9 tcp/22 1m0s", "2s run /slow", "2s persist +6", "3s end /slow")
		<-h.r.Install(Guards{}, nil)
		h.want(t, "6, 7", "3.5s install 0", "3.5s run /after")
		h.wantNothingLeft(t)
	})
}

// The places of commands are bounded for themselves, so who fills them shuts nobody out.
func TestCommandsLeavePlacesForAccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{Queue: 16})
		id := uint64(100)
		for _, door := range []string{"a", "a2", "b"} { // the first two are of one script
			for range 10 {
				id++
				e := beside(id, alice, "/x")
				e[0].Door, e[0].Owner = door, door[:1]
				h.r.Enqueue(e)
			}
		}
		p := h.r.places
		if p.all != 12 || p.commands != 12 || !maps.Equal(p.doors, map[string]int{"a": 8, "a2": 1, "b": 3}) ||
			!maps.Equal(p.scripts, map[string]int{"a": 9, "b": 3}) {
			t.Errorf("places: %+v", p)
		}
		if results := h.r.Results(); len(results) != 18 || results[0].ID != 109 || results[0].Err != errFull {
			t.Errorf("results: %v", results)
		}
		h.r.Enqueue(decide(beside(1, bob, "/x"), h.allow(2, bob, ssh, time.Minute), script("x"), run(3, bob, "/y")))
		h.start()
		defer h.cancel()
		later(time.Second)
		if !strings.HasPrefix(h.results(), "1 (too many effects wait to be carried out), 2") || h.ran["/x"] != 12 || h.ran["/y"] != 1 {
			t.Errorf("ran %v, happened %v", h.ran, h.happened)
		}
		h.wantNothingLeft(t)
	})
}

// The commands of one door leave room for those of others, which take turns, and for undos.
func TestDoorsTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{Commands: 4})
		h.programs["/hangs"] = program{takes: time.Hour}
		for i := range uint64(20) {
			e := beside(1+i, alice, "/hangs")
			e[0].Source = elsewhere(int(i))
			h.r.Enqueue(e)
		}
		h.start()
		defer func() { _ = h.stop() }()
		later(0)
		if h.ran["/hangs"] != 3 {
			t.Errorf("%d of the door run", h.ran["/hangs"])
		}
		other := beside(30, bob, "/other")
		other[0].Door = "b"
		h.give(other)
		if h.ran["/other"] != 1 {
			t.Error("the door beside it waits")
		}
		hangs := beside(31, bob, "/hangs")
		hangs[0].Door = "b"
		h.give(hangs)
		h.give(umount(32, 1, "c", bob))
		if h.ran["/hangs"] != 4 || h.ran["/umount"] != 1 {
			t.Errorf("ran %v: the undo waits for commands that hang", h.ran)
		}
	})
}

// The doors of one script together leave room for the commands of another one.
func TestScriptsLeaveRoomForOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{Commands: 16})
		h.programs["/hangs"] = program{takes: time.Hour}
		id := uint64(0)
		ask := func(owner, door, command string) {
			id++
			e := beside(id, alice, command)
			e[0].Owner, e[0].Door, e[0].Source = owner, door, elsewhere(int(id))
			h.r.Enqueue(e)
		}
		for range 20 {
			ask("a.lua", "a", "/hangs")
			ask("a.lua", "a2", "/hangs")
		}
		h.start()
		defer func() { _ = h.stop() }()
		later(0)
		if h.ran["/hangs"] != 14 {
			t.Errorf("%d of the script run, want 14", h.ran["/hangs"])
		}
		ask("b.lua", "b", "/other")
		later(0)
		if h.ran["/other"] != 1 {
			t.Error("the script beside it waits")
		}
	})
}

func TestFailingCommandsAreReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		hung := HungError{&engine.CommandError{Status: -1, Text: "running /hangs: it still ran after 1s"}}
		h.programs["/hangs"] = program{fails: hung}
		h.programs["/fails"] = program{fails: errNo}
		h.programs["/any"] = program{fails: &engine.CommandError{Status: 1, Text: "exit status 1"}}
		anyStatus := beside(5, alice, "/any", "203.0.113.9")
		anyStatus[0].AnyStatus = true
		h.give(slices.Concat(beside(1, alice, "/hangs"), beside(2, alice, "/fails", "203.0.113.9"), beside(3, bob, "/fails", "203.0.113.77"), beside(4, bob, "/works"), anyStatus))
		want := []FailingCommand{
			{Door: "a", Command: "/fails", Program: "/fails", NotRun: true, Error: "exit status 1", At: h.began, Count: 2},
			{Door: "a", Command: "/hangs", Program: "/hangs", Error: "it still ran after 1s", Hung: true, At: h.began, Count: 1},
			{Door: "a", Command: "/any", Program: "/any", AnyStatus: true, Error: "exit status 1", At: h.began, Count: 1},
		}
		if diff := cmp.Diff(want, h.r.CommandReport().Failing); diff != "" {
			t.Errorf("failing (-want +got):\n%s", diff)
		}
		t.Log("# until it succeeds, or the scripts do not have it any more")
		h.change(func() { h.programs["/fails"], h.programs["/any"] = program{}, program{} })
		h.give(slices.Concat(beside(6, alice, "/fails", "203.0.113.9"), beside(7, alice, "/any")))
		if f := h.r.CommandReport().Failing; len(f) != 1 || f[0].Command != "/hangs" {
			t.Errorf("failing: %v", f)
		}
		h.r.ForgetCommands(func(f FailingCommand) bool { return f.Door != "a" || f.Program != "/hangs" })
		if f := h.r.CommandReport().Failing; len(f) != 0 {
			t.Errorf("failing: %v", f)
		}
		t.Log("# a bounded number")
		for i := range 300 {
			e := beside(uint64(10+i), alice, "/hangs")
			e[0].Door = fmt.Sprint(i)
			h.give(e)
			later(time.Millisecond)
		}
		f := h.r.CommandReport().Failing
		if len(f) != maxFailingCommands || slices.ContainsFunc(f, func(f FailingCommand) bool { return f.Door == "0" }) {
			t.Errorf("%d are known", len(f))
		}
	})
}

// One command of a door that works says nothing of another one with the same program.
func TestFailingCommandsOfOneProgramAreToldApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		declared := func(id uint64, source netip.Prefix, verb string) []engine.Event {
			e := beside(id, source, "/nft", verb, source.String())
			e[0].Invocation = &engine.Invocation{Argv: []string{"/nft", verb, "{source}"}}
			return e
		}
		fails := func(does bool) {
			h.change(func() {
				h.programs["/nft"] = program{}
				if does {
					h.programs["/nft"] = program{fails: errNo}
				}
			})
		}
		fails(true)
		h.give(slices.Concat(declared(1, alice, "add"), declared(2, bob, "add")))
		fails(false)
		h.give(declared(3, alice, "list"))
		if f := h.r.CommandReport().Failing; len(f) != 1 || f[0].Command != "/nft" || f[0].Count != 2 || !slices.Equal(f[0].Argv, []string{"/nft", "add", "{source}"}) {
			t.Errorf("failing: %v", f)
		}
		h.give(declared(4, bob, "add"))
		if f := h.r.CommandReport().Failing; len(f) != 0 {
			t.Errorf("failing: %v", f)
		}
	})
}

// Commands pile up when they come faster than they run, and no burst that is worked off does.
func TestCommandsThatPileUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, text := infoLog()
		h := newHost(t, Config{Log: log})
		h.programs["/slow"] = program{takes: 900 * time.Millisecond}
		for i := range uint64(100) {
			h.give(beside(i+1, alice, "/slow"))
		}
		if w := h.r.CommandReport().Waiting; w.PilingUp {
			t.Errorf("at once: %+v", w)
		}
		later(patience + 1500*time.Millisecond)
		want := Waiting{Count: 95, Since: h.began, Door: "a", Doors: 1, Most: 95, PilingUp: true}
		if w := h.r.CommandReport().Waiting; w != want {
			t.Errorf("after a while: %+v", w)
		}
		later(time.Minute)
		line := "[WARN]  commands come faster than they run: they wait: waiting=96 door=a of_door=96 longest=3s\n"
		if n := strings.Count(text.String(), "commands come faster"); n != 1 || !strings.Contains(text.String(), line) {
			t.Errorf("%d warnings in a minute: %s", n, text)
		}
		later(time.Minute)
		if w := h.r.CommandReport().Waiting; w != (Waiting{}) {
			t.Errorf("at the end: %+v", w)
		}
		t.Log("# one behind another that hangs, for a minute")
		h.programs["/slow"] = program{takes: 5 * time.Minute}
		h.give(slices.Concat(beside(201, alice, "/slow"), beside(202, alice, "/slow")))
		later(longPatience - time.Second)
		if w := h.r.CommandReport().Waiting; w.PilingUp || w.Count != 1 {
			t.Errorf("%+v", w)
		}
		later(time.Second)
		if w := h.r.CommandReport().Waiting; !w.PilingUp || w.Count != 1 {
			t.Errorf("%+v", w)
		}
		_ = h.stop()
	})
}

// A fate is what becomes of an effect.
type fate int

const (
	works    fate = iota
	neverRan      // or an element that the firewall refuses
	ranAndFailed
)

// TestDecisionsEndAsAModelSays lets an engine and a runner carry out random decisions of which
// effects fail, and compares the outcome with a model that carries them out one by one.
func TestDecisionsEndAsAModelSays(t *testing.T) {
	checkInBubbles(t, func(t *rapid.T) {
		h := newStoppedHost(Config{Commands: rapid.IntRange(1, 4).Draw(t, "commands")})
		var operations []engine.Operation
		ran, open, mounted, over := map[string]int{}, map[uint16]bool{}, map[string]bool{}, false
		fates := map[string]program{}
		refused := map[packet.Port]bool{}
		for i := range rapid.IntRange(1, 7).Draw(t, "operations") {
			fate := fate(rapid.IntRange(0, 2).Draw(t, "fate"))
			if rapid.Bool().Draw(t, "allow") {
				port := packet.Port{Proto: packet.TCP, Number: uint16(100 + i)}
				operations = append(operations, engine.Allow{Ports: []packet.Port{port}, TTL: time.Hour})
				if refused[port] = fate != works; over {
					continue
				}
				open[port.Number] = true
				over = refused[port]
			} else {
				o := engine.Exec{Argv: []string{fmt.Sprint("/mount", i)}, TTL: time.Hour, Timeout: time.Minute,
					Required: rapid.Bool().Draw(t, "required"), AnyStatus: rapid.Bool().Draw(t, "any status")}
				if rapid.Bool().Draw(t, "undo") {
					o.Undo = []string{fmt.Sprint("/umount", i)}
				}
				operations = append(operations, o)
				p := program{takes: time.Duration(rapid.IntRange(0, 3).Draw(t, "takes")) * 100 * time.Millisecond}
				p.fails = [...]error{nil, errNo, &engine.CommandError{Status: 1, Text: "exit status 1"}}[fate]
				if fates[o.Argv[0]] = p; over {
					continue
				}
				ran[o.Argv[0]] = 1
				failed := fate == neverRan || fate == ranAndFailed && !o.AnyStatus
				if mounted[o.Argv[0]] = o.Undo != nil && !failed; failed && o.Required {
					over = true
				}
			}
			if over { // the failure takes everything back
				clear(open)
				clear(mounted)
			}
		}
		h.programOf = func(name string, _ int) program { return fates[name] }
		h.refuse = func(e Element) error {
			if refused[e.Port] && e.Remaining > 0 {
				return errNo
			}
			return nil
		}
		w := newWorld(t, h, someDoors(func() engine.Decision { return engine.Decision{Operations: operations} })...)
		h.start()
		defer func() { _ = h.stop() }()
		w.knock(alice.Addr(), 501)
		w.serve()
		w.pass(20 * time.Second)
		maps.DeleteFunc(mounted, func(_ string, is bool) bool { return !is })
		gotOpen, gotMounted := map[uint16]bool{}, map[string]bool{}
		for _, g := range w.e.Grants() {
			if g.Argv != nil {
				gotMounted[g.Argv[0]] = true
			} else {
				gotOpen[g.Port.Number] = true
			}
		}
		gotRan := maps.Clone(h.ran)
		maps.DeleteFunc(gotRan, func(name string, _ int) bool { return strings.HasPrefix(name, "/u") })
		for what, diff := range map[string]string{
			"open": cmp.Diff(open, gotOpen), "mounted": cmp.Diff(mounted, gotMounted), "ran": cmp.Diff(ran, gotRan),
		} {
			if diff != "" {
				t.Errorf("%s (-model +got):\n%s\noperations %+v\n%s", what, diff, operations, strings.Join(h.happened, "\n"))
			}
		}
		if n := len(h.open()); n != len(open) || w.e.Unanswered() != 0 {
			t.Errorf("the kernel has %d elements, want %d; %d unanswered", n, len(open), w.e.Unanswered())
		}
	})
}

// A command that could not be given its place when the daemon stops has not failed.
func TestStoppedCommandsAreNotFailing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{Grace: time.Second})
		h.r.exec = func(ctx context.Context, _ Command, answer func(Output, error)) {
			<-ctx.Done()
			answer(Output{}, fmt.Errorf("running /x: %w", ErrStopped))
		}
		h.give(beside(1, alice, "/x"))
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if f := h.r.CommandReport().Failing; len(f) != 0 {
			t.Errorf("failing: %v", f)
		}
	})
}

// Each script takes three quarters of what those before it left.
func TestPlacesOfScripts(t *testing.T) {
	p := newPlaces()
	var got []int
	for script := range 4 {
		for door := 0; ; door++ {
			s := &step{Event: engine.Event{Effect: engine.EffectExec, Door: fmt.Sprint(door), Owner: fmt.Sprint(script)}}
			if !p.room(s, 16384) {
				got = append(got, door)
				break
			}
			p.add(s, 1)
		}
	}
	if want := []int{9216, 2304, 576, 144}; !slices.Equal(got, want) {
		t.Errorf("they got %v places, want %v", got, want)
	}
}
