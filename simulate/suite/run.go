package suite

import (
	"cmp"
	"context"
	"runtime"
	"strings"
	"sync"

	"sesame/scripting/spec"
)

// Run runs the tests. It does not fail: what is wrong with a test, or with the set that its options
// make, is a failure of the test. When ctx ends, the tests that had not ended did not run.
func Run(ctx context.Context, c Config) *Report {
	r := &Report{}
	for _, t := range c.Tests {
		if c.Match == nil || c.Match(t) {
			r.Results = append(r.Results, Result{Test: t, Outcome: NotRun, Why: "stopped before it began"})
		}
	}
	if c.Dir = cmp.Or(c.Dir, c.Files.Dir); c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	l := &sets{files: c.Files, options: c.Options}
	if c.Coverage {
		l.covered = newCovered()
	}
	next := make(chan turn)
	var workers, round sync.WaitGroup
	for range min(c.Workers, len(r.Results)) {
		workers.Go(func() {
			w := &worker{config: &c, sets: l, loaded: map[string]*loaded{}}
			defer w.close()
			for t := range next {
				*t.result = w.run(ctx, t.result.Test, t.limit)
				round.Done()
			}
		})
	}
	for _, limit := range c.limits() {
		for i := range r.Results {
			if one := &r.Results[i]; one.Outcome == NotRun && ctx.Err() == nil {
				round.Add(1)
				next <- turn{one, limit}
			}
		}
		round.Wait()
	}
	close(next)
	workers.Wait()
	if r.Count(NotRun) > 0 {
		r.Stopped = cmp.Or(context.Cause(ctx), ctx.Err())
	}
	if c.Coverage {
		r.Coverage = l.covered.report()
	}
	return r
}

// A turn of a test ends when it has used as many steps as limit, in [scripting.Set.Steps].
type turn struct {
	result *Result
	limit  int64
}

// limits returns those of the turns that a test has. The sum of those that end too early is a ninth
// of the last one.
func (c *Config) limits() []int64 {
	if c.CheapestFirst {
		return []int64{maxSteps / 1000, maxSteps / 100, maxSteps / 10, maxSteps}
	}
	return []int64{maxSteps}
}

// run runs a test. One that fails is run once more, to explain why: what it costs to know that is
// nothing for the tests that pass.
func (w *worker) run(ctx context.Context, test *spec.Test, limit int64) Result {
	set, err := w.set(test)
	if err != nil {
		what := "the scripts do not load"
		if len(test.Options) > 0 {
			what += " with its options"
		}
		first, more, _ := strings.Cut(err.Error(), "\n")
		return Result{Test: test, Outcome: Failed, Failures: []Failure{{Place: test.Place, Message: what + ": " + first, Came: more}}}
	}
	result := w.play(ctx, test, set, limit, false)
	if result.Outcome == Failed && ctx.Err() == nil {
		if again := w.play(ctx, test, set, limit, true); again.Outcome == Failed {
			return again
		}
	}
	return result
}
