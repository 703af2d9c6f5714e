package scripting

import (
	"slices"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
)

func afterMember(of string) Member {
	return Member{Name: "after", Type: `(duration, "name", value)`, Doc: "Calls a handler later, after a second or more, also across reloads. The value is a string, a number, a boolean or nothing.",
		Example: of + `:after("10m", "remind")`, method: (*object).after}
}

// after requests a later call of a handler of the same file. Less than a second
// is refused: delays are for people, and short ones would let a script run in a
// loop.
func (o *object) after(L *lua.LState) int {
	delay, _ := o.argument(L, 2, "after").duration()
	if delay < time.Second {
		L.RaiseError("after: the delay is %v: expected a second or more", delay)
	}
	name, _ := o.argument(L, 3, "after").text()
	if timers := o.run.script.timers; !slices.Contains(timers, name) {
		o.run.script.state.Charge(suggestionCost+50*int64(len(timers)), 0)
		L.RaiseError("after: no handler %q is registered in this file%s", name, spelling.DidYouMean(name, timers))
	}
	o.run.add(L, engine.After{Delay: delay, Name: name, Value: toGo(storable(L, L.Get(4), "after"))})
	return 0
}
