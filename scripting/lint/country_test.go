package lint

import (
	"slices"
	"strings"
	"testing"
)

// A test of what is nil for unknown sources is a finding where those pass it.
func TestUnknownPasses(t *testing.T) {
	const tilde = `attempt.country ~= "RU" is true when no database knows the country`
	const russia = `attempt.country == "RU" is false when no database knows the country, and the function goes on`
	const china = `attempt.country == "CN" is false when no database knows the country, and the function goes on`
	const listed = "blocked[attempt.country] is nil when no database knows the country, and the function goes on"
	const unlisted = "not blocked[attempt.country] is true when no database knows the country"
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

		{`if attempt.country == "RU" or attempt.country == "CN" then return false end return true`, russia + china},
		{`if attempt.port == "tcp/1" or (attempt.country == "CN" or "RU" == attempt.country) then return false end return true`, china + russia},
		{`if not (attempt.country ~= "RU" and not (attempt.country == "CN")) then return false end return true`, russia + china},
		{`return not (attempt.country == "RU" or attempt.port == "tcp/1")`, tilde},
		{`if not (attempt.port == "tcp/1" and attempt.country == "RU") then return true end return false`, tilde},
		{`if attempt.country == "RU" then return false else return true end`, russia},
		{`local blocked = { RU = true } if blocked[attempt.country] then return false end return true`, listed},
		{`local blocked = { RU = true } if blocked[attempt.country] or blocked[attempt.asn] then return false end return true`,
			listed + "blocked[attempt.asn] is nil when no database knows the autonomous system, and the function goes on"},
		{`local blocked = { RU = true } if not blocked[attempt.country] then return true end return false`, unlisted},
		{`local blocked = { RU = true } return not blocked[attempt.country]`, unlisted},
		{`local blocked = { RU = true } return blocked[attempt.country] == nil`, unlisted},
		{`local blocked = { RU = true } return nil == blocked[attempt.country]`, unlisted},
		{`local blocked = { RU = true } return blocked[attempt.country] ~= true`, unlisted},
		{`local blocked = { RU = true } if blocked[attempt.country] ~= nil then return false end return true`, listed},
		{`local blocked = { RU = true } if blocked[attempt.country] == true then return false end return true`, listed},
		{`local t = { blocked = { RU = true } } return not t.blocked[attempt.country]`, unlisted},
		{`local c = attempt.country return c ~= "RU"`, tilde},
		{`local port, c = attempt.port, attempt.country if c == "RU" or c == "CN" then return false end return port ~= nil`, russia + china},
		{`local c = attempt.country local blocked = { RU = true } return not blocked[c]`, unlisted},
		{`local c = attempt.country local function other() return c ~= "RU" end return other()`, tilde},

		{`return attempt.country == "ES"`, ""},
		{`if attempt.country == "ES" or attempt.country == "PT" then return true else return false end`, ""},
		{`if attempt.country == "ES" then return true elseif attempt.country == "RU" then return false, "no" else return false end`, ""},
		{`if not (attempt.country == "ES" or attempt.country == "PT") then return false end return true`, ""},
		{`if attempt.country ~= "ES" and attempt.country ~= "PT" then return false end return true`, ""},
		{`if attempt.country == "ES" and attempt.port == "tcp/1" then return false end return true`, ""},
		{`if not (attempt.country ~= "ES" or attempt.port == "tcp/1") then return false end return true`, ""},
		{`if attempt.country ~= "ES" or attempt.port == "tcp/1" then return false end return true`, ""},
		{`if not attempt.country or attempt.country == "RU" then return false end return true`, ""},
		{`local allowed = { ES = true } return allowed[attempt.country]`, ""},
		{`local allowed = { ES = true } if not allowed[attempt.country] then return false end return true`, ""},
		{`local allowed = { ES = true } if allowed[attempt.country] == nil then return false end return true`, ""},
		{`local allowed = { ES = true } if allowed[attempt.country] then return true end return false`, ""},
		{`local allowed = { ES = true } return allowed[attempt.country] ~= nil`, ""},
		{`local blocked = { RU = true } if attempt.country == nil then return false end return not blocked[attempt.country]`, ""},
		{`local seen = {} if not seen[attempt.country] then seen[attempt.country] = true end return true`, ""},
		{`local names = { ES = "Spain" } local name = names[attempt.country] or "somewhere" return name == "Spain"`, ""},
		{`local blocked = { RU = true } return not blocked[attempt.port]`, ""},
		{`local c = attempt.country if not c then return false end return c ~= "RU"`, ""},
		{`local c = attempt.country if not attempt.country then return false end return c ~= "RU"`, ""},
		{`local c = attempt.country c = "ES" return c ~= "RU"`, ""},
		{`local c = attempt.country or "RU" return c ~= "RU"`, ""},
		{`local c = attempt.country for c = 1, 2 do if c ~= 3352 then return true end end return false`, ""},
		{`local c = attempt.country for _, c in pairs { 1 } do if c ~= 3352 then return true end end return false`, ""},
		{`local c = attempt.country local function other(c) return c ~= "RU" end return other("x")`, ""},
		{`local c = attempt.country do local c = "ES" if c ~= "RU" then return true end end return false`, ""},
		{`return attempt.asn > 3352`, ""},
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
