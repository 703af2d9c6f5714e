package scripting

import (
	"strings"

	"github.com/yuin/gopher-lua"
)

// entries iterates over a table in the order in which it was filled, so that
// loading is deterministic.
func entries(table *lua.LTable) func(yield func(lua.LValue, lua.LValue) bool) {
	return func(yield func(lua.LValue, lua.LValue) bool) {
		for key, element := table.Next(lua.LNil); key != lua.LNil; key, element = table.Next(key) {
			if !yield(key, element) {
				return
			}
		}
	}
}

// optional returns nil for an empty string.
func optional(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

// toLua converts a value that the engine stores for scripts: a string, a
// float64, a bool or nil.
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

// toGo converts a value for the engine to store. It is nil for other types than
// those of [toLua].
func toGo(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LString:
		return strings.Clone(string(v)) // else a part of a string would hold all of it in memory
	case lua.LNumber:
		return float64(v)
	case lua.LBool:
		return bool(v)
	}
	return nil
}
