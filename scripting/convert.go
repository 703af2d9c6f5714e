package scripting

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/sandbox"
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

// describe names a Lua value in a message.
func describe(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		if len(v) > 64 {
			return fmt.Sprintf("the string %q...", string(v[:64]))
		}
		return fmt.Sprintf("the string %q", string(v))
	case lua.LNumber:
		return "the number " + numberText(v)
	case lua.LBool:
		return v.String()
	case *lua.LTable:
		return "a table"
	case *lua.LFunction:
		if v.IsG {
			return "a built-in function"
		}
		return "a function"
	case *lua.LUserData:
		return article(kindOf(v))
	}
	return "nothing"
}

func article(noun string) string {
	if noun == "attempt" {
		return "an " + noun
	}
	return "a " + noun
}

func numberText(n lua.LNumber) string { return sandbox.Text(n) }

func keyText(key lua.LValue) string {
	switch key := key.(type) {
	case lua.LString:
		return strconv.Quote(string(key))
	case lua.LNumber:
		return numberText(key)
	}
	return describe(key)
}

func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// kindOf names the kind of a Go value, for messages and as the key of its
// metatable.
func kindOf(ud *lua.LUserData) string {
	switch v := ud.Value.(type) {
	case *object:
		return v.kind
	case *Command:
		return "command"
	case engine.Condition:
		return "condition"
	}
	return "value"
}
