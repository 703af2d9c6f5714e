package repeat_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"sesame/simulate/repeat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// squares returns workers that square the seed. Every third run ends late, so that outcomes come
// out of order. Made and closed count the workers.
func squares(made, closed *int) func() (repeat.Worker[uint64], error) {
	var gate atomic.Int64
	return func() (repeat.Worker[uint64], error) {
		*made++
		return repeat.Worker[uint64]{
			Run: func(_ context.Context, seed uint64) (uint64, error) {
				if gate.Add(1)%3 == 0 {
					for range 1000 {
						gate.Load()
					}
				}
				return seed * seed, nil
			},
			Close: func() { *closed++ },
		}, nil
	}
}

func TestOneSeedOneOutcome(t *testing.T) {
	var want []string
	for _, workers := range []int{1, 2, 3, 8, 0} {
		var got []string
		made, closed, told := 0, 0, 0
		progress := func(runs int) {
			if runs != len(got) {
				t.Fatalf("%d runs are made, and %d outcomes taken", runs, len(got))
			}
			told++
		}
		err := repeat.Do(t.Context(), repeat.Plan{Seed: 7, Runs: 5000, Workers: workers, Progress: progress}, squares(&made, &closed), func(seed, outcome uint64) {
			got = append(got, fmt.Sprint(seed, outcome))
		})
		if err != nil || len(got) != 5000 || told != 5000 || got[0] != "7 49" || got[4999] != "5006 25060036" {
			t.Fatalf("%d workers: %d outcomes, %v", workers, len(got), err)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d workers: other outcomes than 1", workers)
		}
		if workers > 0 && made != workers || made != closed {
			t.Errorf("%d workers: made %d, closed %d", workers, made, closed)
		}
	}
}

func TestFewRunsNeedFewWorkers(t *testing.T) {
	for runs := range 3 {
		made, closed, got := 0, 0, []uint64(nil)
		err := repeat.Do(t.Context(), repeat.Plan{Seed: math.MaxUint64, Runs: runs, Workers: 8}, squares(&made, &closed), func(seed, _ uint64) { got = append(got, seed) })
		if err != nil || made != runs || closed != runs || !slices.Equal(got, []uint64{math.MaxUint64, 0}[:runs]) {
			t.Errorf("%d runs: %d workers, %d closed, seeds %v, %v", runs, made, closed, got, err)
		}
	}
}

// TestTheFirstErrorEnds has two runs that fail. The error is that of the earlier one, also when it
// comes later.
func TestTheFirstErrorEnds(t *testing.T) {
	early, late := errors.New("early"), errors.New("late")
	lateFailed := make(chan struct{})
	worker := func() (repeat.Worker[int], error) {
		return repeat.Worker[int]{Run: func(_ context.Context, seed uint64) (int, error) {
			switch seed {
			case 10:
				<-lateFailed
				return 0, early
			case 11:
				close(lateFailed)
				return 0, late
			}
			return 1, nil
		}}, nil
	}
	taken := 0
	err := repeat.Do(t.Context(), repeat.Plan{Runs: 1_000_000, Workers: 2}, worker, func(uint64, int) { taken++ })
	if !errors.Is(err, early) || taken != 10 {
		t.Errorf("%d outcomes and the error %v, want 10 and that of run 10", taken, err)
	}
}

func TestAWorkerThatCannotBeMade(t *testing.T) {
	broken, made, closed := errors.New("broken"), 0, 0
	worker := func() (repeat.Worker[int], error) {
		if made == 2 {
			return repeat.Worker[int]{}, broken
		}
		made++
		return repeat.Worker[int]{Close: func() { closed++ }}, nil
	}
	err := repeat.Do(t.Context(), repeat.Plan{Runs: 9, Workers: 3}, worker, func(uint64, int) { t.Error("an outcome") })
	if !errors.Is(err, broken) || closed != 2 {
		t.Errorf("%v, %d closed, want the error and 2", err, closed)
	}
}

// TestTheEndOfTheContextKeepsWhatCame ends the context in a run, which notices it, and before
// another, which does not.
func TestTheEndOfTheContextKeepsWhatCame(t *testing.T) {
	for _, notices := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		worker := func() (repeat.Worker[uint64], error) {
			return repeat.Worker[uint64]{Run: func(ctx context.Context, seed uint64) (uint64, error) {
				if seed == 100 {
					cancel()
				}
				if notices {
					return seed, ctx.Err()
				}
				return seed, nil
			}}, nil
		}
		var got []uint64
		err := repeat.Do(ctx, repeat.Plan{Runs: 1_000_000, Workers: 1}, worker, func(seed, _ uint64) { got = append(got, seed) })
		want := 101
		if notices {
			want = 100
		}
		if !errors.Is(err, context.Canceled) || len(got) != want || got[want-1] != uint64(want-1) {
			t.Errorf("notices %t: %d outcomes, %v, want %d and the error of the context", notices, len(got), err, want)
		}
		cancel()
	}
}

