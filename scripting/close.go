package scripting

import (
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/source"
)

func closeMember(of string) Member {
	return Member{Name: "close", Type: `"door"`, Doc: "Ends the grants that this source has from a door.",
		Example: of + `:close "ssh"`, method: (*object).close, acts: true,
		arguments: []argument{{"close", text, 0}}}
}

// close requests the end of the grants that the source has from a door. The
// door must exist.
func (o *object) close(L *lua.LState) int {
	name, _ := o.argument(L, 2, "close").text()
	if _, ok := o.run.script.doors[name]; !ok {
		o.noDoor(L, "close", name)
	}
	o.run.mayClose(L, name)
	o.run.add(L, engine.Close{Door: name})
	return 0
}

// noDoor raises the error that a method names a door which does not exist.
func (o *object) noDoor(L *lua.LState, method, name string) {
	doors := o.run.script.doors
	o.run.script.state.Charge(suggestionCost+50*int64(min(len(doors), maxSuggested)), 0)
	L.RaiseError("%s: %s", method, noDoor(name, doors))
}

// mayClose refuses to close a door that no call of close in the text names: see
// [Set.Sites].
func (r *run) mayClose(L *lua.LState, target string) {
	door := doorOf(r.call)
	named := slices.ContainsFunc(r.script.closes, func(site source.CloseSite) bool { return site.Names(door, target) })
	if !named {
		L.RaiseError("close %q: no close %s names it: write close %[1]q there", target, scopeOf(door))
	}
}
