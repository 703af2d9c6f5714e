package scripting

import (
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/scripting/sandbox"
)

func logMember(of string) Member {
	return Member{Name: "log", Type: "(text, ...)", Doc: "Writes a line to the log: strings, numbers and booleans, with a space between them.",
		Example: of + `:log("hello", ` + of + `.source)`, method: (*object).log}
}

// log requests a log line. It stops reading arguments when the line is too long
// anyway.
func (o *object) log(L *lua.LState) int {
	var b strings.Builder
	for i := 2; i <= L.GetTop() && b.Len() <= maxText; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString, lua.LNumber, lua.LBool, *lua.LNilType:
			if i > 2 {
				b.WriteByte(' ')
			}
			b.WriteString(sandbox.Text(v))
		default:
			L.RaiseError("log: expected strings, numbers and booleans, got %s", describe(v))
		}
	}
	o.run.line(L, b.String())
	return 0
}
