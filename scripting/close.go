package scripting

import (
	"maps"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/source"
)

func closeMember(of string) Member {
	return Member{Name: "close", Type: `"door"`, Doc: "Ends the grants that this source has from a door.",
		Example: of + `:close "ssh"`, method: (*object).close}
}

func (o *object) close(L *lua.LState) int {
	name, _ := o.argument(L, 2, "close").text()
	if _, ok := o.call.script.doors[name]; !ok {
		o.noDoor(L, name)
	}
	o.call.mayClose(L, name)
	o.call.add(L, engine.Close{Door: name})
	return 0
}

func (o *object) noDoor(L *lua.LState, name string) {
	suggestion := ""
	if doors := o.call.script.doors; len(doors) <= maxSuggested {
		o.call.script.state.Charge(suggestionCost+50*int64(len(doors)), 0)
		suggestion = spelling.DidYouMean(name, slices.Sorted(maps.Keys(doors)))
	}
	L.RaiseError("close: there is no door %q%s", name, suggestion)
}

// mayClose refuses to close a door that no site of the door at hand names.
func (c *call) mayClose(L *lua.LState, target string) {
	door := doorOf(c.moment)
	named := slices.ContainsFunc(c.script.closes, func(site source.CloseSite) bool { return site.Names(door, target) })
	if !named {
		L.RaiseError("close %q: no close %s names it: write close %[1]q there", target, whence(door))
	}
}
