package scripting

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/source"
)

// Any is a list of conditions of which one must hold. It is an
// [engine.Condition].
type Any struct {
	Name       string
	Place      source.Place
	Conditions []engine.Condition
}

// Check implements [engine.Condition]. It asks in order, until one holds or
// fails.
func (a *Any) Check(m *engine.Call) (engine.Verdict, error) {
	var reasons []string
	for _, condition := range a.Conditions {
		verdict, err := condition.Check(m)
		if verdict.OK || err != nil {
			return verdict, err
		}
		reasons = append(reasons, verdict.Detail)
	}
	return engine.Verdict{Detail: a.Name + ": " + strings.Join(reasons, " or ")}, nil
}

// String returns "NAME: one or other".
func (a *Any) String() string {
	texts := make([]string, len(a.Conditions))
	for i, condition := range a.Conditions {
		texts[i] = condition.String()
	}
	return a.Name + ": " + strings.Join(texts, " or ")
}

// A Function is a condition that a script computes. It is an
// [engine.Condition].
type Function struct {
	Name   string
	Place  source.Place
	script *script
	index  int
}

// Check calls the function. It must return true, or false and a reason.
func (f *Function) Check(m *engine.Call) (engine.Verdict, error) {
	c := &call{script: f.script, moment: m, kind: engine.CallWhen}
	results, err := c.run(f.index, 2)
	if err != nil {
		return engine.Verdict{}, err
	}
	ok, isBool := results[0].(lua.LBool)
	if !isBool {
		return engine.Verdict{}, f.script.fault(f.index, "when: the function returned %s: return true, or false and a reason", describe(results[0]))
	}
	reason, err := c.reason(f.index, results[1])
	if reason == "" {
		reason = f.String()
	}
	if ok || err != nil {
		return engine.Verdict{OK: err == nil}, err
	}
	return engine.Verdict{Detail: reason}, nil
}

// String returns "NAME: function at FILE:LINE".
func (f *Function) String() string { return fmt.Sprintf("%s: function at %s", f.Name, f.Place) }

// conditions reads a condition, a function, or a list of both.
func (s *script) conditions(v value) []engine.Condition {
	if _, ok := v.lua.(*lua.LTable); !ok {
		if condition := s.condition(v); condition != nil {
			return []engine.Condition{condition}
		}
		return nil
	}
	items, _ := v.items("a condition, a function, or a list of both")
	var conditions []engine.Condition
	for _, item := range items {
		if condition := s.condition(item); condition != nil {
			conditions = append(conditions, condition)
		}
	}
	if count(conditions) > maxConditions {
		v.fail("expected at most %d conditions, with those within sesame.any", maxConditions)
		return nil
	}
	return conditions
}

// maxConditions bounds what one knock can make a door ask: each function among
// them has a budget of its own.
const maxConditions = 32

// count counts conditions, with those within others.
func count(conditions []engine.Condition) int {
	n := len(conditions)
	for _, c := range conditions {
		if a, ok := c.(*Any); ok {
			n += count(a.Conditions)
		}
	}
	return n
}

func (s *script) condition(v value) engine.Condition {
	switch given := v.lua.(type) {
	case *lua.LUserData:
		if condition, ok := given.Value.(engine.Condition); ok {
			return condition
		}
	case *lua.LFunction:
		if given.IsG {
			break
		}
		f := &Function{Name: v.what, script: s, index: s.keep(given)}
		f.Place = source.Place{File: given.Proto.SourceName, Line: given.Proto.LineDefined}
		if variable, ok := v.expr.(*ast.IdentExpr); ok {
			f.Name = variable.Value
		}
		return f
	}
	v.expected("a condition such as sesame.window { ... }, or a function")
	return nil
}

// A windowDraft is a window while its options are read.
type windowDraft struct {
	Window
	given bool // that it limits anything
	wrong bool // an option could not be read
}

