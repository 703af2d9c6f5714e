package perturb

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/account"
)

// A pair is a door and who opens it: the sender, whatever addresses a NAT gives it.
type pair struct {
	door   string
	source netip.Addr
}

func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(p.door, q.door), p.source.Compare(q.source))
}

// A chance is how often a pair opens, and when first.
type chance struct {
	opens int
	first time.Time
}

// An outcome is what a run did differently from a run without faults.
type outcome struct {
	shorts  []short
	reasons []because
	extras  []pair
	delays  []delay // by door
	errors  int
}

// A short is a pair that opened less often than without faults.
type short struct {
	pair int // its place in those that open without faults
	by   int
}

// A because is why chosen pairs opened a door less often, and how much less all of them did. Many
// pairs of a run have the same reason, and outcomes can wait for earlier runs.
type because struct {
	door   int
	reason Reason
	by     int
	text   string // of the first pair; empty when an earlier run of the same runner had the reason
}

// A delay is by how much the sources that open a door once opened it later than without faults.
type delay struct {
	opened    int
	sum, most time.Duration
}

func (d *delay) add(by time.Duration) {
	d.opened++
	d.sum += by
	d.most = max(d.most, by)
}

// A runner makes runs, one after the other.
type runner struct {
	plan     *Plan
	arranger arranger
	set      *engine.Set
	facts    engine.Facts
	opened   map[pair]chance
	choice   Choice
	told     map[because]bool // of a door and a reason alone: some run of this runner had it
}

func (p *Plan) newRunner(m Machine) *runner {
	return &runner{
		plan: p, set: m.Set.Placed(), facts: m.Facts, opened: map[pair]chance{}, told: map[because]bool{},
		arranger: arranger{route: p.route, network: p.network, passed: make([]bool, len(p.tape.Inputs)), chosen: make([]netip.Addr, len(p.route.flows))},
	}
}

// play gives what arrives with a seed to an engine.
func (r *runner) play(ctx context.Context, seed uint64, v View) (*simulate.Session, transcript.Summary, error) {
	clear(r.opened)
	s := r.plan.tape.Session(simulate.SessionConfig{
		Set: r.set, Facts: r.facts, Explain: true, Alone: v.Writer == nil, Judged: v.Judged,
		Events: func(events []engine.Event) {
			if r.note(events); v.Writer != nil {
				v.Writer.Events(events)
			}
		},
	})
	for n, one := range r.arranger.arrange(seed) {
		if n&1023 == 1023 && ctx.Err() != nil {
			return nil, transcript.Summary{}, ctx.Err()
		}
		if err := s.Arrive(&r.plan.tape.Inputs[one.input], one.at, one.source); err != nil {
			return nil, transcript.Summary{}, err
		}
	}
	return s, s.EndOf(r.plan.tape), nil
}

// note counts the openings.
func (r *runner) note(events []engine.Event) {
	for i := range events {
		if e := &events[i]; e.Kind == engine.EventOpen {
			p := pair{e.Door, r.plan.route.senderOf(e.Source.Addr())}
			c := r.opened[p]
			if c.opens++; c.opens == 1 {
				c.first = e.Time
			}
			r.opened[p] = c
		}
	}
}

// run returns the outcome of a seed.
func (r *runner) run(ctx context.Context, seed uint64) (o outcome, err error) {
	s, sum, err := r.play(ctx, seed, View{})
	if err != nil {
		return o, err
	}
	o.errors, o.delays = sum.Errors, make([]delay, len(r.plan.doors))
	for i, p := range r.plan.pairs {
		plain, now := r.plan.plain[p], r.opened[p]
		if now.opens > 0 && plain.opens == 1 && r.choice.has(p) { // of several, it could be another one
			o.delays[r.plan.doorOf[i]].add(now.first.Sub(plain.first))
		}
		if now.opens < plain.opens {
			o.shorts = append(o.shorts, short{pair: i, by: plain.opens - now.opens})
		}
	}
	for p := range r.opened {
		if _, plain := r.plan.plain[p]; !plain {
			o.extras = append(o.extras, p)
		}
	}
	o.reasons = r.explain(o.shorts, s)
	return o, nil
}

// explain says why chosen pairs opened less often, by the account of the run. The reasons are in
// the order of the first pair that has each.
func (r *runner) explain(shorts []short, s *simulate.Session) (all []because) {
	at := map[because]int{}
	for _, one := range shorts {
		if !r.choice.has(r.plan.pairs[one.pair]) {
			continue
		}
		reason, text := r.why(r.plan.pairs[one.pair], s)
		key := because{door: r.plan.doorOf[one.pair], reason: reason}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, key)
			if !r.told[key] {
				r.told[key], all[i].text = true, text
			}
		}
		all[i].by += one.by
	}
	return all
}

// why says why a pair opened less often.
func (r *runner) why(p pair, s *simulate.Session) (reason Reason, text string) {
	if r.opened[p].opens > 0 {
		return Reason{Result: Fewer}, ""
	}
	return reasonOf(r.furthest(s, p))
}

// furthest returns the account of a pair: of the addresses of its source, that of the one which
// came furthest at the door; nil when there is none.
func (r *runner) furthest(s *simulate.Session, p pair) (best *account.Account) {
	for _, address := range r.plan.route.addresses[p.source] {
		if a := s.AccountOf(address, p.door); a != nil && (best == nil || isFurther(a, best)) {
			best = a
		}
	}
	return best
}

// isFurther reports whether a came further than b. Neither opened.
func isFurther(a, b *account.Account) bool {
	rank := func(a *account.Account) int {
		return slices.Index([]account.Result{account.ResultNeverBegan, account.ResultStopped, account.ResultRefused}, a.Result)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Best, b.Best)) > 0
}
