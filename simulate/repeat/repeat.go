// Package repeat turns one simulation and many seeds into outcomes.
//
// Run i has the seed S+i. Its outcome depends on the seed alone, so one seed gives one outcome
// whatever the number of workers, and a run that showed something is repeated by itself. A worker
// has its own script set: the states of Lua are not safe for concurrent use.
package repeat

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// ahead bounds, for each worker, the runs that are done or under way and whose outcomes wait for
// those of earlier runs.
const ahead = 64

// A Plan says how often something is run, with which seeds, and by how many workers.
type Plan struct {
	Seed    uint64 // of the first run; each other has the one after that of the run before it
	Runs    int
	Workers int // 0: as many as there are processors
	// Progress gets after each outcome how many there are, in the goroutine of the caller; nil:
	// nobody asks.
	Progress func(runs int)
}

// A Worker runs one simulation after the other, in one goroutine.
type Worker[T any] struct {
	// Run returns the outcome of a seed. An error ends the plan. It is that of ctx when ctx has
	// ended before the run has.
	Run func(ctx context.Context, seed uint64) (T, error)
	// Close is called when nothing is left to run; nil: there is nothing to close.
	Close func()
}

// Do runs a plan by workers that a function makes, one after the other. It gives take the outcomes
// in the order of the runs. The error is that of the first run without an outcome: take got those
// of all runs before it, and no others. So when ctx ends, what came before is kept.
func Do[T any](ctx context.Context, plan Plan, worker func() (Worker[T], error), take func(seed uint64, outcome T)) error {
	if plan.Workers <= 0 {
		plan.Workers = runtime.GOMAXPROCS(0)
	}
	plan.Workers = min(plan.Workers, plan.Runs)
	workers, err := makeAll(plan.Workers, worker)
	defer closeAll(workers)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &running[T]{plan: plan, room: make(chan struct{}, ahead*plan.Workers), outcomes: make(chan outcome[T])}
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() { r.work(ctx, w) })
	}
	go func() {
		group.Wait()
		close(r.outcomes)
	}()
	return r.collect(ctx, cancel, take)
}

// makeAll makes n workers. With an error it returns those that it made before.
func makeAll[T any](n int, worker func() (Worker[T], error)) (all []Worker[T], err error) {
	for range n {
		w, err := worker()
		if err != nil {
			return all, err
		}
		all = append(all, w)
	}
	return all, nil
}

func closeAll[T any](workers []Worker[T]) {
	for _, w := range workers {
		if w.Close != nil {
			w.Close()
		}
	}
}

// An outcome is that of one run.
type outcome[T any] struct {
	run   int
	value T
	err   error
}

// A running is a plan that is being run.
type running[T any] struct {
	plan     Plan
	next     atomic.Int64  // the run that the next free worker takes
	room     chan struct{} // full when too many outcomes wait for an earlier one
	outcomes chan outcome[T]
}

// work runs until no run is left, or ctx ends.
func (r *running[T]) work(ctx context.Context, w Worker[T]) {
	for ctx.Err() == nil {
		select {
		case r.room <- struct{}{}: // before a run is taken, so the earliest run always has room
		case <-ctx.Done():
			return
		}
		run := int(r.next.Add(1)) - 1
		if run >= r.plan.Runs {
			return
		}
		value, err := w.Run(ctx, r.plan.Seed+uint64(run))
		r.outcomes <- outcome[T]{run, value, err}
	}
}

// collect puts the outcomes into their order, until all workers have ended.
func (r *running[T]) collect(ctx context.Context, cancel func(), take func(uint64, T)) (err error) {
	waiting, next := map[int]outcome[T]{}, 0
	for o := range r.outcomes {
		waiting[o.run] = o
		for one, there := waiting[next]; there && err == nil; one, there = waiting[next] {
			if err = one.err; err != nil {
				cancel()
				break
			}
			take(r.plan.Seed+uint64(next), one.value)
			delete(waiting, next)
			if next++; r.plan.Progress != nil {
				r.plan.Progress(next)
			}
			<-r.room
		}
	}
	if err == nil && next < r.plan.Runs {
		err = ctx.Err()
	}
	return err
}
