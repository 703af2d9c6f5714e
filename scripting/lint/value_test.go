package lint

import (
	"strings"
	"testing"
)

func TestValuesOfEachSourceWithoutATTL(t *testing.T) {
	for _, tt := range []struct {
		body string
		want string // a part of the message; "": no finding
	}{
		{`attempt.store:set("k", true)`, "attempt.store:set stores a value of each source for ever"},
		{`attempt.store:incr("k")`, "attempt.store:incr stores"},
		{`attempt.store:incr("k", 2)`, "attempt.store:incr stores"},
		{`if attempt.store:incr("k") > 2 then attempt:log("x") end`, "attempt.store:incr stores"},
		{`local x = attempt x.store:set("k", attempt.source)`, "attempt.store:set stores"},
		{`sesame.store:set(attempt.source, true)`, "sesame.store:set, with the source in its key, stores"},
		{`sesame.store:incr("n of " .. tostring(attempt.source))`, "sesame.store:incr, with the source in its key, stores"},
		{`attempt.store:set("k", true, "1h")`, ""},
		{`attempt.store:incr("k", 1, "1h")`, ""},
		{`attempt.store:incr("k", nil, "1h")`, ""},
		{`attempt.store:set("k", nil)`, ""},
		{`attempt.store:once("k", "1h")`, ""},
		{`attempt.store:get("k")`, ""},
		{`sesame.store:set("k", attempt.source)`, ""},
		{`sesame.store:incr("k")`, ""},
		{`local function more() return true, "1h" end attempt.store:set("k", more())`, ""},
		{`local function all(...) attempt.store:set("k", ...) end all(1, "1h")`, ""},
	} {
		set := load(t, `sesame.door "ssh" { sequence = { 8001, 7103, 9204, "udp/6305" }, guards = 22, on_open = function(attempt)
  attempt:allow()
  `+tt.body+`
end }`)
		var got []string
		for _, f := range Check(set) {
			if f.ID == NoTTL {
				got = append(got, f.String())
			}
		}
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "a.lua:3: no-ttl: "+tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.body, got, tt.want)
		}
	}
}
