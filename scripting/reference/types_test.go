package reference

import (
	"testing"

	"sesame/scripting"
)

func TestTypeOf(t *testing.T) {
	for words, want := range map[string]string{
		"string or nil":                  "string|nil",
		"string, number, boolean or nil": "string|number|boolean|nil",
		`"reset" or "ignore"`:            `"reset"|"ignore"`,
		`"ipv4", "ipv6" or nil`:          `"ipv4"|"ipv6"|nil`,
		"one of string, port":            `"string"|"port"`,
		"a whole number from 1 to 32":    "integer",
		"function(attempt)":              "fun(attempt: sesame.attempt): boolean?, string?",
		"function(grant)":                "fun(grant: sesame.grant)",
		"a port or a list of ports":      "sesame.port|sesame.port[]",
	} {
		if got, ok := typeOf(words); got != want || !ok {
			t.Errorf("%s: got %s, %v, expected %s", words, got, ok, want)
		}
	}
	for _, words := range []string{"a thing or two", `"`, `"a" b`, `a "b"`, `"a" or "b" "c"`} {
		if got, ok := typeOf(words); ok || got != "any" {
			t.Errorf("unknown words %s: got %s, %v, expected any, false", words, got, ok)
		}
	}
}

// TestEveryTypeIsKnown names what an addition to the API needs here: editors would take it for any.
func TestEveryTypeIsKnown(t *testing.T) {
	known := func(of, words string) {
		if _, ok := typeOf(words); !ok {
			t.Errorf("%s has the type %q: add a row to types in types.go", of, words)
		}
	}
	option := func(of string, o scripting.Option) {
		if _, ok := optionType(o); !ok {
			t.Errorf("%s of %s has the type %q: add a row to types in types.go", o.Name, of, o.Type)
		}
	}
	for _, table := range Whole().Tables {
		for _, opt := range table.Options {
			option(table.Name, opt)
		}
	}
	for _, o := range Whole().Objects {
		for _, m := range o.Members {
			if !m.Callable() {
				known(o.Name+"."+m.Name, m.Type)
			}
			for _, opt := range m.Options {
				option(o.Name+"."+m.Name, opt)
			}
		}
	}
}
