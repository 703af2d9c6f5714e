package perturb

import (
	"context"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/simulate"
	"sesame/simulate/account"
	"sesame/simulate/repeat"
)

// A Plan is a tape, a network, and what opens without it. [Plan.Run] makes many runs.
type Plan struct {
	tape    *simulate.Tape
	network Network
	route   *route
	plain   map[pair]chance // what opens without faults
	pairs   []pair          // of plain, in order
	doors   []string        // of pairs, in order
	doorOf  []int           // of a pair, in doors
	hints   string
}

// Hints returns a line for each kind of fact that was needed without faults and that nobody gave.
func (p *Plan) Hints() string { return p.hints }

// Opens reports whether a door opens without faults, chosen or not.
func (p *Plan) Opens() bool { return len(p.pairs) > 0 }

// A Machine is what one worker needs for itself.
type Machine struct {
	Set   *engine.Set
	Facts engine.Facts // nil: nothing is known
	Close func()       // nil: there is nothing to close
}

// A Choice limits what is told, to doors of some names and to sources in some networks. The zero
// Choice is all.
type Choice struct {
	Doors   []string
	Sources []netip.Prefix
}

func (c *Choice) has(p pair) bool {
	return (c.Doors == nil || slices.Contains(c.Doors, p.door)) &&
		(c.Sources == nil || slices.ContainsFunc(c.Sources, func(n netip.Prefix) bool { return n.Contains(p.source) }))
}

// NewPlan replays the tape without faults, to know what opens then.
func NewPlan(ctx context.Context, tape *simulate.Tape, network Network, m Machine) (*Plan, error) {
	p := &Plan{tape: tape, route: newRoute(tape, &network)}
	r := p.newRunner(m)
	s, _, err := r.play(ctx, 0, View{})
	if err != nil {
		return nil, err
	}
	p.plain, p.network, p.hints = r.opened, network, s.Hints()
	for one := range p.plain {
		p.pairs = append(p.pairs, one)
	}
	slices.SortFunc(p.pairs, pair.compare)
	for _, one := range p.pairs {
		if n := len(p.doors); n == 0 || p.doors[n-1] != one.door {
			p.doors = append(p.doors, one.door)
		}
		p.doorOf = append(p.doorOf, len(p.doors)-1)
	}
	return p, nil
}

// Run makes the runs of a plan, each with its own seed, by workers with a machine each. The report
// has the runs before an error, which is that of [repeat.Do].
func (p *Plan) Run(ctx context.Context, runs repeat.Plan, choice Choice, machine func() (Machine, error)) (*Report, error) {
	c := newCollector(p, runs, choice)
	worker := func() (repeat.Worker[outcome], error) {
		m, err := machine()
		if err != nil {
			return repeat.Worker[outcome]{}, err
		}
		r := p.newRunner(m)
		r.choice = choice
		return repeat.Worker[outcome]{Run: r.run, Close: m.Close}, nil
	}
	err := repeat.Do(ctx, runs, worker, c.take)
	return c.report(), err
}

// A Single is all there is to tell of one run.
type Single struct {
	Accounts []*account.Account
	Fates    []Told
	More     int // fates that are not among them
}

// A View gets what happens in a run.
type View struct {
	Writer simulate.Writer
	Judged func(*engine.Judgment) // nil: nobody asked
}

// Show makes one run, and writes its transcript to the writer of v.
func (p *Plan) Show(ctx context.Context, seed uint64, m Machine, v View) (*Single, error) {
	r := p.newRunner(m)
	r.arranger.told = true
	v.Writer.Begin(p.tape.Doors(), p.tape.Names)
	s, sum, err := r.play(ctx, seed, v)
	if err != nil {
		return nil, err
	}
	one := &Single{Accounts: s.Accounts(ctx.Err)}
	one.Fates, one.More = r.arranger.toldFates()
	return one, v.Writer.Summary(sum)
}

// senderOf returns who sends from an address.
func (r *route) senderOf(a netip.Addr) netip.Addr {
	if sender, known := r.sender[a]; known {
		return sender
	}
	return a
}
