package sandbox

import "fmt"

const (
	noModules = `use require "name", for lib/name.lua`
	noCode    = "scripts cannot make code from text"
	noEnv     = "functions have one environment"
)

// absent has what Lua 5.1, later versions and LuaJIT offer and scripts do not have, with the advice
// what to use instead. It only makes messages better: a name that is not in the libraries does not
// exist, whether it is here or not.
var absent = map[string]string{
	"os.time":         "use attempt.time or knock.time",
	"os.date":         "use attempt.time or knock.time; windows of time are sesame.window { ... }",
	"os.clock":        "scripts cannot measure time; use attempt.time or knock.time",
	"os.difftime":     "subtract the numbers",
	"os.execute":      "declare a command with sesame.command { ... }, and run it with attempt:exec(command)",
	"os.getenv":       `declare an option with sesame.option("name", default)`,
	"os.exit":         "a handler ends with return",
	"os":              "scripts cannot reach the machine; the time is attempt.time or knock.time",
	"io.popen":        "declare a command with sesame.command { ... }, and run it with attempt:exec(command)",
	"io.write":        "use print or attempt:log",
	"io":              "scripts cannot reach files; use print or attempt:log to say something",
	"debug":           "errors carry their line",
	"coroutine":       `delayed work is attempt:after("10m", "name", value)`,
	"channel":         "a script runs alone",
	"package":         noModules,
	"module":          noModules,
	"dofile":          noModules,
	"loadfile":        noModules,
	"load":            noCode,
	"loadstring":      noCode,
	"string.dump":     noCode,
	"getfenv":         noEnv,
	"setfenv":         noEnv,
	"_G":              "name the global itself; scripts cannot list or compute globals",
	"rawset":          "assign the field",
	"newproxy":        "use a table with setmetatable",
	"collectgarbage":  "memory is managed by the host",
	"math.randomseed": "math.random is seeded by the host, so that a replay draws the same numbers",
	"string.gfind":    "use string.gmatch",
	"string.pack":     "only string.unpack(data, format) exists",
	"string.packsize": "only string.unpack(data, format) exists",
	"table.getn":      "use #t",
	"table.setn":      "assign nil to the fields beyond",
	"table.foreach":   "use for k, v in pairs(t)",
	"table.foreachi":  "use for i, v in ipairs(t)",
	"table.pack":      "use { ... } and select('#', ...)",
	"table.move":      "use a loop",
	"math.type":       "numbers have one type",
	"bit32":           "there are no bit operations; string.unpack takes bytes apart",
	"bit":             "there are no bit operations; string.unpack takes bytes apart",
	"utf8":            "strings are bytes",
	"jit":             "this is not LuaJIT",
	"ffi":             "this is not LuaJIT",
	"math.tointeger":  "use math.floor",
}

// absentMessage returns the message for a global, or for a field of one, and "" when absent does
// not have it.
func absentMessage(global, field string) string {
	name := global
	if field != "" {
		name += "." + field
	}
	if instead := absent[name]; instead != "" {
		return fmt.Sprintf("%s does not exist here: %s", name, instead)
	}
	if instead := absent[global]; instead != "" {
		return fmt.Sprintf("%s does not exist here: %s", global, instead)
	}
	return ""
}
