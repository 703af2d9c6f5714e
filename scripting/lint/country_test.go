package lint

import (
	"slices"
	"strings"
	"testing"
)

// A test of what is nil for unknown sources is a finding where those pass it.
func TestUnknownPasses(t *testing.T) {
	const tilde = `attempt.country ~= "RU" is true when no database knows the country`
	for _, tt := range []struct{ body, want string }{
		{`return attempt.country ~= "RU"`, tilde},
		{`return "RU" ~= attempt.country`, tilde},
		{`return not (attempt.country == "RU")`, tilde},
		{`if attempt.country ~= "RU" then return true end return false, "no"`, tilde},
		{`if attempt.country == "RU" then return false, "no" end return true`, `attempt.country == "RU" is false when no database knows the country, and the function goes on`},
		{`if attempt.country == "RU" then local why = "no" return false, why end return true`, `attempt.country == "RU" is false when no database knows the country, and the function goes on`},
		{`return attempt.asn ~= 3352`, "attempt.asn ~= 3352 is true when no database knows the autonomous system"},
		{`return attempt.asn_name ~= "Telefonica"`, `attempt.asn_name ~= "Telefonica" is true when no database knows the autonomous system`},
		{`local function other() return attempt.country ~= "RU" end return other()`, tilde},

		{`return attempt.country == "ES"`, ""},
		{`return not (attempt.country ~= "ES")`, ""},
		{`if attempt.country ~= "ES" then return false, "abroad" end return true`, ""},
		{`if not (attempt.country == "ES") then return false, "abroad" end return true`, ""},
		{`if not attempt.country then return false end return attempt.country ~= "RU"`, ""},
		{`if attempt.country == nil then return false end return attempt.country ~= "RU"`, ""},
		{`if nil ~= attempt.country then return attempt.country ~= "RU" end return false`, ""},
		{`if attempt.country then return attempt.country ~= "RU" end return false`, ""},
		{`return attempt.country and attempt.country ~= "RU"`, ""},
		{`return (attempt.country or "RU") ~= "RU"`, ""},
		{`return attempt.port ~= "tcp/1"`, ""},
		{`local t = { country = "ES" } return t.country ~= "RU"`, ""},
		{`return attempt.country ~= attempt.source`, ""},
	} {
		script := `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, -- sesame:allow no-way-back a test
  when = function(attempt) ` + tt.body + ` end }`
		got := ""
		for _, f := range Check(load(t, script)) {
			if f.ID == UnknownPasses {
				got += f.Message
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.body, got, tt.want)
		}
	}
}

// Private addresses are in no database, so a door that asks for both never opens.
func TestPrivateNever(t *testing.T) {
	const head = `local lan = sesame.networks { "192.168.0.0/16", "fd00::/8" }
local office = sesame.networks { "203.0.113.0/24", "10.0.0.0/8" }
local iberia, europe, provider = sesame.country { "ES" }, sesame.continent { "europe" }, sesame.asn { 3352 }
sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = `
	for when, want := range map[string]string{
		"{ lan, iberia }":                        "write when = sesame.any { lan, iberia }",
		"{ iberia, lan }":                        "write when = sesame.any { lan, iberia }",
		"{ lan, europe }":                        "write when = sesame.any { lan, europe }",
		"{ lan, provider }":                      "write when = sesame.any { lan, provider }",
		"sesame.any { lan, iberia }":             "",
		"{ office, iberia }":                     "",
		"{ lan, office }":                        "",
		"{ iberia, provider }":                   "",
		"{ sesame.any { lan, office }, iberia }": "",
	} {
		got := ""
		for _, f := range Check(load(t, head+when+" }")) {
			if f.ID == PrivateNever {
				got = f.Hint[strings.Index(f.Hint, "write"):]
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	if !slices.Contains(allowed, PrivateNever) || !slices.Contains(allowed, UnknownPasses) {
		t.Error("no comment can allow them")
	}
}
