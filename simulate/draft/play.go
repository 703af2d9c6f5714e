package draft

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
)

// A player runs steps, and collects what comes of them.
type player struct {
	*suite.Player
	came spec.Step // what came of all of them, as its expectations
}

func (d *drafter) player(ctx context.Context, begin time.Time) *player {
	return &player{Player: suite.NewPlayer(ctx, d.Set, d.test(begin))}
}

// test returns a test without steps.
func (d *drafter) test(begin time.Time) *spec.Test {
	test := &spec.Test{Name: d.Name, At: begin, Facts: stated(d.facts)}
	for _, prefix := range d.Local {
		if prefix.IsSingleIP() { // a test cannot name networks behind the host
			test.Host = append(test.Host, prefix.Addr())
		}
	}
	return test
}

// play runs a step, whose expectations become what came. It returns when the last of it came.
func (p *player) play(ctx context.Context, s *spec.Step) (last time.Time, err error) {
	s.Strict, s.Allows, s.Runs = nil, nil, nil
	if last, err = p.Play(ctx, s); err != nil {
		return last, err
	}
	p.came.Strict = append(p.came.Strict, s.Strict...)
	p.came.Allows = append(p.came.Allows, s.Allows...)
	p.came.Runs = append(p.came.Runs, s.Runs...)
	return last, nil
}

// longest is how long behind the last packet something may happen that a test expects.
const longest = 24 * time.Hour

// run runs the steps of a test, and returns what came. A step that waits until all has happened
// becomes the last one, if something does.
func (d *drafter) run(ctx context.Context, test *spec.Test) (*spec.Step, error) {
	p := d.player(ctx, test.At)
	for i := range test.Steps {
		if _, err := p.play(ctx, &test.Steps[i]); err != nil {
			return nil, err
		}
	}
	begin, rest := p.Now(), spec.Step{Wait: longest}
	last, err := p.play(ctx, &rest)
	if rest.Wait = last.Sub(begin); !last.IsZero() {
		test.Steps = append(test.Steps, rest)
	}
	return &p.came, err
}

// nothing reports whether nothing came of a step.
func nothing(s *spec.Step) bool { return len(s.Strict)+len(s.Allows)+len(s.Runs) == 0 }

// alike reports whether the same came, at whatever time. A grant that ends with a window lasts a
// little longer when the knocks come a little earlier.
func alike(a, b *spec.Step) bool {
	return slices.Equal(a.Strict, b.Strict) &&
		slices.EqualFunc(a.Allows, b.Allows, func(x, y spec.Allow) bool {
			apart := (x.TTL - y.TTL).Abs()
			x.TTL, y.TTL = 0, 0
			return x == y && apart < time.Second
		}) &&
		slices.EqualFunc(a.Runs, b.Runs, func(x, y spec.Run) bool { return x.Command == y.Command && x.Undo == y.Undo })
}

// stated returns answers as the facts of a test: one for each address or host.
func stated(known []engine.Asked) (facts []spec.Fact) {
	for _, one := range known {
		q, a := one.Question, one.Answer
		fact := spec.Fact{Host: q.Name, Addresses: a.Addresses}
		if q.Kind != engine.FactHost {
			fact = spec.Fact{Network: single(q.Address)}
		}
		i := slices.IndexFunc(facts, func(f spec.Fact) bool { return f.Network == fact.Network && f.Host == fact.Host })
		if i < 0 {
			i, facts = len(facts), append(facts, fact)
		}
		switch {
		case !a.Known:
		case q.Kind == engine.FactCountry:
			facts[i].Country = a.Country
		case q.Kind == engine.FactASN:
			facts[i].ASN, facts[i].ASName = a.ASN, a.ASName
		}
	}
	return facts
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
