package scripting

import (
	"strings"

	"github.com/yuin/gopher-lua"
)

// entries goes through a table in the order in which it was filled.
func entries(table *lua.LTable) func(yield func(lua.LValue, lua.LValue) bool) {
	return func(yield func(lua.LValue, lua.LValue) bool) {
		for key, element := table.Next(lua.LNil); key != lua.LNil; key, element = table.Next(key) {
			if !yield(key, element) {
				return
			}
		}
	}
}

func optional(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

// toLua and toGo translate what the engine keeps for scripts.
func toLua(v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	}
	return lua.LNil
}

func toGo(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LString:
		return strings.Clone(string(v)) // a piece of a string would keep the whole
	case lua.LNumber:
		return float64(v)
	case lua.LBool:
		return bool(v)
	}
	return nil
}
