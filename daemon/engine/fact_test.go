package engine

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// countries are facts that count how often they were asked.
type countries struct {
	of    map[string]string
	asked int
}

func (c *countries) Answer(q Question) Answer {
	c.asked++
	country, known := c.of[q.Address.String()]
	return Answer{Known: known, Country: country, From: "a list"}
}

// from is a condition that holds for sources in a country. It asks twice.
type from string

func (f from) Check(c *Call) (Verdict, error) {
	q := Question{Kind: FactCountry, Address: netip.AddrFrom16(c.Source.As16())}
	c.Ask(q)
	switch a := c.Ask(q); {
	case !a.Known:
		return Verdict{Outcome: Unknown, Condition: "from", Detail: "nobody knows"}, nil
	case a.Country == string(f):
		return Verdict{Outcome: Yes}, nil
	default:
		return Verdict{Condition: "from", Detail: "no", Fields: []Field{{FieldCountry, a.Country}}}, nil
	}
}
func (f from) Name() string   { return "from" }
func (f from) String() string { return "from: " + string(f) }

// Facts decide, the same question is asked once for each input, and what was asked is there
// for a recording.
func TestFacts(t *testing.T) {
	d := guarding(t, aDoor(t, "a", "udp/501"), "tcp/22")
	d.When = []Condition{from("ES")}
	w := newWorld(t, d)
	w.knock(alice, "udp/501")
	w.want("0s stage a 203.0.113.9 1/1", "0s refuse a 203.0.113.9 no_data (nobody knows)")

	facts := &countries{of: map[string]string{alice: "ES", bob: "FR"}}
	w.e.SetFacts(facts)
	w.got = nil
	w.knock(alice, "udp/501")
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9", "0s effect a 203.0.113.9 allow #1 tcp/22 30s")
	want := []Asked{{Question{Kind: FactCountry, Address: netip.MustParseAddr(alice)}, Answer{Known: true, Country: "ES", From: "a list"}}}
	if got := w.e.Asked(); !cmp.Equal(got, want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) || facts.asked != 1 {
		t.Errorf("%d questions, asked %+v", facts.asked, got)
	}
	w.knock(bob, "udp/501")
	if got := w.got[len(w.got)-1]; got.Reason != When || got.Condition != "from" || !cmp.Equal(got.Fields, []Field{{FieldCountry, "FR"}}) {
		t.Errorf("the refusal is %+v", got)
	}
	if w.tick(0); len(w.e.Asked()) != 0 {
		t.Errorf("an input that asked nothing has %+v", w.e.Asked())
	}
}

// counted is a condition that counts how often it was checked.
type counted struct {
	fixedCondition
	n *int
}

func (c counted) Check(call *Call) (Verdict, error) { *c.n++; return c.fixedCondition.Check(call) }

// One condition that does not hold decides, also behind one that is unknown.
func TestAll(t *testing.T) {
	yes, no, unknown := Verdict{Outcome: Yes}, Verdict{Detail: "no"}, Verdict{Outcome: Unknown, Detail: "unknown"}
	for _, test := range []struct {
		name    string
		list    []Verdict
		want    Verdict
		checked int
	}{
		{"none", nil, yes, 0},
		{"two hold", []Verdict{yes, yes}, yes, 2},
		{"one does not", []Verdict{yes, no, yes}, no, 2},
		{"one is unknown", []Verdict{yes, unknown, yes}, unknown, 3},
		{"unknown and no", []Verdict{unknown, no, yes}, no, 2},
		{"two unknown", []Verdict{unknown, {Outcome: Unknown}}, unknown, 2},
	} {
		n := 0
		var list []Condition
		for _, v := range test.list {
			list = append(list, counted{fixedCondition(v), &n})
		}
		got, err := All(list, &Call{})
		if err != nil || !cmp.Equal(got, test.want) || n != test.checked {
			t.Errorf("%s: %+v after %d, %v", test.name, got, n, err)
		}
	}
	failing := errors.New("boom")
	if _, err := All([]Condition{broken{failing}}, &Call{}); !errors.Is(err, failing) {
		t.Errorf("the error is %v", err)
	}
}

// broken is a condition that fails.
type broken struct{ err error }

func (b broken) Check(*Call) (Verdict, error) { return Verdict{}, b.err }
func (b broken) Name() string                 { return "broken" }
func (b broken) String() string               { return "broken" }
