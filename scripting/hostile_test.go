package scripting_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"sesame/daemon/damagetest"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/hostiletest"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// What a hostile script may make the program allocate, over all. What is in use at one time is
// less.
const (
	loadBytes = 640 << 20
	callBytes = 16 << 20
	// inputSteps is what an input may run: what a script may do at once without a knock, and the
	// call that goes beyond it.
	inputSteps = 1_300_000
	// hostilePatience only keeps a test from hanging.
	hostilePatience = 5 * time.Minute
)

// TestHostileScripts loads scripts that do as much harm as they can, and knocks at those that load.
func TestHostileScripts(t *testing.T) {
	all := hostiletest.All()
	count := damagetest.Share(t, len(all))
	for i := range count {
		script := all[i*len(all)/count]
		t.Run(script.Name, func(t *testing.T) {
			set := loadHostile(t, script)
			if set != nil {
				knockHostile(t, newWorld(t, set), script.Knock)
			}
		})
	}
}

// loadHostile returns the set of a script, or nil when it ends with a message that has a place.
func loadHostile(t testing.TB, script hostiletest.Script) (set *scripting.Set) {
	t.Helper()
	var err error
	before := allocated()
	done := make(chan struct{})
	go func() {
		defer close(done)
		set, err = scripting.Load(sourcetest.Files(map[string]string{"hostile.lua": script.Text}), scripting.Options{Print: func(source.Place, string) {}})
	}()
	select {
	case <-done:
	case <-time.After(hostilePatience):
		t.Fatalf("it still loads after %v", hostilePatience)
	}
	bytes := allocated() - before
	t.Logf("loading: %d KiB, %.150v", bytes>>10, err)
	if bytes > loadBytes {
		t.Errorf("loading allocates %d MiB", bytes>>20)
	}
	if err != nil {
		checkProblems(t, "hostile.lua", err)
		if script.Knock != "" {
			t.Error("it was to load")
		}
		return nil
	}
	return set
}

// knockHostile lets some sources knock, and time pass.
func knockHostile(t *testing.T, w *world, port string) {
	t.Helper()
	var most, text uint64
	var steps int64
	call := func(input func()) {
		w.got = w.got[:0]
		before, stepsBefore := allocated(), w.set.Steps()
		input()
		most, steps = max(most, allocated()-before), max(steps, w.set.Steps()-stepsBefore)
		counted := &counter{}
		out := transcript.NewJSON(counted)
		out.Events(w.got)
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
		text = max(text, counted.bytes)
	}
	for i := range 20 {
		if port != "" {
			call(func() { w.knock(fmt.Sprintf("203.0.113.%d", i%9), port) })
		}
	}
	for range 20 {
		if next, some := w.e.Next(); some {
			w.now = next
			call(func() { w.see(w.e.Tick(next)) })
		}
	}
	t.Logf("an input: %d KiB, %d steps, and %d KiB of transcript", most>>10, steps, text>>10)
	if most > callBytes || text > callBytes || steps > inputSteps {
		t.Errorf("an input allocates %d MiB, runs %d steps, and writes %d MiB of transcript", most>>20, steps, text>>20)
	}
}

// BenchmarkHostileCalls tells what calls take that cost as much as they can: none shall take more
// than 50 ms and 16 MiB. Of each script the quickest of some calls counts.
func BenchmarkHostileCalls(b *testing.B) {
	for _, script := range hostiletest.All() {
		if script.Knock == "" {
			continue
		}
		b.Run(script.Name, func(b *testing.B) {
			w := newWorld(b, loadHostile(b, script))
			quickest, least := time.Hour, uint64(math.MaxUint64)
			for i := 0; b.Loop(); i++ {
				w.got, w.now = nil, w.now.Add(100*time.Millisecond)
				bytes, began := allocated(), b.Elapsed()
				w.knock(fmt.Sprintf("203.0.113.%d", i%250), script.Knock)
				quickest, least = min(quickest, b.Elapsed()-began), min(least, allocated()-bytes)
			}
			b.ReportMetric(float64(quickest)/1e6, "ms/call")
			b.ReportMetric(float64(least)/(1<<20), "MiB/call")
		})
	}
}

// allocated returns how many bytes this process has allocated, over all.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// A counter counts what is written to it.
type counter struct{ bytes uint64 }

func (c *counter) Write(b []byte) (int, error) {
	c.bytes += uint64(len(b))
	return len(b), nil
}
