package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

func holdsMember(of string) Member {
	return Member{Name: "holds", Type: "(condition)", Doc: "Returns true when a condition holds, else false and the reason. When nobody knows, the function ends here, and the knock is refused as `no_data`.",
		Example: of + `:holds(office)`, method: (*object).holds, arguments: []argument{{"holds", nil, aCondition}},
		Returns: "boolean holds, string? reason"}
}

func grantedMember(of string) Member {
	return Member{Name: "granted", Type: `"door"`, Doc: "Returns for how many seconds the source still has a grant of a door, or nil.",
		Example: of + `:granted "vpn"`, method: (*object).granted, arguments: []argument{{"granted", text, doorName}},
		Returns: "number? seconds"}
}

const (
	holdsCost = 100 // steps for each condition that holds may check
	maxNested = 8   // functions that are conditions, each asked by the one before
)

// holds checks a condition for the source at hand. An unknown one ends the run,
// also when the script catches the error: a door must not open because of what
// nobody knows.
func (o *object) holds(L *lua.LState) int {
	r := o.run
	asked := o.condition(L)
	if !r.call.Source.IsValid() {
		L.RaiseError("holds: there is no source at hand")
	}
	r.script.state.Charge(holdsCost*int64(condition.Count([]engine.Condition{asked})), 0)
	verdict, err := r.call.Check(asked)
	r.script.state.Charge(int64(len(verdict.Detail))/16, int64(len(verdict.Detail)))
	switch {
	case err != nil:
		raise(L, err)
	case verdict.Outcome == engine.Unknown:
		if r.unknown == nil {
			r.unknown = &verdict
		}
		L.RaiseError("holds: %s", verdict.Detail)
	case verdict.Outcome == engine.No:
		L.Push(lua.LFalse)
		L.Push(lua.LString(verdict.Detail))
		return 2
	}
	L.Push(lua.LTrue)
	return 1
}

// condition returns the argument of holds.
func (o *object) condition(L *lua.LState) engine.Condition {
	given := L.Get(2)
	if ud, ok := given.(*lua.LUserData); ok {
		if asked, ok := ud.Value.(engine.Condition); ok {
			return asked
		}
	}
	hint := ""
	if _, ok := given.(*lua.LFunction); ok {
		hint = ": call it, or make a condition of it at the top level: sesame.all { it }"
	}
	L.RaiseError("holds: expected a condition such as sesame.window { ... }, got %s%s", describe(given), hint)
	return nil
}

// raise raises an error of Go in Lua, with the place that it has.
func raise(L *lua.LState, err error) {
	ud := L.NewUserData()
	ud.Value = err
	L.Error(ud, 0)
}

// granted looks up the grants of the source.
func (o *object) granted(L *lua.LState) int {
	name, _ := o.argument(L, 2, "granted").text()
	if _, ok := o.run.script.doors[name]; !ok {
		o.noDoor(L, "granted", name)
	}
	o.run.script.state.Charge(holdsCost, 0)
	if left, ok := o.run.call.Granted(name); ok {
		L.Push(lua.LNumber(left.Seconds()))
	} else {
		L.Push(lua.LNil)
	}
	return 1
}
