package scripting_test

import (
	"os"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// An atlas answers questions with what a test says of addresses.
type atlas map[string]engine.Answer

// Answer implements [engine.Facts].
func (a atlas) Answer(q engine.Question) engine.Answer { return a[q.Address.String()] }

var visitors = atlas{
	"203.0.113.9":  {Known: true, Country: "ES", ASN: 3352, ASName: "Telefonica", From: "Test, 2026-11-20"},
	"203.0.113.10": {Known: true, Country: "FR", ASN: 4200000000, From: "Test, 2026-11-20"},
	"203.0.113.11": {From: "Test, 2026-11-20", Why: "it has no entry"},
}

const lyon, nowhere = "203.0.113.10", "203.0.113.11"

// where loads a door with the condition of a script, and knocks on it.
func where(t *testing.T, script, source string) *world {
	t.Helper()
	eu, err := os.ReadFile("../scripts/lib/eu.lua")
	if err != nil {
		t.Fatal(err)
	}
	const door = `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = only }`
	w := theScripts(t, map[string]string{"a.lua": script + "\n" + door, "lib/eu.lua": string(eu)}, scripting.Options{})
	w.e.SetFacts(visitors)
	w.knock(source, "tcp/4", "tcp/2", "tcp/3", "tcp/1")
	return w
}

func TestSourcesByCountry(t *testing.T) {
	const opened = "open"
	for _, tt := range []struct{ name, script, source, want string }{
		{"the country", `local only = sesame.country { "ES", "PT" }`, "203.0.113.9", opened},
		{"another country", `local only = sesame.country { "ES", "PT" }`, lyon,
			"refuse a when only: ES, PT; 203.0.113.10 is in FR (Test, 2026-11-20)"},
		{"nobody knows", `local only = sesame.country { "ES", "PT" }`, nowhere,
			"refuse a no_data only: ES, PT; the country of 203.0.113.11 is not known (Test, 2026-11-20: it has no entry)"},
		{"a list of a module", `local only = sesame.country(require "eu")`, lyon, opened},
		{"a list of an option", `local only = sesame.country(sesame.option "from" { type = "countries", default = { "FR" } })`, lyon, opened},
		{"the continent", `local only = sesame.continent { "europe" }`, lyon, opened},
		{"another continent", `local only = sesame.continent { "asia" }`, lyon,
			"refuse a when only: asia; 203.0.113.10 is in FR, europe (Test, 2026-11-20)"},
		{"the AS", `local only = sesame.asn { 1, 4200000000 }`, lyon, opened},
		{"the AS as text", `local only = sesame.asn { "AS4200000000" }`, lyon, opened},
		{"another AS", `local only = sesame.asn { 1, 4200000000 }`, "203.0.113.9",
			"refuse a when only: AS1, AS4200000000; 203.0.113.9 is in AS3352 Telefonica (Test, 2026-11-20)"},
		{"one of several", `local only = sesame.any { sesame.networks { "10.0.0.0/8" }, sesame.country { "FR" } }`, lyon, opened},
		{"an unknown one of several", `local only = sesame.any { sesame.networks { "203.0.113.11" }, sesame.country { "FR" } }`, nowhere, opened},
		{"a name", `local only = sesame.country { "ES", name = "home" }`, lyon,
			"refuse a when home: ES; 203.0.113.10 is in FR (Test, 2026-11-20)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if w := where(t, tt.script, tt.source); tt.want == opened {
				w.want("open a "+tt.source, "allow "+tt.source+"/32 tcp/22 30s")
			} else {
				w.want(tt.want)
			}
		})
	}
}

// What a country and an AS cannot be is found when the script loads, at its place.
func TestWrongCountries(t *testing.T) {
	for call, want := range map[string]string{
		`sesame.country { "ES", "UK" }`:       `a.lua:1:34: sesame.country: "UK" is no code of ISO 3166-1: write "GB"`,
		`sesame.country { "es" }`:             `a.lua:1:28: sesame.country: "es": write the code in capital letters, "ES"`,
		`sesame.country { 34 }`:               `a.lua:1:28: sesame.country: expected a country such as "ES", got the number 34`,
		`sesame.country {}`:                   `a.lua:1:11: sesame.country: expected at least a country such as "ES"`,
		`sesame.country { "ES", "ES" }`:       `a.lua:1:11: sesame.country: ES stands twice in the list`,
		`sesame.country { "ES", only = 1 }`:   `a.lua:1:34: unknown option "only" in sesame.country: expected one of name`,
		`sesame.country "ES"`:                 `a.lua:1:11: sesame.country: expected a table of options, got the string "ES"`,
		`sesame.asn { 3352, "AS3352" }`:       `a.lua:1:11: sesame.asn: AS3352 stands twice in the list`,
		`sesame.asn { 1e10 }`:                 `a.lua:1:24: sesame.asn: "10000000000" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`,
		`sesame.asn { 0/0 }`:                  `a.lua:1:24: sesame.asn: "NaN" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`,
		`sesame.continent { "North-America"}`: `a.lua:1:30: sesame.continent: "North-America" is no continent: did you mean "north-america"?`,
	} {
		_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": "local c = " + call}), scripting.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", call, err, want)
		}
	}
}

// Functions get the same facts. Nil means that nobody knows.
func TestFieldsOfGeography(t *testing.T) {
	const script = `
local function only(attempt)
  local function text(v) return type(v) .. ":" .. tostring(v) end
  return false, text(attempt.country) .. " " .. text(attempt.asn) .. " " .. text(attempt.asn_name)
end`
	for source, want := range map[string]string{
		"203.0.113.9": "string:ES number:3352 string:Telefonica",
		lyon:          "string:FR number:4200000000 nil:nil",
		nowhere:       "nil:nil nil:nil nil:nil",
		"10.0.0.1":    "nil:nil nil:nil nil:nil",
	} {
		where(t, script, source).want("refuse a when " + want)
	}
}

// The grants of one address have its country, and those of a network none.
func TestGrantsHaveACountry(t *testing.T) {
	for bits, want := range map[string]string{"32": "ES", "24": "none"} {
		w := theScript(t, `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, ttl = "5s",
  on_open  = function(attempt) attempt:allow { prefix4 = `+bits+` } end,
  on_close = function(grant) grant:log(grant.country or "none") end }`)
		w.e.SetFacts(visitors)
		w.knock("203.0.113.9", "tcp/4", "tcp/2", "tcp/3", "tcp/1")
		w.got = nil
		w.later(6e9)
		w.want("close a tcp/22 expired", "log "+want)
	}
}