func registerWindow(s *script, L *lua.LState) int {
	s.registering(L, "window")
	v, bound := s.argument(L, "window", "")
	w := &windowDraft{Window: Window{Name: conditionName(bound, "window"), Place: v.at, To: 24 * 60, days: "mon-sun"}}
	w.Days = [7]bool{true, true, true, true, true, true, true}
	if read(v, windowOptions(), nil, w) {
		switch {
		case !w.given:
			v.fail("expected days, from or to: it would hold at all times")
		case w.From == w.To && !w.wrong:
			v.fail("from and to are the same: leave both out for the whole day")
		}
	}
	L.Push(s.userdata(L, &w.Window))
	return 1
}

func (w *windowDraft) clock(v value) int {
	w.given = true
	minute, ok := parsed(v, `a time of day such as "08:00"`, parseClock)
	w.wrong = w.wrong || !ok
	return minute
}

func conditionName(bound, kind string) string {
	if bound == "" {
		return kind
	}
	return bound
}

func windowOptions() []option[windowDraft] {
	return []option[windowDraft]{
		{Option{"days", `days such as "mon-fri", "sat,sun" or "mon-wed,fri"`, `"mon-sun"`, "The days on which the window begins."},
			func(v value, w *windowDraft) {
				w.given = true
				var ok bool
				if w.Days, ok = parsed(v, `days such as "mon-fri"`, parseDays); ok {
					w.days = strings.ReplaceAll(v.lua.String(), " ", "")
				}
			}},
		{Option{"from", "a time of day", `"00:00"`, "When it begins."},
			func(v value, w *windowDraft) {
				if w.From = w.clock(v); w.From == 24*60 {
					v.fail(`a window begins at "23:59" or earlier`)
				}
			}},
		{Option{"to", "a time of day", `"24:00"`, "When it ends: this minute is outside. A window whose to is before its from ends on the next day."},
			func(v value, w *windowDraft) { w.To = w.clock(v) }},
		{Option{"tz", `a name of the time zone database, such as "Europe/Madrid"`, Required, "The time zone that the days and times are of."},
			func(v value, w *windowDraft) { w.Zone, _ = parsed(v, `a time zone such as "Europe/Madrid"`, parseZone) }},
		{Option{"name", "a name", "the variable's", "What reasons call it."},
			func(v value, w *windowDraft) { w.Name, _ = readName(v) }},
	}
}

func registerNetworks(s *script, L *lua.LState) int {
	s.registering(L, "networks")
	v, bound := s.argument(L, "networks", "")
	n := &Networks{Name: conditionName(bound, "networks"), Place: v.at}
	ok := read(v, networksOptions(), func(v value, n *Networks) {
		prefix, _ := parsed(v, `a network such as "203.0.113.0/24"`, packet.ParseNetwork)
		n.Prefixes = append(n.Prefixes, prefix)
	}, n)
	if ok && len(n.Prefixes) == 0 {
		v.fail(`expected at least one network, such as "203.0.113.0/24"`)
	}
	L.Push(s.userdata(L, n))
	return 1
}

func networksOptions() []option[Networks] {
	return []option[Networks]{
		{Option{"name", "a name", "the variable's", "What reasons call it."},
			func(v value, n *Networks) { n.Name, _ = readName(v) }},
	}
}

func registerAny(s *script, L *lua.LState) int {
	s.registering(L, "any")
	v, bound := s.argument(L, "any", "")
	a := &Any{Name: conditionName(bound, "any"), Place: v.at}
	ok := read(v, anyOptions(), func(v value, a *Any) {
		if condition := s.condition(v); condition != nil {
			a.Conditions = append(a.Conditions, condition)
		}
	}, a)
	if ok && v.lua.(*lua.LTable).Len() == 0 {
		v.fail("expected at least one condition")
	}
	if count(a.Conditions) > maxConditions {
		v.fail("expected at most %d conditions, with those within sesame.any", maxConditions)
		a.Conditions = nil
	}
	L.Push(s.userdata(L, a))
	return 1
}

func anyOptions() []option[Any] {
	return []option[Any]{
		{Option{"name", "a name", "the variable's", "What reasons call it."},
			func(v value, a *Any) { a.Name, _ = readName(v) }},
	}
}
