package scripting

import (
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/scripting/sandbox"
)

func logMember(of string) Member {
	return Member{Name: "log", Type: "(text, ...)", Doc: "Writes a line to the log: strings, numbers and booleans, with a space between them.",
		Example: of + `:log("hello", ` + of + `.source)`, method: (*object).log, acts: true,
		arguments: []argument{{"log", loggable, maybe | rest}}}
}

// log requests a log line. It stops reading arguments when the line is too long
// anyway.
func (o *object) log(L *lua.LState) int {
	var b strings.Builder
	for i := 2; i <= L.GetTop() && b.Len() <= maxText; i++ {
		v := o.argument(L, i, "log")
		v.loggable()
		if i > 2 {
			b.WriteByte(' ')
		}
		b.WriteString(sandbox.Text(v.lua))
	}
	o.run.line(L, b.String())
	return 0
}

func (v value) loggable() {
	switch v.lua.(type) {
	case lua.LString, lua.LNumber, lua.LBool, *lua.LNilType:
	default:
		v.expected("strings, numbers and booleans")
	}
}
