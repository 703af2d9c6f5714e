package reference

import (
	"strings"

	"sesame/scripting"
)

// types has the types of editors for the words of the documentation. Types that are made of others
// are read by [typeOf].
var types = map[string]string{
	"string":                             "string",
	"number":                             "number",
	"boolean":                            "boolean",
	"nil":                                "nil",
	"store":                              "sesame.store",
	"true or false":                      "boolean",
	"a name":                             "string",
	"a sentence":                         "string",
	"a path":                             "string",
	"a path, or a list of paths":         "string|string[]",
	"the path of a file":                 "string",
	"an address":                         "string",
	"duration":                           "sesame.duration",
	"a duration":                         "sesame.duration",
	"duration up to 10m":                 "sesame.duration",
	"a port":                             "sesame.port",
	"a port or a list of ports":          "sesame.port|sesame.port[]",
	"a port or a list of up to 32 ports": "sesame.port|sesame.port[]",
	"a list of 1 to 32 ports":            "(sesame.port|sesame.flagged)[]",
	`TCP flags, or "any"`:                "string",
	`a number of bytes, or a range such as "20-64"`:          "integer|string",
	"a string of up to 256 bytes":                            "string",
	"a table of positions and strings":                       "table<integer, string>",
	"a window, or sesame.any of windows alone":               "sesame.condition",
	`a count and a time, such as "3/h" or "20/s per source"`: "string",
	"a condition, a function(attempt), or a list of both":    "sesame.condition|sesame.decision|(sesame.condition|sesame.decision)[]",
	"a condition made by sesame.completed":                   "sesame.condition",
	`days such as "mon-fri", "sat,sun" or "mon-wed,fri"`:     "string",
	"a time of day": "string",
	`a name of the time zone database, such as "Europe/Madrid"`: "string",
	"a list of arguments":                           "string[]",
	`a table such as { level = { "low", "high" } }`: "table<string, string[]>",
	"a value of that type":                          "sesame.value|sesame.value[]",
	// Of tests.
	"a time":                            "string",
	"a string":                          "string",
	"a range of ports":                  "sesame.port",
	"a code of two letters":             "string",
	"a number":                          "integer|string",
	"TCP flags":                         "string",
	"a whole number":                    "integer",
	"a whole number from 1":             "integer",
	"the name of a door":                "string",
	"the name of a condition":           "string",
	"the name of a command":             "string",
	"the path of a capture":             "string",
	"an address or a network":           "string",
	"an address or a list of addresses": "string|string[]",
	"a list of strings":                 "string[]",
	"a list of them":                    "sesame.port[]",
	"a list of packets":                 "(sesame.port|sesame.test.knock)[]",
	"false":                             "false",
	"a table of names and values":       "table<string, sesame.value|sesame.value[]>",
	"a table of commands and numbers":   "table<string, integer>",
	"a table of addresses, networks, or names of hosts": "table<string, sesame.test.facts|string[]>",
	"as in the test":   "table<string, sesame.test.facts|string[]>",
	"a list of values": "sesame.value[]",
}

// parameters has the types of the names of parameters, and of what stands in a list.
var parameters = map[string]string{
	"command":   "sesame.command",
	"condition": "sesame.condition",
	"key":       "string",
	"value":     "sesame.value?",
	"by":        "number",
	"ttl":       "sesame.duration",
	"duration":  "sesame.duration",
	"text":      "sesame.value",
	"...":       "sesame.value",
}

// items has the types of what stands in a list, where it is no text.
var items = map[string]string{
	"condition": "sesame.condition|sesame.decision",
	"step":      "sesame.test.step",
	"number":    "integer|string",
}

// optionType returns the type of an option. "A table" within a test is the one of its name.
func optionType(o scripting.Option) (string, bool) {
	const one = ", a table, a list of these"
	first, rest, ok := strings.Cut(o.Type, one)
	if !ok {
		return typeOf(o.Type)
	}
	kind, known := typeOf(first)
	kind += "|" + tests + "." + o.Name
	more, alsoKnown := typeOf(strings.TrimPrefix(rest, ", or "))
	return kind + "|(" + kind + ")[]|" + more, known && alsoKnown
}

// typeOf returns the type for the words of the documentation. It is false when it knows none.
func typeOf(words string) (string, bool) {
	if known, ok := types[words]; ok {
		return known, true
	}
	if list, ok := strings.CutPrefix(words, "one of "); ok {
		return `"` + strings.Join(strings.Split(strings.ReplaceAll(list, `"`, ""), ", "), `"|"`) + `"`, true
	}
	object, isFunction := strings.CutPrefix(words, "function(")
	switch {
	case strings.HasPrefix(words, "a number from "), strings.HasPrefix(words, "a whole number from "):
		return "integer", true
	case strings.HasPrefix(words, "a date or a list of dates"):
		return "string|sesame.dates", true
	case isFunction:
		object, _, _ = strings.Cut(object, ")")
		return function(object), true
	}
	parts := strings.Split(strings.NewReplacer(", or ", ", ", " or ", ", ").Replace(words), ", ")
	for i, part := range parts {
		known, ok := types[part]
		switch {
		case ok:
			parts[i] = known
		case !isQuoted(part):
			return "any", false
		}
	}
	return strings.Join(parts, "|"), true
}

// isQuoted reports whether a text is one string as scripts write it, such as "reset".
func isQuoted(text string) bool {
	return strings.HasPrefix(text, `"`) && strings.HasSuffix(text, `"`) && strings.Count(text, `"`) == 2
}

// function returns the type of a function that gets an object. Functions that decide return false
// and a reason to refuse; others return nothing.
func function(object string) string {
	switch object {
	case "attempt", "knock":
		return "fun(" + object + ": sesame." + object + "): boolean?, string?"
	}
	return "fun(" + object + ": sesame." + object + ")"
}
