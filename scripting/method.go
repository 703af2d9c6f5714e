package scripting

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/mistake"
	"sesame/scripting/source"
)

// This file holds what the text of a call of a method tells about mistakes in it, before it runs.

// An argument is one argument of a method, beside the object itself.
type argument struct {
	what string      // for messages, as in [object.argument]
	read func(value) // reports what is wrong with a value; nil: any value will do
	is   argumentIs
}

// argumentIs says more about an argument.
type argumentIs uint8

const (
	maybe       argumentIs = 1 << iota // it may be left out
	rest                               // it stands for all that follow, too
	command                            // a command that was declared
	aCondition                         // a condition that was made, and no function
	handlerName                        // the name of a handler of the script
	doorName                           // the name of a door of the set
	options                            // the options of exec, among them the choices of the command
	access                             // the options of allow, among them conditions of some kinds
)

// Readers of arguments. The methods read what they are given with the same.
var (
	text          = func(v value) { v.text() }
	duration      = func(v value) { v.duration() }
	delay         = func(v value) { v.delay() }
	zoneName      = func(v value) { v.zoneName() }
	storeKeyText  = func(v value) { v.storeKey() }
	storableValue = func(v value) { v.storable() }
	addend        = func(v value) { as[lua.LNumber](v, "a number to add") }
	period        = func(v value) { v.period() }
	loggable      = func(v value) { v.loggable() }
)

// tableOf reads a table of options.
func tableOf[T any](schema []option[T]) func(value) {
	return func(v value) { read(v, schema, nil, new(T)) }
}

// mistakes finds what is wrong in functions. What is certainly wrong is a problem of the set,
// unless the set ran before.
func (l *loader) mistakes() {
	j := &callJudge{loader: l, handlers: map[string][]string{}}
	for _, s := range l.set.scripts {
		for _, file := range append([]*source.Script{s.source}, s.required...) {
			j.handlers[file.Path] = append(j.handlers[file.Path], s.timers...)
		}
	}
	for _, m := range mistake.Find(l.scripts.All(), j.table()) {
		if !m.Certain || l.options.RanBefore {
			l.set.Mistakes = append(l.set.Mistakes, m)
		} else if problem := l.scripts.Problem(m.Place, m.Message); !l.reported(problem) {
			l.problems.Add(problem)
		}
	}
}

// reported reports whether a registration in the same line was given what operators make of a
// condition, which is the same problem.
func (l *loader) reported(problem *source.Problem) bool {
	return slices.ContainsFunc(l.problems, func(other *source.Problem) bool {
		return other.File == problem.File && other.Line == problem.Line &&
			(strings.Contains(other.Message, noOperators) || strings.Contains(other.Message, notFalse))
	})
}

// A callJudge judges calls of methods in the text.
type callJudge struct {
	*loader
	handlers map[string][]string // by the file that may name them
}

// table returns the API as package mistake needs it.
func (j *callJudge) table() *mistake.API {
	table := &mistake.API{Objects: map[string]*mistake.Object{}, Asks: "holds"}
	for kind, name := range hookNames {
		table.Hooks = append(table.Hooks, mistake.Hook{Name: name, Gives: objectNames[kind],
			Result: func(v lua.LValue) string { return noResult(engine.CallKind(kind), v) }})
	}
	for _, o := range j.api {
		object := &mistake.Object{Name: o.Name, Members: map[string]*mistake.Member{}, Unknown: o.unknown}
		for _, m := range o.Members {
			object.Members[m.Name] = j.member(m)
		}
		table.Objects[o.Name] = object
	}
	return table
}

func (j *callJudge) member(m Member) *mistake.Member {
	switch {
	case m.field != nil:
		return &mistake.Member{Kind: mistake.Field, Holds: m.holds}
	case m.method != nil:
		return &mistake.Member{Kind: mistake.Method, Barred: m.barred, Judge: func(c *mistake.Call) { j.judge(m, c) }}
	}
	functions := map[string]int{}
	for name, kind := range m.functions {
		functions[name] = int(kind)
	}
	for _, o := range m.Options {
		if kind := slices.Index(hookNames[:], o.Name); kind > 0 {
			functions[o.Name] = kind
		}
	}
	return &mistake.Member{Kind: mistake.Registration, Functions: functions, Condition: m.condition}
}

// barred returns why the functions for a kind of call cannot call the method; "": they can.
func (m Member) barred(hook int) string {
	kind := engine.CallKind(hook)
	switch {
	case hook == 0:
		return ""
	case m.acts && kind == engine.CallWhen:
		return onlyDecides
	case m.only != nil && !slices.Contains(m.only, kind):
		return onlyFor(m.Name, m.only, kind)
	}
	return ""
}

