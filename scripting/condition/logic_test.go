package condition

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
)

// A fixed condition always has the same outcome, or fails.
type fixed struct {
	name    string
	outcome engine.Outcome
	err     error
	asked   *int // counts the checks
}

func (f fixed) Check(*engine.Call) (engine.Verdict, error) {
	if f.asked != nil {
		*f.asked++
	}
	return engine.Verdict{Outcome: f.outcome, Condition: f.name, Detail: f.name + ": " + []string{"no", "yes", "unknown"}[f.outcome]}, f.err
}
func (f fixed) Name() string   { return f.name }
func (f fixed) String() string { return f.name + ": fixed" }

// naive is Kleene's logic by its truth values: No is 0, Unknown is 1, Yes is 2.
// Any is the maximum, all the minimum, none 2 less the maximum.
func naive(c engine.Condition) int {
	truth := map[engine.Outcome]int{engine.No: 0, engine.Unknown: 1, engine.Yes: 2}
	high, low := 0, 2
	var members []engine.Condition
	made, _ := c.(interface{ Members() []engine.Condition })
	if made != nil {
		members = made.Members()
	}
	for _, member := range members {
		high, low = max(high, naive(member)), min(low, naive(member))
	}
	switch c := c.(type) {
	case *anyOf:
		return high
	case *allOf:
		return low
	case *noneOf:
		return 2 - high
	case fixed:
		return truth[c.outcome]
	}
	panic(fmt.Sprintf("%T", c))
}

// drawTree draws a tree of any, all and none over fixed outcomes.
func drawTree(t *rapid.T, depth int) engine.Condition {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth == 0 || kind == 3 {
		outcome := rapid.SampledFrom([]engine.Outcome{engine.No, engine.Yes, engine.Unknown}).Draw(t, "outcome")
		return fixed{name: rapid.StringMatching("[a-z]{1,3}").Draw(t, "leaf"), outcome: outcome}
	}
	c := combination{name: "C", named: rapid.Bool().Draw(t, "named")}
	for range rapid.IntRange(1, 4).Draw(t, "members") {
		c.members = append(c.members, drawTree(t, depth-1))
	}
	return []engine.Condition{&anyOf{c}, &allOf{c}, &noneOf{c}}[kind]
}

// Any, all and none, within each other, decide as the truth values do. A verdict
// names a condition of the tree and has a text; one of a combination with a name
// names that.
func TestThreeValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawTree(t, 4)
		v, err := c.Check(&engine.Call{})
		if want := []engine.Outcome{engine.No, engine.Unknown, engine.Yes}[naive(c)]; err != nil || v.Outcome != want {
			t.Fatalf("%s is %v, %v: want %v", c, v.Outcome, err, want)
		}
		names := map[string]bool{}
		Walk([]engine.Condition{c}, func(one engine.Condition) { names[one.Name()] = true })
		if v.Detail == "" || !names[v.Condition] {
			t.Fatalf("%s: the verdict is %+v", c, v)
		}
		if all, err := engine.All([]engine.Condition{c, c}, &engine.Call{}); err != nil || all.Outcome != v.Outcome {
			t.Fatalf("a list of it is %v, %v: want %v", all.Outcome, err, v.Outcome)
		}
	})
}

var (
	yes, no, maybe = fixed{name: "y", outcome: engine.Yes}, fixed{name: "n"}, fixed{name: "u", outcome: engine.Unknown}
	other          = fixed{name: "o"}
)

