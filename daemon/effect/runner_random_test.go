package effect

import (
	"fmt"
	"hash/fnv"
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

// A world is an engine and a host, joined by a runner as the daemon's loop joins
// them.
type world struct {
	*host
	t          rapid.TB
	e          *engine.Engine
	sent       int
	answered   map[uint64]int
	awaited    map[uint64]bool
	undoFailed bool              // an undo failed, and its host is left as it was
	decided    map[key]time.Time // what was decided last for each key, until the host died
}

func newWorld(t rapid.TB, h *host, doors ...*engine.Door) *world {
	w := &world{host: h, t: t, answered: make(map[uint64]int), awaited: make(map[uint64]bool), decided: make(map[key]time.Time)}
	w.e = engine.New(engine.Config{}, time.Now())
	w.enqueue(w.e.Swap(time.Now(), &engine.Set{Doors: doors}))
	return w
}

func (w *world) enqueue(events []engine.Event) {
	for i := range events {
		if events[i].ID != 0 {
			w.awaited[events[i].ID] = true
		}
		if performerOf(&events[i]) == &access && !w.isDead() {
			w.decided[key{source: events[i].Source, port: events[i].Port}] = events[i].Until
		}
	}
	w.r.Enqueue(events)
}

// serve gives the engine what the runner has to say, until that is nothing more.
func (w *world) serve() {
	for synctest.Wait(); len(w.r.Ready()) > 0 || len(w.r.Repair()) > 0; synctest.Wait() {
		select {
		case <-w.r.Ready():
			for _, result := range w.r.Results() {
				w.answered[result.ID]++
				w.enqueue(w.e.Result(time.Now(), result.ID, result.Err))
			}
		case <-w.r.Repair():
			w.r.Install(Guards{}, w.e.Elements())
		}
	}
}

// pass lets time pass, a little at once so that everybody is answered.
func (w *world) pass(d time.Duration) {
	for ; d > 0 && !w.isDead(); d -= 100 * time.Millisecond {
		later(100 * time.Millisecond)
		w.enqueue(w.e.Tick(time.Now()))
		w.serve()
	}
}

func (w *world) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

func (w *world) knock(source netip.Addr, port uint16) {
	w.sent++
	w.enqueue(w.e.Packet(&packet.Packet{
		Time: time.Now(), Number: w.sent, Source: source, Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: uint16(20000 + w.sent), Port: packet.Port{Proto: packet.UDP, Number: port}, Sequence: uint32(w.sent),
	}))
}

// finish repairs the host, and lets everything end that has begun.
func (w *world) finish() {
	w.goOn()
	w.change(func() { w.diskFull, w.refuse = false, nil })
	w.serve()
	w.r.Install(Guards{}, w.e.Elements())
	for range 6000 {
		w.pass(100 * time.Millisecond)
		if w.isDead() || w.e.Unanswered() == 0 && w.written() {
			break
		}
	}
	w.check()
}

// written reports whether no record is pending, when the runner has nothing to do.
func (w *world) written() bool {
	synctest.Wait()
	w.r.mu.Lock() // orders this before the runner's next round
	defer w.r.mu.Unlock()
	return len(w.r.journal.pending) == 0
}

// check compares what the host is with what the engine believes it to be.
func (w *world) check() {
	if w.isDead() {
		return
	}
	if n := w.e.Unanswered(); n > 0 {
		w.t.Errorf("%d effects were never answered", n)
	}
	want := make(map[key]time.Time)
	for _, e := range w.e.Elements() {
		want[key{source: e.Source, port: e.Port}] = e.Until
	}
	if diff := cmp.Diff(want, w.open(), cmp.AllowUnexported(key{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		w.t.Errorf("elements (-engine's +kernel's):\n%s\n%s", diff, strings.Join(w.happened, "\n"))
	}
	mounted := make(map[string]string)
	for _, g := range w.e.Grants() {
		if g.Argv != nil {
			program := strings.TrimPrefix(g.Argv[0], "/")
			if !g.Shared {
				program += " of " + g.Source.Addr().String()
			}
			mounted[program] = "mounted"
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(mounted, w.mounts); diff != "" {
		w.t.Errorf("mounts (-engine's +host's):\n%s", diff)
	}
	for _, breach := range w.breaches {
		w.t.Error(breach)
	}
	for id, n := range w.answered {
		if n != 1 || !w.awaited[id] {
			w.t.Errorf("effect %d was answered %d times", id, n)
		}
	}
	for name, n := range w.ran {
		if strings.HasPrefix(name, "/once") && n > 1 {
			w.t.Errorf("%s ran %d times", name, n)
		}
	}
	if pending := pendingIn(w.records); !w.undoFailed && len(pending) != len(w.e.Grants()) {
		w.t.Errorf("the journal has %d pending grants, and %d live", len(pending), len(w.e.Grants()))
	}
}

// pendingIn returns the grants that a journal has not seen the end of, the oldest
// first.
func pendingIn(records []engine.Record) []engine.Record {
	live := make(map[uint64]engine.Record)
	for _, r := range records {
		switch {
		case r.Grant == nil:
		case r.Ended:
			delete(live, r.Grant.ID)
		default:
			live[r.Grant.ID] = r
		}
	}
	return slices.SortedFunc(maps.Values(live), func(a, b engine.Record) int { return int(a.Grant.ID) - int(b.Grant.ID) })
}

// does is a script's function.
type does func(*engine.Call) (engine.Decision, error)

func (f does) Handle(m *engine.Call) (engine.Decision, error) { return f(m) }

// operations draws what a door does.
func (w *world) operations(t *rapid.T, calls *int) engine.Decision {
	var decision engine.Decision
	for range rapid.IntRange(0, 4).Draw(t, "operations") {
		*calls++
		required := rapid.Bool().Draw(t, "required")
		ttl := time.Duration(rapid.IntRange(1, 30).Draw(t, "ttl")) * time.Second
		switch rapid.IntRange(0, 6).Draw(t, "operation") {
		case 0, 1:
			ports := []packet.Port{ssh, web}[rapid.IntRange(0, 1).Draw(t, "ports"):]
			decision.Operations = append(decision.Operations, engine.Allow{Ports: ports, TTL: ttl, Bits4: rapid.SampledFrom([]int{0, 0, 0, 24, 28}).Draw(t, "bits")})
		case 2:
			name := rapid.SampledFrom([]string{"mount1", "mount2", "mount3"}).Draw(t, "program")
			decision.Operations = append(decision.Operations, engine.Exec{Argv: []string{"/" + name}, Undo: []string{"/u" + name}, TTL: ttl, Timeout: time.Minute, Required: required, Shared: name == "mount3"})
		case 3, 4:
			decision.Operations = append(decision.Operations, engine.Exec{Argv: []string{"/once", fmt.Sprint(*calls)}, Timeout: time.Minute, Required: required})
		case 5:
			decision.Operations = append(decision.Operations, engine.Close{Door: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "closes")})
		case 6:
			decision.Operations = append(decision.Operations, engine.Put{Key: "n", Value: float64(*calls)})
		}
	}
	return decision
}

func someDoors(decide func() engine.Decision) []*engine.Door {
	var doors []*engine.Door
	for i, name := range []string{"a", "b", "c"} {
		doors = append(doors, &engine.Door{
			Name: name, Script: name + ".lua", Sequence: []engine.Knock{{Port: packet.Port{Proto: packet.UDP, Number: uint16(501 + i)}}},
			Within: time.Second, TTL: 10 * time.Second, Guards: []packet.Port{ssh}, Hooks: engine.HookOpen,
			Handler: does(func(*engine.Call) (engine.Decision, error) { return decide(), nil }),
		})
	}
	return doors
}

// act does one thing.
func (w *world) act(t *rapid.T) {
	source := netip.AddrFrom4([4]byte{203, 0, 113, byte(rapid.IntRange(1, 3).Draw(t, "source"))})
	switch rapid.IntRange(0, 19).Draw(t, "act") {
	case 0, 1, 2, 3, 4, 5, 6:
		w.knock(source, uint16(501+rapid.IntRange(0, 2).Draw(t, "door")))
	case 7, 8, 9, 10:
		w.serve()
	case 11, 12:
		w.pass(time.Duration(rapid.IntRange(1, 80).Draw(t, "tenths")) * 100 * time.Millisecond)
	case 13:
		w.enqueue(w.e.Grant(time.Now(), netip.PrefixFrom(source, rapid.SampledFrom([]int{32, 32, 26}).Draw(t, "width")), ssh, 20*time.Second))
	case 14:
		w.enqueue(w.e.Revoke(time.Now(), netip.PrefixFrom(source, 32), packet.Port{}, false))
	case 15:
		w.r.Install(Guards{}, w.e.Elements())
	case 16:
		w.change(func() { w.diskFull = !w.diskFull })
	case 17:
		w.change(func() {
			w.table = false
			clear(w.kernel)
		})
		if rapid.Bool().Draw(t, "told") {
			w.r.Install(Guards{}, w.e.Elements())
		}
	case 18:
		w.mu.Lock()
		w.refuse = nil
		if port := rapid.SampledFrom([]packet.Port{{}, ssh, web}).Draw(t, "refused"); port.Number != 0 {
			w.refuse = func(e Element) error {
				if e.Port == port && e.Remaining > 0 {
					return errNo
				}
				return nil
			}
		}
		w.mu.Unlock()
	case 19:
		w.finish()
	}
}

// checkInBubbles checks a property many times, each time in a bubble of its own.
// Rapid ends a run with a panic, which must not leave the bubble.
func checkInBubbles(t *testing.T, property func(*rapid.T)) {
	rapid.Check(t, func(rt *rapid.T) {
		var ended any
		synctest.Test(t, func(*testing.T) {
			defer func() { ended = recover() }()
			property(rt)
		})
		if ended != nil {
			panic(ended)
		}
	})
}

// checkWorlds checks a property of random worlds.
func checkWorlds(t *testing.T, property func(*rapid.T, *world)) {
	checkInBubbles(t, func(rt *rapid.T) {
		w := newRandomWorld(rt)
		defer func() { _ = w.stop() }()
		property(rt, w)
	})
}

// TestWhateverHappensTheHostIsAsDecided lets an engine, a runner and a host that
// fails in all ways meet at random.
func TestWhateverHappensTheHostIsAsDecided(t *testing.T) {
	checkWorlds(t, func(t *rapid.T, w *world) {
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			w.act(t)
		}
		w.finish()
		w.pass(time.Minute)
		w.finish()
		if n := len(w.e.Grants()); n > 0 {
			t.Errorf("%d grants live for ever", n)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		w.wantNothingLeft(t)
	})
}

func newRandomWorld(t *rapid.T) *world {
	h := newStoppedHost(Config{Queue: rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "queue"), Commands: rapid.IntRange(1, 4).Draw(t, "commands")})
	seed := rapid.Uint64().Draw(t, "seed")
	h.programOf = func(name string, n int) program {
		f := fnv.New64a()
		fmt.Fprint(f, seed, name, n)
		luck := f.Sum64()
		p := program{takes: time.Duration(luck%50) * 100 * time.Millisecond}
		if luck>>8%4 == 0 && !strings.HasPrefix(name, "/u") {
			p.fails = errNo
		}
		return p
	}
	calls := 0
	w := newWorld(t, h)
	w.enqueue(w.e.Swap(time.Now(), &engine.Set{Doors: someDoors(func() engine.Decision { return w.operations(t, &calls) })}))
	h.start()
	return w
}

// restart starts another daemon on the host of one that died.
func (w *world) restart() *world {
	_ = w.stop()
	h := newStoppedHost(Config{})
	h.kernel, h.comments, h.records, h.mounts = maps.Clone(w.kernel), w.comments, w.records, make(map[string]string)
	for k, state := range w.mounts {
		switch state {
		case "mounted", "busy": // it continues without us; or its undo did not come far
			h.mounts[k] = "mounted"
		}
	}
	h.start()
	next := newWorld(w.t, h, someDoors(func() engine.Decision { return engine.Decision{} })...)
	restore, changed := w.found().Reconcile()
	next.r.Record(changed)
	next.enqueue(next.e.Restore(time.Now(), restore))
	next.r.Install(Guards{}, next.e.Elements())
	return next
}

// found returns what the next start finds.
func (w *world) found() Found {
	f := Found{Now: time.Now(), Whole: w.table}
	highest := uint64(0)
	for _, r := range w.records {
		if r.Grant != nil {
			highest = max(highest, r.Grant.ID)
		}
	}
	f.Records = append([]engine.Record{{Grant: &engine.Grant{ID: highest}, Ended: true}}, pendingIn(w.records)...)
	for k, end := range w.open() {
		e := w.comments[k]
		e.Remaining = left(end)
		f.Elements = append(f.Elements, e)
	}
	return f
}

// left returns how long an element lasts, in virtual time.
func left(end time.Time) time.Duration { return time.Until(end) }

// TestAStartKeepsWhatStands lets a daemon die at a random step, with records that are not
// written. What stood as it was decided still stands after the next start, and what did
// not stand does not come back.
func TestAStartKeepsWhatStands(t *testing.T) {
	stood, lost := 0, 0
	checkWorlds(t, func(t *rapid.T, w *world) {
		w.crash = rapid.IntRange(1, 60).Draw(t, "crash")
		slow := rapid.IntRange(0, 3).Draw(t, "slow")
		defer w.goOn()
		for range rapid.IntRange(1, 40).Draw(t, "acts") {
			if rapid.IntRange(0, 7).Draw(t, "disk") < slow {
				if w.goOn(); rapid.Bool().Draw(t, "hangs") {
					w.hang()
				}
			}
			if w.act(t); w.isDead() {
				break
			}
		}
		w.change(func() { w.dead = true })
		w.goOn()
		stands, table := w.open(), w.table
		next := w.restart()
		next.serve()
		open := next.open()
		for k, end := range stands {
			if !end.After(time.Now()) {
				continue
			}
			stood++
			if got := open[k]; w.decided[k].Equal(end) && got.Sub(end).Abs() > adoptTolerance {
				t.Errorf("%v ends at %v, and after the start at %v", k, end, got)
			}
		}
		for k := range open {
			if _, stood := stands[k]; !stood && table && !inside(k, w) {
				t.Errorf("%v came back", k)
			}
		}
		if len(w.r.journal.pending) > 0 {
			lost++
		}
		if t.Failed() {
			t.Logf("before the crash: %s\nafter it: %s", strings.Join(w.happened, "\n\t"), strings.Join(next.happened, "\n\t"))
		}
		_ = next.stop()
	})
	if !testing.Short() && (stood < 20 || lost < 10) { // then rapid tries a fifth
		t.Errorf("%d elements stood at a crash, and %d crashes lost records: the test shows little", stood, lost)
	}
}

// inside reports whether a network around a key's source was ever decided on: then the key may
// have a grant without an element, until the network's ends.
func inside(k key, w *world) bool {
	for wide := range w.decided {
		if wide.port == k.port && wide.source.Bits() < k.source.Bits() && wide.source.Contains(k.source.Addr()) {
			return true
		}
	}
	return false
}

// TestAfterACrashNothingStaysPending lets a daemon die at a random step of a random
// life. The next one ends what it began.
func TestAfterACrashNothingStaysPending(t *testing.T) {
	checkWorlds(t, func(t *rapid.T, w *world) {
		w.crash = rapid.IntRange(1, 80).Draw(t, "crash")
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			if w.act(t); w.isDead() {
				break
			}
		}
		w.change(func() { w.dead = true })
		w.checkNextStart(t)
	})
}

// checkNextStart starts another daemon on the host of this one, lets it run to its
// end, and checks that nothing is left of either.
func (w *world) checkNextStart(t rapid.TB) {
	next := w.restart()
	next.pass(2 * time.Minute)
	next.finish()
	if len(next.e.Grants()) != 0 || len(next.open()) != 0 || len(next.mounts) != 0 || len(pendingIn(next.records)) != 0 {
		t.Errorf("left: %d grants, the elements %v, the mounts %v, %d in the journal", len(next.e.Grants()), next.open(), next.mounts, len(pendingIn(next.records)))
		t.Logf("before the crash: %s\nafter it: %s", strings.Join(w.happened, "\n\t"), strings.Join(next.happened, "\n\t"))
	}
	_ = next.stop()
}

// TestACrashAtEachStepOfALife kills the daemon before and after each single
// change that one life makes: an open with all kinds of effects, a prolonging, a
// revocation, an end.
func TestACrashAtEachStepOfALife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		last := 0
		for crash := 0; crash <= last; crash++ {
			h := newStoppedHost(Config{})
			h.crash = crash
			h.programs["/mount1"] = program{takes: 200 * time.Millisecond}
			h.programs["/umount1"] = program{takes: 200 * time.Millisecond}
			w := newWorld(t, h, someDoors(func() engine.Decision {
				return engine.Decision{Operations: []engine.Operation{
					engine.Allow{}, engine.Exec{Argv: []string{"/mount1"}, Undo: []string{"/umount1"}, Timeout: time.Minute},
					engine.Allow{Ports: []packet.Port{web}, Bits4: 24},
				}}
			})...)
			h.start()
			life := []func(){
				func() { w.knock(alice.Addr(), 501) },
				func() { w.knock(bob.Addr(), 502) },
				func() { w.pass(5 * time.Second) },
				func() { w.knock(alice.Addr(), 501) },
				func() { w.pass(5 * time.Second) },
				func() { w.enqueue(w.e.Revoke(time.Now(), bob, packet.Port{}, false)) },
				func() { w.pass(time.Minute) },
			}
			for _, part := range life {
				if part(); w.isDead() {
					break
				}
			}
			if !w.isDead() {
				last = max(last, w.steps)
				w.change(func() { w.dead = true })
			}
			w.checkNextStart(t)
			if t.Failed() {
				t.Fatalf("killed before step %d", crash)
			}
		}
		if last < 40 {
			t.Errorf("a life has %d steps", last)
		}
	})
}