// judge reports what is wrong with the arguments of a call.
func (j *callJudge) judge(m Member, c *mistake.Call) {
	for i, declared := range m.arguments {
		for n := i; n < max(i+1, len(c.Args)); n++ {
			switch {
			case n < len(c.Args):
				j.argument(m, declared, c, c.Args[n])
			case !c.Open:
				j.argument(m, declared, c, mistake.Arg{At: c.At, Value: lua.LNil})
			}
			if declared.is&rest == 0 {
				break
			}
		}
	}
}

// argument reports what is wrong with one argument, as far as the text has it.
func (j *callJudge) argument(m Member, declared argument, c *mistake.Call, a mistake.Arg) {
	v := value{lua: a.Value, what: declared.what, at: a.At, source: c.File, expr: a.Expr, report: c.Report}
	if _, isTable := a.Value.(*lua.LTable); m.Example != "" && !isTable && (m.Options != nil || a.Value == lua.LNil) {
		v.report = func(at source.Place, message string) { c.Report(at, message+"; for example: "+m.Example) }
	}
	if declared.is&command != 0 {
		made(v, a, "a command that sesame.command declared", func(kind string) bool { return kind == "command" })
		return
	}
	if declared.is&aCondition != 0 {
		made(v, a, "a condition such as sesame.window { ... }", j.makesCondition)
		return
	}
	if declared.is&options != 0 && len(c.Args) > 0 {
		j.choices(v, c.Args[0].Origin)
		return
	}
	if !mistake.Known(a.Value) || declared.is&maybe != 0 && a.Value == lua.LNil {
		return
	}
	if declared.read != nil {
		declared.read(v)
	}
	if declared.is&access != 0 {
		v.entry(a, "source", madeByCompleted, "completed")
		v.entry(a, "ends_with", anEnd, "window", "any")
	}
	name, isText := a.Value.(lua.LString)
	switch handlers := j.handlers[c.File.Path]; {
	case !isText || j.incomplete:
	case declared.is&handlerName != 0 && !slices.Contains(handlers, string(name)):
		j.doubt(c, string(name), "handler")
		v.fail("%s", noHandler(string(name), handlers))
	case declared.is&doorName != 0:
		if _, ok := j.doors[string(name)]; !ok {
			j.doubt(c, string(name), doorKinds...)
			v.fail("%s", noDoor(string(name), j.doors))
		}
	}
}

// doubt makes what is reported for a call probable when the set may register a name.
func (j *callJudge) doubt(c *mistake.Call, name string, kinds ...string) {
	if j.mayRegister(name, kinds...) {
		c.Doubt()
	}
}

// made reports an argument that must come from a registration of some kinds, and does not.
func made(v value, a mistake.Arg, what string, by func(kind string) bool) {
	switch {
	case a.Origin.Kind != "" && !by(a.Origin.Kind):
		v.fail("expected %s, got what sesame.%s returned", what, a.Origin.Kind)
	case mistake.Known(a.Value):
		v.expected(what)
	}
}

// entry reports an entry of a table that comes from a registration of none of these kinds.
func (v value) entry(table mistake.Arg, name, what string, kinds ...string) {
	if kind := table.Entries[name].Kind; kind != "" && !slices.Contains(kinds, kind) {
		v.field(v.layout(), name, lua.LNil).fail("expected %s, got what sesame.%s returned", what, kind)
	}
}

// makesCondition reports whether a registration makes a condition.
func (j *callJudge) makesCondition(kind string) bool {
	for _, o := range j.api {
		for _, m := range o.Members {
			if o.Name == "sesame" && m.Name == kind {
				return m.condition
			}
		}
	}
	return false
}

// choices reads the options of exec for a command. It reports nothing when more than one command
// was declared in its line.
func (j *callJudge) choices(v value, o mistake.Origin) {
	var found *Command
	for _, c := range j.set.Commands {
		if c.Place.File == o.File && c.Place.Line == o.Line {
			if found != nil {
				return
			}
			found = c
		}
	}
	if found != nil && mistake.Known(v.lua) && v.lua != lua.LNil {
		read(v, found.execSchema(map[string]string{}), nil, &execDraft{})
	}
}

// noHandler is the message for a handler that the script does not register.
func noHandler(name string, handlers []string) string {
	return "no handler " + strconv.Quote(name) + " is registered in this file" + spelling.DidYouMean(name, handlers)
}

// noDoor is the message for a door that the set does not have. Of very many doors none is
// suggested, since a script may ask again and again.
func noDoor(name string, doors map[string]source.Place) string {
	message := "there is no door " + strconv.Quote(name)
	if len(doors) <= maxSuggested {
		message += spelling.DidYouMean(name, slices.Sorted(maps.Keys(doors)))
	}
	return message
}
