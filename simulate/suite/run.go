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
	next := make(chan *Result)
	var workers sync.WaitGroup
	for range min(c.Workers, len(r.Results)) {
		workers.Go(func() {
			w := &worker{config: &c, sets: l, loaded: map[string]*loaded{}}
			defer w.close()
			for result := range next {
				*result = w.run(ctx, result.Test)
			}
		})
	}
	for _, i := range c.order(r.Results) {
		if ctx.Err() != nil {
			break
		}
		next <- &r.Results[i]
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

// order returns the indexes of results in the order in which their tests begin.
func (c *Config) order(results []Result) []int {
	if c.CheapestFirst {
		return cheapestFirst(results, c.path)
	}
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	return order
}

// run runs a test. One that fails is run once more, to explain why: what it costs to know that is
// nothing for the tests that pass.
func (w *worker) run(ctx context.Context, test *spec.Test) Result {
	set, err := w.set(test)
	if err != nil {
		what := "the scripts do not load"
		if len(test.Options) > 0 {
			what += " with its options"
		}
		first, more, _ := strings.Cut(err.Error(), "\n")
		return Result{Test: test, Outcome: Failed, Failures: []Failure{{Place: test.Place, Message: what + ": " + first, Came: more}}}
	}
	result := w.play(ctx, test, set, false)
	if result.Outcome == Failed && ctx.Err() == nil {
		if again := w.play(ctx, test, set, true); again.Outcome == Failed {
			return again
		}
	}
	return result
}
