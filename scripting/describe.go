package scripting

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

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

func numberText(n lua.LNumber) string { return strconv.FormatFloat(float64(n), 'g', -1, 64) }

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
	case interface{ kindName() string }:
		return v.kindName()
	case engine.Condition:
		return "condition"
	}
	return "value"
}
