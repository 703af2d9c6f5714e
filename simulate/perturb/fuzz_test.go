package perturb

import (
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/simulate"
	"sesame/simulate/pcaptest"
	"sesame/simulate/repeat"
)

// FuzzRuns makes runs of any capture through any network. They end, and what they count adds up.
func FuzzRuns(f *testing.F) {
	data, err := pcaptest.Capture(mixed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint64(1), byte(20), byte(20), byte(20), uint16(500), byte(7))
	f.Add(data, uint64(1)<<63, byte(255), byte(0), byte(255), uint16(65535), byte(64))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, loss, duplicate, reorder byte, jitter uint16, addresses byte) {
		w := &world{set: &engine.Set{Doors: []*engine.Door{door("ssh", 1, -2, 3), door("one", -2)}}}
		if w.tape, err = simulate.ReadTape(t.Context(), simulate.Config{Knocks: data, Set: w.set}); err != nil {
			return
		}
		n := Network{
			Loss: float64(loss) / 255, Duplicate: float64(duplicate) / 255, Reorder: float64(reorder) / 255,
			Jitter: time.Duration(jitter) * time.Millisecond, Retransmit: addresses%2 == 1, Addresses: int(addresses % 65),
		}
		if err := n.Check(); err != nil {
			t.Skip(err)
		}
		r, err := w.plan(t, n).Run(t.Context(), repeat.Plan{Seed: seed, Runs: 5, Workers: 1}, Choice{}, w.machine)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Doors {
			adds(t, &d)
		}
	})
}

// adds checks that the counts of a door add up.
func adds(t *testing.T, d *Door) {
	reasons, sources := 0, repeat.Share{}
	for _, one := range d.Reasons {
		reasons += one.Count
	}
	for _, s := range d.Sources {
		sources.Of, sources.All = sources.Of+s.Chances.Of, sources.All+s.Chances.All
	}
	if c := d.Chances; c.Of < 0 || c.Of > c.All || c.All == 0 || reasons != c.All-c.Of || sources != c {
		t.Errorf("%+v does not add up", d)
	}
}
