package attack

import (
	"context"
	"time"

	"sesame/simulate/repeat"
)

// Targets makes equal targets, one for each worker: a script set is not safe for concurrent use.
// What was made for one series is used again for the next.
type Targets struct {
	Load   func() (Target, error)
	loaded []Target
}

// get returns target i. The targets before it were got earlier.
func (t *Targets) get(i int) (Target, error) {
	if i == len(t.loaded) {
		one, err := t.Load()
		if err != nil {
			return Target{}, err
		}
		t.loaded = append(t.loaded, one)
	}
	return t.loaded[i], nil
}

// A Result is what the runs of an attack did to one door. It counts runs.
type Result struct {
	Door                       string
	Completed, Opened, Refused int
	// FirstSeed is that of the first run that opened the door. First and After are those of its
	// [DoorOutcome].
	FirstSeed uint64
	First     int
	After     time.Duration
	Reason    string // of the first refusal
}

// A Series is what the runs of a scan did, to the doors that they did something to.
type Series struct {
	Scan    Scan
	Runs    int
	Results []Result
}

// Of returns the result of a door, which is zero when the runs did nothing to it.
func (s *Series) Of(door string) Result {
	for _, r := range s.Results {
		if r.Door == door {
			return r
		}
	}
	return Result{Door: door}
}

// Run runs a scan as often as planned. One that is not random runs once: each seed would give the
// same. When ctx ends, the error is that of ctx, and the series has the runs before.
func (t *Targets) Run(ctx context.Context, scan Scan, plan repeat.Plan) (*Series, error) {
	if scan.Order != Random {
		plan.Runs = 1
	}
	series, workers := &Series{Scan: scan}, 0
	err := repeat.Do(ctx, plan, func() (repeat.Worker[Outcome], error) {
		target, err := t.get(workers)
		if err != nil {
			return repeat.Worker[Outcome]{}, err
		}
		workers++
		return repeat.Worker[Outcome]{Run: NewScanner(target, scan).Run}, nil
	}, series.take)
	return series, err
}

// take adds a run. The runs come in the order of their seeds.
func (s *Series) take(seed uint64, o Outcome) {
	s.Runs++
	for i := range o {
		s.add(seed, &o[i])
	}
}

func (s *Series) add(seed uint64, o *DoorOutcome) {
	r := s.find(o.Door)
	if o.Completed > 0 {
		r.Completed++
	}
	if o.Opened > 0 {
		if r.Opened++; r.Opened == 1 {
			r.FirstSeed, r.First, r.After = seed, o.First, o.After
		}
	}
	if o.Refused > 0 {
		if r.Refused++; r.Refused == 1 {
			r.Reason = o.Reason
		}
	}
}

// find returns the result of a door, which it adds if there is none.
func (s *Series) find(door string) *Result {
	for i := range s.Results {
		if s.Results[i].Door == door {
			return &s.Results[i]
		}
	}
	s.Results = append(s.Results, Result{Door: door})
	return &s.Results[len(s.Results)-1]
}
