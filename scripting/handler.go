package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func handlerMember() Member {
	return Member{Name: "handler", Type: `("name", function(timer) ... end)`, Doc: "Registers a function of this script that can be called later; see attempt:after.",
		Example: `sesame.handler("remind", function(timer) timer:log("still open for " .. timer.source) end)`, function: registerTimer}
}

// registerTimer registers a function that delays name. It may be called across
// reloads, so it needs a name.
func registerTimer(s *script, L *lua.LState) int {
	s.registering(L, "handler")
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
