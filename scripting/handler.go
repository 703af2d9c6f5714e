package scripting

import (
	"slices"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func handlerMember() Member {
	return Member{Name: "handler", Type: `("name", function(timer) ... end)`, Doc: "Registers a function of this script that can be called later; see attempt:after.",
		Example: `sesame.handler("remind", function(timer) timer:log("still open for " .. timer.source) end)`, function: registerTimer,
		functions: map[string]engine.CallKind{"#2": engine.CallTimer}}
}

// registerTimer registers a function that delays name. It may be called across
// reloads, so it needs a name.
func registerTimer(s *script, L *lua.LState) int {
	v, _ := s.argument(L, "handler", "")
	name, ok := readName(v)
	v.lua = L.Get(2)
	fn, isFunction := v.function()
	if !ok || !isFunction {
		return 0
	}
	if first, ok := s.loading.timersAt[name]; ok {
		v.fail("%q is registered twice, first at %s", name, first)
	}
	s.loading.timersAt[name] = v.at
	h := &handler{script: s}
	h.functions[engine.CallTimer] = s.addFunction(fn)
	s.loading.timers = append(s.loading.timers, engine.Timer{Script: s.source.Path, Name: name, Handler: h})
	return 0
}

func afterMember(of string) Member {
	return Member{Name: "after", Type: `(duration, "name", value)`, Doc: "Calls a handler later, after a second or more, also across reloads. The value is a string, a number, a boolean or nothing.",
		Example: of + `:after("10m", "remind")`, method: (*object).after, acts: true,
		arguments: []argument{{"after", delay, 0}, {"after", text, handlerName}, {"after", storableValue, maybe}}}
}

// after requests a later call of a handler of the same file. Less than a second
// is refused: delays are for people, and short ones would let a script run in a
// loop.
func (o *object) after(L *lua.LState) int {
	wait, _ := o.argument(L, 2, "after").delay()
	name, _ := o.argument(L, 3, "after").text()
	if timers := o.run.script.timers; !slices.Contains(timers, name) {
		o.run.script.state.Charge(suggestionCost+50*int64(len(timers)), 0)
		L.RaiseError("after: %s", noHandler(name, timers))
	}
	o.run.add(L, engine.After{Delay: wait, Name: name, Value: toGo(o.argument(L, 4, "after").storable())})
	return 0
}

// delay reads a duration of a second or more.
func (v value) delay() (time.Duration, bool) {
	d, ok := v.duration()
	if ok && d < time.Second {
		v.fail("the delay is %v: expected a second or more", d)
		ok = false
	}
	return d, ok
}

func timerObject() Object {
	return Object{"timer", "Delayed work that is due. The function of a sesame.handler gets it.", append([]Member{
		{Name: "name", Type: "string", Doc: "The name of the handler.", field: (*object).timerName},
		{Name: "value", Type: "string, number, boolean or nil", Doc: "The value that after was given.", field: (*object).timerValue},
	}, givenMembers("timer")...)}
}

func (o *object) timerName() lua.LValue { return lua.LString(o.run.call.Name) }

func (o *object) timerValue() lua.LValue { return toLua(o.run.call.Value) }