func TestWhichConditionARefusalNames(t *testing.T) {
	plain := of
	named := func(members ...engine.Condition) combination { return combination{"it", true, members} }
	for _, tt := range []struct {
		name              string
		c                 engine.Condition
		condition, detail string
	}{
		{"any: the last, since all refuse", &anyOf{plain(no, other)}, "o", "n: no or o: no"},
		{"any with a name", &anyOf{named(no, other)}, "it", "it: n: no or o: no"},
		{"any: the unknown one", &anyOf{plain(no, maybe, other)}, "u", "u: unknown"},
		{"all: the first that does not hold", &allOf{plain(yes, maybe, no, other)}, "n", "n: no"},
		{"all with a name", &allOf{named(no)}, "it", "it: n: no"},
		{"all: the unknown one", &allOf{plain(yes, maybe)}, "u", "u: unknown"},
		{"none: the one that holds", &noneOf{plain(no, maybe, yes)}, "y", "it must not hold: y: yes"},
		{"none with a name", &noneOf{named(yes)}, "it", "it: it must not hold: y: yes"},
		{"none: the unknown one", &noneOf{plain(no, maybe)}, "u", "u: unknown"},
		{"an unknown one, in one with a name", &noneOf{named(maybe)}, "it", "it: u: unknown"},
		{"a member with a name, in one without", &allOf{plain(&anyOf{combination{"inner", true, []engine.Condition{no}}})}, "inner", "inner: n: no"},
		{"a member without a name, in one without", &allOf{plain(&anyOf{plain(no)})}, "n", "n: no"},
	} {
		v, err := tt.c.Check(&engine.Call{})
		if err != nil || v.Condition != tt.condition || v.Detail != tt.detail {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
	}
}

// A combination stops where it is decided, so that no fact is asked for nothing,
// and no function runs.
func TestWhatIsDecidedIsNotAsked(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(asked fixed) engine.Condition
		want  int
	}{
		{"any, behind one that holds", func(a fixed) engine.Condition { return &anyOf{of(yes, a)} }, 0},
		{"any, behind an unknown one", func(a fixed) engine.Condition { return &anyOf{of(maybe, a)} }, 1},
		{"all, behind one that does not hold", func(a fixed) engine.Condition { return &allOf{of(no, a)} }, 0},
		{"all, behind an unknown one", func(a fixed) engine.Condition { return &allOf{of(maybe, a)} }, 1},
		{"none, behind one that holds", func(a fixed) engine.Condition { return &noneOf{of(yes, a)} }, 0},
		{"none, behind an unknown one", func(a fixed) engine.Condition { return &noneOf{of(maybe, a)} }, 1},
	} {
		asked := 0
		tt.build(fixed{name: "a", outcome: engine.Yes, asked: &asked}).Check(&engine.Call{})
		if asked != tt.want {
			t.Errorf("%s: asked %d times, want %d", tt.name, asked, tt.want)
		}
	}
}

// A member that fails is the end: an error is no answer.
func TestAFailureIsNoAnswer(t *testing.T) {
	broken := errors.New("broken")
	fails := fixed{name: "f", outcome: engine.Yes, err: broken}
	for _, c := range []engine.Condition{&anyOf{of(fails, yes)}, &allOf{of(fails, no)}, &noneOf{of(fails, yes)}} {
		if v, err := c.Check(&engine.Call{}); err != broken || v.Outcome != engine.No {
			t.Errorf("%s: %+v, %v", c, v, err)
		}
	}
}

// A timed condition of the past can hold again at several times.
type again struct {
	fixed
	at string
}

func (a again) Check(*engine.Call) (engine.Verdict, error) {
	return engine.Verdict{Fields: []engine.Field{{Key: engine.FieldHoldsAgain, Value: a.at}, {Key: engine.FieldNetwork, Value: a.at[:4]}}}, nil
}

func TestAnyHoldsAgainAtTheEarliestTime(t *testing.T) {
	v, _ := (&anyOf{of(again{no, "2026-11-30T08:00:00+01:00"}, again{no, "2026-11-28T09:00:00+01:00"}, again{no, "2026-11-29T09:00:00+01:00"})}).Check(nil)
	if len(v.Fields) != 2 || v.Fields[0].Value != "2026-11-28T09:00:00+01:00" {
		t.Errorf("fields %v", v.Fields)
	}
}

// Durations are shown as scripts write them.
func TestTextsOfCompleted(t *testing.T) {
	built, err := Completed().Build("bob", Values{List: []any{"bob"}, Named: map[string]any{"within": 5 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	if got := built.String(); got != `bob: "bob" completed within 5m` {
		t.Error(got)
	}
	v, err := built.Check(&engine.Call{})
	if err != nil || v.Outcome != engine.No || v.Detail != `bob: nobody completed "bob" within 5m` {
		t.Errorf("%+v, %v", v, err)
	}
}