// TestTheEndOfTheContextAfterTheLastRun changes nothing: there is an outcome of each run.
func TestTheEndOfTheContextAfterTheLastRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var made, closed, count int
	err := repeat.Do(ctx, repeat.Plan{Runs: 10, Workers: 2}, squares(&made, &closed), func(seed, _ uint64) {
		if count++; seed == 9 {
			cancel()
		}
	})
	if err != nil || count != 10 {
		t.Errorf("%d outcomes, %v", count, err)
	}
}

// TestALateRunHoldsUpTheOthers bounds the outcomes that wait: while run 0 is under way, only so
// many others begin.
func TestALateRunHoldsUpTheOthers(t *testing.T) {
	var begun atomic.Int64
	worker := func() (repeat.Worker[int], error) {
		return repeat.Worker[int]{Run: func(ctx context.Context, seed uint64) (int, error) {
			if begun.Add(1) == 128 { // ahead of 64 for each of two workers
				close(full(ctx))
			}
			if seed == 0 {
				<-full(ctx)
			}
			return 0, nil
		}}, nil
	}
	ctx := context.WithValue(t.Context(), fullKey{}, make(chan struct{}))
	before := int64(0)
	err := repeat.Do(ctx, repeat.Plan{Runs: 500, Workers: 2}, worker, func(seed uint64, _ int) {
		if seed == 0 {
			before = begun.Load()
		}
	})
	if err != nil || before != 128 {
		t.Errorf("%d runs had begun when the first was done, %v, want 128", before, err)
	}
}

type fullKey struct{}

func full(ctx context.Context) chan struct{} { return ctx.Value(fullKey{}).(chan struct{}) }

func TestRandomIsTheSameEverywhere(t *testing.T) {
	for _, tt := range []struct {
		seed    uint64
		purpose string
		want    uint64
	}{
		{0, "loss", 0x3612730159533906}, {1, "loss", 0x61a21f7869a097fc}, {0, "jitter", 0x617b14d011ccb918},
	} {
		if got := repeat.Random(tt.seed, tt.purpose).Uint64(); got != tt.want {
			t.Errorf("seed %d for %s: %#x, want %#x", tt.seed, tt.purpose, got, tt.want)
		}
	}
}

// TestNeighboursAreIndependent counts how often the first number is in the lower half in two
// neighbouring runs, and for two purposes: a quarter of the time, within five standard deviations.
func TestNeighboursAreIndependent(t *testing.T) {
	const runs = 100_000
	low := func(seed uint64, purpose string) bool { return repeat.Random(seed, purpose).Float64() < 0.5 }
	one, runsBoth, purposesBoth := 0, 0, 0
	for seed := range uint64(runs) {
		if low(seed, "loss") {
			one++
			if low(seed+1, "loss") {
				runsBoth++
			}
			if low(seed, "jitter") {
				purposesBoth++
			}
		}
	}
	for name, c := range map[string]struct {
		count int
		p     float64
	}{"one": {one, 0.5}, "two runs": {runsBoth, 0.25}, "two purposes": {purposesBoth, 0.25}} {
		if deviation := math.Sqrt(runs * c.p * (1 - c.p)); math.Abs(float64(c.count)-runs*c.p) > 5*deviation {
			t.Errorf("%s: %d of %d, want about %.0f", name, c.count, runs, runs*c.p)
		}
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		of, all int
		want    string
	}{
		{912, 1000, "912 of 1000 (89.3 to 92.8 %)"},
		{0, 1000, "0 of 1000 (0 to 0.38 %)"},
		{1000, 1000, "1000 of 1000 (99.62 to 100 %)"},
		{1, 300_696, "1 of 300696 (0.000059 to 0.0019 %)"},
		{500, 1000, "500 of 1000 (46.9 to 53.1 %)"},
		{10, 10_000, "10 of 10000 (0.054 to 0.18 %)"},
		{0, 1, "0 of 1 (0 to 79.3 %)"},
		{1, 1, "1 of 1 (20.7 to 100 %)"},
		{0, 0, "0 of 0 (0 to 100 %)"},
	} {
		if got := (repeat.Share{Of: tt.of, All: tt.all}).String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestTheIntervalHasItsConfidence draws shares of known probability. The interval has it in 95 % of
// the cases: between 93.5 and 96.5 % with these seeds.
func TestTheIntervalHasItsConfidence(t *testing.T) {
	const cases, runs = 4000, 400
	for _, p := range []float64{0.05, 0.3, 0.5, 0.9} {
		has := 0
		for seed := range uint64(cases) {
			random, of := repeat.Random(seed, "test"), 0
			for range runs {
				if random.Float64() < p {
					of++
				}
			}
			if (repeat.Share{Of: of, All: runs}).Has(p) {
				has++
			}
		}
		if has < cases*935/1000 || has > cases*965/1000 {
			t.Errorf("probability %v: %d of %d intervals have it, want about 95 %%", p, has, cases)
		}
	}
}
